"""The job that reports invalid rule files by an incident about responder itself."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import Connection

from responder.engine.effects.context import NOTHING, History
from responder.engine.effects.invalid_rules import KEY, InvalidRuleFiles, effects_of
from responder.engine.jobs.scheduler import IncidentJob
from responder.engine.workers.rule_reloader import RulesStatus
from responder.model.delivery import Effects, IncidentChanges
from responder.store.incidents import incidents

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
        latest = incidents.latest(connection, {KEY}).get(KEY)
        known = incidents.contents_of(connection, [latest.id]) if latest is not None and latest.open else {}
        history = NOTHING if latest is None else History(latest, known.get(latest.id))
        since = status.refused_at or now
        found = InvalidRuleFiles(since=since, problem=status.problem, note=status.note, kept=status.kept)
        effects = effects_of(found, history, self.context(), now)
        if effects is None or effects.incident is None:
            return IncidentChanges(effects=[], added=[], changed=[])
        stored = latest is not None and latest.id == effects.incident.id
        return IncidentChanges(
            effects=[effects],
            added=[] if stored else [effects.incident],
            changed=[effects.incident] if stored else [],
        )

    def log(self, effects: Effects) -> None:
        """Log an incident that has messages."""
        if effects.incident is not None and effects.messages:
            _log.error("rules.reported", incident=effects.incident.id, reason=effects.outcome)
