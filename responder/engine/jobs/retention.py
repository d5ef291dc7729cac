"""The retention job: deletes old rows, and more if the database is too large; webhooks and pages have priority."""

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

import structlog

from responder.model.clock import Clock, Deadline
from responder.store.database import Database
from responder.store.maintenance import retention
from responder.store.maintenance.retention import POLICIES, PruneResult, RetentionPolicy

_log = structlog.get_logger()

EVERY = timedelta(minutes=5)
#: Longest run; the rest is left to the next run.
LOCK_SECONDS = 60.0
#: Rows per transaction: minimum, initial, maximum.
_LIMITS = (5, 50, 500)
#: Target time that a transaction holds the write lock; the number of rows adapts to it.
_HOLD_SECONDS = 0.02
#: Pause between transactions, as a multiple of the time the write lock was held.
_REST = 4.0
#: Fraction of the size limit that remains used after pruning by size.
_ROOM = 0.9


class RetentionJob:
    """Deletes in short transactions with pauses between them. May be stopped at any moment without loss."""

    def __init__(self, database: Database, clock: Clock, keep: timedelta, most_bytes: int) -> None:
        """``keep`` is how long rows are kept, ``most_bytes`` their largest total size."""
        self._database = database
        self._clock = clock
        self._keep = keep
        self._most_bytes = most_bytes
        self._pause = threading.Event()

    def run(self) -> None:
        """Run the job once."""
        deadline = Deadline(self._clock.monotonic() + LOCK_SECONDS)
        rows: Counter[str] = Counter()
        for pruned in self.prune(self._clock.now() - self._keep, deadline):
            rows[pruned.table] += pruned.rows
        if rows := +rows:
            _log.info("retention.pruned", rows=dict(rows))

    def would(self, before: datetime) -> list[PruneResult]:
        """Return what ``by_age`` would delete."""
        with self._database.read() as connection:
            return [retention.count_prunable(connection, policy, before) for policy in POLICIES.values()]

    def prune(self, before: datetime, deadline: Deadline) -> Iterator[PruneResult]:
        """Delete rows older than ``before``, then more if the database is too large. Raises StoreError."""
        yield from self.by_age(before, deadline)
        yield from self.by_size(deadline)
        self._database.compact()

    def by_age(self, before: datetime, deadline: Deadline) -> Iterator[PruneResult]:
        """Delete rows older than ``before`` that nothing needs. Raises StoreError."""
        for policy in POLICIES.values():
            yield self._clear(policy, before, deadline)

    def by_size(self, deadline: Deadline) -> Iterator[PruneResult]:
        """If the database is too large, delete the oldest rows that may be deleted. Raises StoreError."""
        with self._database.read() as connection:
            size = retention.used(connection, self._most_bytes)
        excess = size - int(self._most_bytes * _ROOM) if size > self._most_bytes else 0
        for policy in POLICIES.values() if excess else ():
            pruned = self._clear(policy, self._clock.now() - policy.floor, deadline, enough=excess)
            yield pruned
            excess -= pruned.bytes
            if excess <= 0:
                return
        if excess and deadline.left(self._clock.monotonic()):
            _log.warning(
                "retention.too_large", bytes=size, limit=self._most_bytes, reason="the other rows must be kept"
            )

    def _clear(
        self, policy: RetentionPolicy, before: datetime, deadline: Deadline, enough: int | None = None
    ) -> PruneResult:
        gone, after, limit = PruneResult(policy.table.name), -1.0, _LIMITS[1]
        while deadline.left(self._clock.monotonic()) and (enough is None or gone.bytes < enough):
            with self._database.read() as connection:
                keys, last = retention.page(connection, policy, after, before, limit)
            if not keys:
                break
            with self._database.transaction() as connection:
                began = self._clock.monotonic()
                pruned = retention.clear(connection, policy, keys)
            held = self._clock.monotonic() - began
            gone = gone.plus(pruned)
            after = after if pruned.rows else last
            limit = _next_limit(limit, held)
            self._pause.wait(min(_REST * held, deadline.left(self._clock.monotonic())))
        return gone


def _next_limit(limit: int, held: float) -> int:
    """Return the number of rows of the next transaction, after one that held the lock for ``held`` seconds."""
    least, _, most = _LIMITS
    if held < _HOLD_SECONDS / 2:
        return min(most, limit * 2)
    return max(least, limit // 2) if held > _HOLD_SECONDS else limit
