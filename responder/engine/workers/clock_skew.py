"""Detection of a wall clock that was set back, and correction of stored times that would delay work."""

from collections.abc import Callable, Collection
from datetime import datetime

import structlog
from sqlalchemy import Connection

from responder.engine.workers.delivery import CLAIM
from responder.engine.workers.delivery import LEASE as MESSAGE_LEASE
from responder.engine.workers.triage import LEASE
from responder.model.clock import Clock
from responder.store.database import BUSY_SECONDS, Database
from responder.store.maintenance import clock_correction
from responder.store.schema import tables

_log = structlog.get_logger()

#: Seconds between two comparisons of the clocks.
LOOK_SECONDS = 0.2
#: Seconds until the next try if another transaction skipped rows that need correction.
SOON = 0.02
#: Smallest step back that is detected, in seconds; smaller ones delay a page by at most this.
STEP_SECONDS = 2.0


class _PausedError(Exception):
    """The process was paused during a correction."""


class ClockSkewWatcher:
    """Compares the wall clock with the monotonic clock.

    Messages are due by the wall clock, since several machines share them: if the clock is set back by an hour, a page
    due in 8 s would otherwise wait for an hour and 8 s.
    """

    def __init__(self, database: Database, clock: Clock, pagers: Callable[[], Collection[str]]) -> None:
        self._database = database
        self._pagers = pagers
        self._clock = clock
        self._ahead: float | None = None
        self._doubt_until = clock.monotonic()

    def step(self) -> float:
        """Correct stored times after a step back, including one before the start. Returns the seconds to rest.

        For as long as a transaction can last after it, other threads may still write times from before it.
        """
        before, now, ticks = self._clock.monotonic(), self._clock.now(), self._clock.monotonic()
        if ticks - before > STEP_SECONDS:  # the process was paused between the two clocks
            return SOON
        try:
            return self._correct(now, ticks)
        except _PausedError:
            return SOON

    def _correct(self, now: datetime, ticks: float) -> float:
        ahead = now.timestamp() - ticks
        back = 0.0 if self._ahead is None else self._ahead - ahead
        if self._ahead is None:
            skipped = self._set_right(clock_correction.end_long_waits)
        elif back > STEP_SECONDS:
            skipped = self._set_right(clock_correction.end_waits)
        else:
            skipped = self._set_right(clock_correction.end_waits_written_ahead) if ticks < self._doubt_until else 0
        if skipped:
            return SOON
        if back > STEP_SECONDS:
            _log.warning("clock.stepped_back", seconds=round(back), reason="pending messages are sent now")
            self._doubt_until = ticks + BUSY_SECONDS
        self._ahead = ahead
        return LOOK_SECONDS

    def _set_right(self, end: Callable[[Connection, datetime], int]) -> int:
        """Correct stored times. Returns the number of rows that another transaction skipped and that are still wrong.

        Raises ``_PausedError``, and changes nothing, if the process was paused meanwhile: rows that another replica
        wrote during the pause look as if they came from the future.
        """
        with self._database.transaction() as connection:
            began, now = self._clock.monotonic(), self._clock.now()
            skipped = end(connection, now)
            skipped += clock_correction.shorten(connection, tables.messages, now, CLAIM)
            skipped += clock_correction.shorten(connection, tables.messages, now, MESSAGE_LEASE, self._pagers())
            skipped += clock_correction.shorten(connection, tables.diagnoses, now, LEASE)
            if self._clock.monotonic() - began > STEP_SECONDS:
                raise _PausedError
            return skipped
