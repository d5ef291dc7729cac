"""Never late, whatever the wall clock does: a clock that is put back must not prolong what waits."""

from __future__ import annotations

import structlog

from responder.engine import courier
from responder.engine.courier import CLAIM
from responder.engine.ledger import LEASE
from responder.model.clock import Clock
from responder.notify.route import PAGERS
from responder.store import tables, waits
from responder.store.database import Database

_log = structlog.get_logger()

LOOK_SECONDS = 0.2
TURN = 0.05
"""Seconds until the next try where another process has the turn."""
STEP_SECONDS = 2.0
"""A clock that is put back by less is not noticed, and makes a page late by no more."""


class ClockWatch:
    """Compares the wall clock with the monotonic one.

    Messages hold times of the wall clock, since several machines share them. So a page that is due in 8 s would wait
    for an hour and 8 s where the clock is put back by an hour.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._ahead: float | None = None

    def step(self) -> float:
        """Set right what a jump has spoilt, one from before our start included. Returns the seconds to rest.

        The clocks of several processes are put back together. One at a time sets it right: all of them touch the same
        rows, and PostgreSQL needs a second to see that two wait for each other.
        """
        now = self._clock.now()
        ahead = now.timestamp() - self._clock.monotonic()
        back = 0.0 if self._ahead is None else self._ahead - ahead
        if self._ahead is None or back > STEP_SECONDS:
            with self._database.alone("clock") as turn:
                if turn is None:
                    return TURN
                with turn.work() as connection:
                    (waits.end_impossible if self._ahead is None else waits.end)(connection, now)
                    waits.shorten(connection, tables.messages, now, CLAIM)
                    waits.shorten(connection, tables.messages, now, courier.LEASE, PAGERS)
                    waits.shorten(connection, tables.studies, now, LEASE)
        if back > STEP_SECONDS:
            _log.warning("clock.put_back", seconds=round(back), reason="whatever waited is sent now")
        self._ahead = ahead
        return LOOK_SECONDS
