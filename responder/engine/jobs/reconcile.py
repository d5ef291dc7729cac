"""The reconcile job: compares open incidents with Alertmanager's list, since some resolves are never sent."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from responder.engine.effects.context import DecisionContext
from responder.engine.effects.without_notification import noted, resolved
from responder.engine.jobs.alertmanager_client import AlertmanagerClient
from responder.engine.workers.triage import IncidentWriter
from responder.model.clock import Clock
from responder.model.delivery import Effects, IncidentChanges
from responder.model.incident import Incident
from responder.model.report import IncidentContent
from responder.store.database import Database
from responder.store.incidents import incidents
from responder.triage.lifecycle import next_review
from responder.triage.reconcile import (
    AlertmanagerUnavailable,
    AlertmanagerView,
    AlertPresence,
    ReconcileResult,
    expected_alerts,
    reconcile,
)

_log = structlog.get_logger()

#: The responses of the Alertmanagers of each cluster, by the cluster's name in the settings.
Answers = Mapping[str, Sequence[AlertmanagerView | AlertmanagerUnavailable]]


def effects_of(
    incident: Incident,
    verdict: ReconcileResult,
    before: IncidentContent | None,
    context: DecisionContext,
    now: datetime,
) -> Effects | None:
    """Return the effects of an incident's state in Alertmanager; None if nothing changes. Pure."""
    match verdict.standing:
        case AlertPresence.OVER:
            return resolved(incident, before, verdict.reason, context, now)
        case AlertPresence.GONE:
            moved, news = replace(incident, gone_since=incident.gone_since or now), ""
        case AlertPresence.SUPPRESSED:
            moved = replace(_unheld(incident, context), gone_since=None, silenced=verdict.reason)
            news = f"still firing, {verdict.reason}" if verdict.reason != incident.silenced and not verdict.own else ""
        case AlertPresence.FIRING:
            moved = replace(_unheld(incident, context), gone_since=None, silenced="")
            if before is not None and (ended := _ended_silence(incident, before, now)):
                return replace(noted(moved, before, ended, context, now), content=_unsilenced(before))
            news = "no longer suppressed; still firing" if incident.silenced else ""
        case AlertPresence.UNKNOWN:
            moved, news = replace(incident, gone_since=None), ""
    return noted(moved, before, news, context, now) if moved != incident else None


def _ended_silence(incident: Incident, before: IncidentContent, now: datetime) -> str:
    """Return the sentence about the end of a silence that responder created; empty if none has ended.

    Until all members of a cluster know a new silence, some list the alerts as firing.
    """
    silence = before.handling.silence
    if silence is None or not (incident.silenced or silence.until <= now):
        return ""
    return f"the silence by {silence.by} has ended; still firing"


def _unsilenced(content: IncidentContent) -> IncidentContent:
    return replace(content, handling=replace(content.handling, silence=None))


def _unheld(incident: Incident, context: DecisionContext) -> Incident:
    """Return the incident without its hold: alerts that Alertmanager lists are not resolved."""
    return replace(
        incident, resolve_reason="", resolve_at=None, review_at=next_review(incident.alerts, None, context.timing)
    )


@dataclass(frozen=True, slots=True)
class ReconcileJob:
    """A scheduled job. ``servers`` are the Alertmanagers by cluster; those under "" serve all other clusters."""

    database: Database
    writer: IncidentWriter
    context: Callable[[], DecisionContext]
    clock: Clock
    alertmanagers: AlertmanagerClient
    servers: Mapping[str, tuple[str, ...]]
    grace: timedelta
    _logged: dict[str, str] = field(default_factory=dict, init=False)

    def run(self) -> None:
        """Query the Alertmanagers, then decide under the triage lock. Raises StoreError."""
        with self.database.read() as connection:
            asked = self._asked(incidents.open_ones(connection))
        if not asked:
            return
        answers = {name: self._ask(name, fingerprints) for name, fingerprints in asked.items()}
        done = self.writer.record(lambda connection: self._decide(connection, answers))
        for each in done.effects:
            if each.incident is not None and each.outcome:
                _log.info("incident.reconciled", incident=each.incident.id, open=each.incident.open, why=each.outcome)

    def _decide(self, connection: Connection, answers: Answers) -> IncidentChanges:
        now, context = self.clock.now(), self.context()
        open_ones = [each for each in incidents.open_ones(connection) if expected_alerts(each)]
        known = incidents.contents_of(connection, [each.id for each in open_ones])
        count = Counter(self._name(each) for each in open_ones)
        effects = []
        for incident in open_ones:
            name = self._name(incident)
            verdict = reconcile(incident, answers.get(name, ()), now, self.grace, count[name])
            effects.append(effects_of(incident, verdict, known.get(incident.id), context, now))
        return IncidentChanges.of([each for each in effects if each is not None])

    def _asked(self, open_ones: Sequence[Incident]) -> dict[str, set[str]]:
        asked: dict[str, set[str]] = {}
        for incident in open_ones:
            if fingerprints := expected_alerts(incident):
                asked.setdefault(self._name(incident), set()).update(fingerprints)
        return {name: fingerprints for name, fingerprints in asked.items() if name in self.servers}

    def _name(self, incident: Incident) -> str:
        return incident.cluster if incident.cluster in self.servers else ""

    def _ask(self, name: str, fingerprints: set[str]) -> list[AlertmanagerView | AlertmanagerUnavailable]:
        answers = [self.alertmanagers.view(url, fingerprints) for url in self.servers[name]]
        for answer in answers:
            self._log_change(answer.server, answer.reason if isinstance(answer, AlertmanagerUnavailable) else "")
        return answers

    def _log_change(self, server: str, trouble: str) -> None:
        """Log that an Alertmanager cannot be queried, and that it can again; only on a change."""
        if trouble != self._logged.get(server, ""):
            (_log.warning if trouble else _log.info)("alertmanager.asked", server=server, trouble=trouble or "none")
            self._logged[server] = trouble
