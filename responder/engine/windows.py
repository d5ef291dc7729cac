"""Sends pages that a paging window held back when the window opens, with a new diagnosis and the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

import structlog
from sqlalchemy import Connection

from responder.engine.desk import Desk
from responder.engine.effects.decided import Decided
from responder.engine.effects.held_page import due, page_now, windows_of
from responder.engine.ledger import Ledger
from responder.model.clock import Clock, Deadline
from responder.notify.route import PAGER
from responder.store import inbox, incidents, outbox
from responder.store.database import Database

_log = structlog.get_logger()

EVERY = timedelta(seconds=10)
#: Pages of one turn: a night's worth of them leaves within minutes and not at once, the worst first.
BATCH = 10
_TURN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Opening:
    """A job for the timers. It remembers nothing: an incident that fires and nobody was woken for is found again."""

    database: Database
    ledger: Ledger
    desk: Callable[[], Desk]
    clock: Clock

    def run(self) -> None:
        """One look. Raises CannotStore."""
        desk = self.desk()
        if PAGER not in desk.channels:
            return
        with self.database.read() as connection:
            if not self._due(connection, desk):
                return
        done = self.ledger.record(self._decide, Deadline(self.clock.monotonic() + _TURN_SECONDS))
        for each in done.effects:
            if each.incident is not None and each.drafts:
                _log.info("incident.window_opened", incident=each.incident.id, why=each.outcome)

    def _due(self, connection: Connection, desk: Desk) -> list[tuple[str, str]]:
        kinds = incidents.unwoken_kinds(connection, PAGER)
        return due(kinds, windows_of(desk.book), desk.book, self.clock.now())

    def _decide(self, connection: Connection) -> Decided:
        desk, now = self.desk(), self.clock.now()
        waiting = incidents.unwoken(connection, PAGER, self._due(connection, desk))
        found = (
            page_now(
                each,
                inbox.kept(connection, each.delivery),
                outbox.last_reports(connection, [each.id]).get(each.id),
                desk,
                now,
            )
            for each in waiting
        )
        return Decided.of(list(islice((each for each in found if each is not None), BATCH)))
