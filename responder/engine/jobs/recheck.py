"""The recheck job: reviews incidents whose resolve was held, or contradicted by another Alertmanager."""

from datetime import timedelta

from sqlalchemy import Connection

from responder.engine.effects.without_notification import changed
from responder.engine.jobs.scheduler import IncidentJob
from responder.model.delivery import IncidentChanges
from responder.store.incidents import incidents, pending
from responder.triage.recheck import review

EVERY = timedelta(seconds=10)
#: Incidents reviewed per run.
BATCH = 100


class RecheckJob(IncidentJob):
    """Decides about incidents whose review time has come; the time is in the incident's row."""

    event = "incident.reviewed"

    def is_due(self, connection: Connection) -> bool:
        """Return True if an incident is due for review."""
        return bool(pending.to_review(connection, self.clock.now(), 1))

    def decide(self, connection: Connection) -> IncidentChanges:
        """Review a batch of incidents."""
        now, context = self.clock.now(), self.context()
        due = pending.to_review(connection, now, BATCH)
        known = incidents.contents_of(connection, [each.id for each in due])
        return IncidentChanges.of(
            [changed(each, review(each, now, context.timing), known.get(each.id), context, now) for each in due]
        )
