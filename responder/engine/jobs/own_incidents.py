"""The jobs that report invalid rule files and refused requests by incidents about responder itself."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import Connection

from responder.engine.effects import invalid_rules, refused_payloads
from responder.engine.effects.context import NOTHING, History, read_histories
from responder.engine.effects.invalid_rules import InvalidRuleFiles
from responder.engine.effects.refused_payloads import OUTSIDE_HOLD, Refused, quiet_period
from responder.engine.jobs.scheduler import IncidentJob
from responder.engine.workers.rule_reloader import RulesStatus
from responder.model.delivery import Effects, IncidentChanges
from responder.store.inbox.refusals import OUTSIDE, last_valid, refusals

_log = structlog.get_logger()

EVERY = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class InvalidRulesJob(IncidentJob):
    """Reports what the rule reloader of this process found. The recheck job resolves the incident."""

    status: Callable[[], RulesStatus]

    def is_due(self, _connection: Connection) -> bool:
        """Return True if the rule files are invalid."""
        return self.status().refused > 0

    def decide(self, connection: Connection) -> IncidentChanges:
        """Open the incident, or hold it open."""
        status, now = self.status(), self.clock.now()
        since = status.refused_at or now
        found = InvalidRuleFiles(since=since, problem=status.problem, note=status.note, kept=status.kept)

        def effects_of(of: Callable[[str], History]) -> list[Effects]:
            effects = invalid_rules.effects_of(found, of(invalid_rules.KEY), self.context(), now)
            return [effects] if effects else []

        return _changes(connection, [invalid_rules.KEY], effects_of)

    def log(self, effects: Effects) -> None:
        """Log an incident that has messages."""
        if effects.incident is not None and effects.messages:
            _log.error("rules.reported", incident=effects.incident.id, reason=effects.outcome)


class RefusedPayloads(IncidentJob):
    """Compares recent refusals with the open incidents about them. The recheck job resolves them."""

    def is_due(self, connection: Connection) -> bool:
        """Return True if a request was refused recently."""
        refused = self._refused(connection)
        return bool(refused.payloads or refused.outside)

    def decide(self, connection: Connection) -> IncidentChanges:
        """Open, extend and page incidents."""
        refused, context, now = self._refused(connection), self.context(), self.clock.now()
        keys = refused_payloads.keys(refused)
        return _changes(connection, keys, lambda of: refused_payloads.effects_of(refused, of, context, now))

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


def _changes(
    connection: Connection, keys: Iterable[str], effects_of: Callable[[Callable[[str], History]], list[Effects]]
) -> IncidentChanges:
    """Return the changes by effects that are decided from the newest incident of each key."""
    known = read_histories(connection, set(keys))
    effects = effects_of(lambda key: known.get(key, NOTHING))
    stored = {each.incident.id for each in known.values() if each.incident is not None}
    touched = [each.incident for each in effects if each.incident is not None]
    return IncidentChanges(
        effects=effects,
        added=[each for each in touched if each.id not in stored],
        changed=[each for each in touched if each.id in stored],
    )
