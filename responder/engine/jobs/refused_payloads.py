"""The job that reports refused requests by an incident about responder itself."""

from datetime import timedelta

import structlog
from sqlalchemy import Connection

from responder.engine.effects.context import NOTHING, History
from responder.engine.effects.refused_payloads import OUTSIDE_HOLD, Refused, effects_of, keys, quiet_period
from responder.engine.jobs.scheduler import IncidentJob
from responder.model.delivery import Effects, IncidentChanges
from responder.store.inbox.refusals import OUTSIDE, last_valid, refusals
from responder.store.incidents import incidents

_log = structlog.get_logger()

EVERY = timedelta(seconds=10)


class RefusedPayloads(IncidentJob):
    """Compares recent refusals with the open incidents about them."""

    def is_due(self, connection: Connection) -> bool:
        """Return True if a request was refused recently."""
        refused = self._refused(connection)
        return bool(refused.payloads or refused.outside)

    def decide(self, connection: Connection) -> IncidentChanges:
        """Open, extend and page incidents. The recheck job resolves them."""
        refused, context, now = self._refused(connection), self.context(), self.clock.now()
        latest = incidents.latest(connection, set(keys(refused)))
        known = incidents.contents_of(connection, [each.id for each in latest.values() if each.open]) if latest else {}
        histories = {key: History(each, known.get(each.id)) for key, each in latest.items()}
        effects = effects_of(refused, lambda key: histories.get(key, NOTHING), context, now)
        stored = {each.id for each in latest.values()}
        touched = [each.incident for each in effects if each.incident is not None]
        return IncidentChanges(
            effects=effects,
            added=[each for each in touched if each.id not in stored],
            changed=[each for each in touched if each.id in stored],
        )

    def log(self, effects: Effects) -> None:
        """Log an incident that has messages."""
        if effects.incident is not None and effects.messages:
            _log.error("webhook.refusals_reported", incident=effects.incident.id, reason=effects.outcome)

    def _refused(self, connection: Connection) -> Refused:
        now = self.clock.now()
        return Refused(
            payloads=refusals(connection, now - quiet_period(self.context())),
            outside=refusals(connection, now - OUTSIDE_HOLD, OUTSIDE),
            valid_at=last_valid(connection),
        )
