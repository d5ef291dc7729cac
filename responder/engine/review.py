"""Looks again at incidents whose time has come: ends that were held back, and ends that a peer contradicted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import Connection

from responder.engine.afterwards import changed
from responder.engine.desk import Desk
from responder.engine.effects.decided import Decided
from responder.engine.ledger import Ledger
from responder.model.clock import Clock, Deadline
from responder.store import incidents, outbox
from responder.store.database import Database
from responder.triage.review import review

_log = structlog.get_logger()

EVERY = timedelta(seconds=10)
BATCH = 100
"""Incidents decided in one turn."""
_TURN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Review:
    """A job for the timers. What it cannot decide in this turn it finds again in the next: the time is in the row."""

    database: Database
    ledger: Ledger
    desk: Callable[[], Desk]
    clock: Clock

    def run(self) -> None:
        """Decide what is due. Raises CannotStore."""
        with self.database.read() as connection:
            due = incidents.to_review(connection, self.clock.now(), 1)
        if not due:
            return
        done = self.ledger.record(self._decide, Deadline(self.clock.monotonic() + _TURN_SECONDS))
        for each in done.effects:
            if each.incident is not None and each.drafts:
                _log.info("incident.reviewed", incident=each.incident.id, open=each.incident.open, why=each.outcome)

    def _decide(self, connection: Connection) -> Decided:
        now, desk = self.clock.now(), self.desk()
        due = incidents.to_review(connection, now, BATCH)
        reports = outbox.last_reports(connection, [each.id for each in due]) if due else {}
        return Decided.of(
            [changed(each, review(each, now, desk.patience), reports.get(each.id), desk, now) for each in due]
        )
