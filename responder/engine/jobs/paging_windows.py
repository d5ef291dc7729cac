"""Sends pages that a paging window held back when the window opens, with a new diagnosis and the reason."""

from datetime import timedelta
from itertools import islice

from sqlalchemy import Connection

from responder.engine.effects.context import DecisionContext
from responder.engine.effects.held_page import due, page_now, windows_of
from responder.engine.jobs.scheduler import IncidentJob
from responder.model.delivery import IncidentChanges
from responder.store.inbox import inbox
from responder.store.incidents import incidents, pending

EVERY = timedelta(seconds=10)
#: Pages per run, the worst first: those held overnight are sent within minutes and not at once.
BATCH = 10


class PagingWindowJob(IncidentJob):
    """Sends the pages of firing incidents whose paging window is open now."""

    event = "incident.window_opened"

    def is_due(self, connection: Connection) -> bool:
        """Return True if an incident that was not paged may be paged now."""
        context = self.context()
        return not context.pagers.isdisjoint(context.channels) and bool(self._due(connection, context))

    def decide(self, connection: Connection) -> IncidentChanges:
        """Page a batch of incidents, the worst first."""
        context, now = self.context(), self.clock.now()
        waiting = pending.unpaged_incidents(connection, context.pagers, self._due(connection, context))
        found = (
            page_now(
                each,
                inbox.find(connection, each.notification),
                incidents.content_of(connection, each.id),
                context,
                now,
            )
            for each in waiting
        )
        return IncidentChanges.of(list(islice((each for each in found if each is not None), BATCH)))

    def _due(self, connection: Connection, context: DecisionContext) -> list[tuple[str, str]]:
        kinds = pending.unpaged_kinds(connection, context.pagers)
        return due(kinds, windows_of(context), context.book, self.clock.now())
