"""Retention: what is older than it must be kept goes, and more where room is short. Webhooks and pages come first."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

import structlog

from responder.model.clock import Clock, Deadline
from responder.store.database import Database
from responder.store.maintenance import retention
from responder.store.maintenance.retention import SHELVES, PruneResult, RetentionPolicy

_log = structlog.get_logger()

EVERY = timedelta(minutes=5)
TURN_SECONDS = 60.0
"""How long one turn may take; what is left waits for the next."""
_LIMITS = (5, 50, 500)
"""Rows of one transaction: at least, at first, at most."""
_HOLD_SECONDS = 0.02
"""How long a transaction should hold the writer: it takes more rows where they are quick, fewer where they are not."""
_REST = 4.0
"""We rest this many times as long as we held the writer, so that others have it for most of the time."""
_ROOM = 0.9
"""How full the database is left where it had to be pruned for its size."""


class RetentionJob:
    """Deletes in short transactions with pauses between. It may be ended at any moment and loses nothing."""

    def __init__(self, database: Database, clock: Clock, keep: timedelta, most_bytes: int) -> None:
        """``keep`` is how long rows stay, ``most_bytes`` how much they may take together."""
        self._database = database
        self._clock = clock
        self._keep = keep
        self._most_bytes = most_bytes
        self._pause = threading.Event()

    def run(self) -> None:
        """One turn of the job."""
        deadline = Deadline(self._clock.monotonic() + TURN_SECONDS)
        rows: Counter[str] = Counter()
        for portion in self.prune(self._clock.now() - self._keep, deadline):
            rows[portion.table] += portion.rows
        if rows := +rows:
            _log.info("retention.pruned", rows=dict(rows))

    def would(self, before: datetime) -> list[PruneResult]:
        """What ``by_age`` would delete."""
        with self._database.read() as connection:
            return [retention.may_go(connection, shelf, before) for shelf in SHELVES.values()]

    def prune(self, before: datetime, deadline: Deadline) -> Iterator[PruneResult]:
        """Delete what is older than ``before``, then more where room is short. Raises StoreError."""
        yield from self.by_age(before, deadline)
        yield from self.by_size(deadline)
        self._database.tidy()

    def by_age(self, before: datetime, deadline: Deadline) -> Iterator[PruneResult]:
        """Delete what is older than ``before`` and needed by nobody. Raises StoreError."""
        for shelf in SHELVES.values():
            yield self._clear(shelf, before, deadline)

    def by_size(self, deadline: Deadline) -> Iterator[PruneResult]:
        """Where the database is too large, delete the oldest of what can be spared. Raises StoreError."""
        with self._database.read() as connection:
            size = retention.used(connection, self._most_bytes)
        excess = size - int(self._most_bytes * _ROOM) if size > self._most_bytes else 0
        for shelf in SHELVES.values() if excess else ():
            portion = self._clear(shelf, self._clock.now() - shelf.floor, deadline, enough=excess)
            yield portion
            excess -= portion.bytes
            if excess <= 0:
                return
        if excess and deadline.left(self._clock.monotonic()):
            _log.warning("retention.too_large", bytes=size, limit=self._most_bytes, reason="what is left is needed")

    def _clear(
        self, shelf: RetentionPolicy, before: datetime, deadline: Deadline, enough: int | None = None
    ) -> PruneResult:
        gone, after, limit = PruneResult(shelf.table.name), -1.0, _LIMITS[1]
        while deadline.left(self._clock.monotonic()) and (enough is None or gone.bytes < enough):
            with self._database.read() as connection:
                keys, last = retention.page(connection, shelf, after, before, limit)
            if not keys:
                break
            with self._database.work() as connection:
                began = self._clock.monotonic()
                portion = retention.clear(connection, shelf, keys)
            held = self._clock.monotonic() - began
            gone = gone.plus(portion)
            after = after if portion.rows else last
            limit = _next_limit(limit, held)
            self._pause.wait(min(_REST * held, deadline.left(self._clock.monotonic())))
        return gone


def _next_limit(limit: int, held: float) -> int:
    """How many rows the next transaction takes, after one that held the writer for so many seconds."""
    least, _, most = _LIMITS
    if held < _HOLD_SECONDS / 2:
        return min(most, limit * 2)
    return max(least, limit // 2) if held > _HOLD_SECONDS else limit
