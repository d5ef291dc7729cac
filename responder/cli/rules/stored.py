"""A stored incident, explained with the rules of today beside what was decided then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from responder import bootstrap
from responder.cli.errors import FatalError
from responder.cli.samples import Sample
from responder.model.decision import Decision
from responder.model.delivery import Notification
from responder.model.incident import Incident
from responder.receive.alertmanager import InvalidPayload, parse
from responder.settings import Settings
from responder.store.inbox import history
from responder.store.incidents import incidents


@dataclass(frozen=True, slots=True)
class StoredIncident:
    """An incident, and the last of its webhooks in which something fired: what its severity and rule come from."""

    incident: Incident
    sample: Sample
    received_at: datetime


def find(name: str, settings: Settings) -> StoredIncident:
    """The stored incident of that id. Raises Fatal where there is none, or its webhooks are not kept any more."""
    with bootstrap.database(settings) as database, database.read() as connection:
        incident = incidents.find(connection, name.strip().upper())
        if incident is None:
            raise FatalError(f"the store knows no incident {name}")
        deliveries = history.of_incident(connection, incident.id)
        told = next((each for each in deliveries if _fires(each)), None)
    if told is None:
        raise FatalError(f"no webhook of {incident.id} in which an alert fires is kept any more")
    source = f"{incident.id}, delivery {told.id} of {told.received_at:%Y-%m-%d %H:%M:%SZ}"
    return StoredIncident(incident, Sample(source, told.body, cluster=told.cluster), told.received_at)


def _fires(delivery: Notification) -> bool:
    try:
        return bool(parse(delivery.body).firing)
    except InvalidPayload:
        return False


@dataclass(frozen=True, slots=True)
class StoredComparison:
    """What was decided then, and what would be now. ``changed`` says whether people would notice."""

    incident: str
    then: tuple[str, str]
    now: tuple[str, str]
    revisions: tuple[str, str]

    @property
    def changed(self) -> bool:
        """Whether another rule decides, or another severity comes of it."""
        return self.then != self.now


def compare(incident: Incident, decision: Decision, revision: str) -> StoredComparison:
    """Rule and severity, then and with the rules of ``revision``."""
    return StoredComparison(
        incident.id,
        (incident.rule, incident.severity),
        (decision.rule.id, decision.severity.name),
        (incident.revision, revision),
    )


def lines(found: StoredComparison) -> tuple[tuple[str, str], ...]:
    """The heading and the text of each line about it."""
    (then_rule, then_severity), (now_rule, now_severity) = found.then, found.now
    then_revision, now_revision = (each[:12] for each in found.revisions)
    rules = "the same rule files" if then_revision == now_revision else f"rules {now_revision}"
    verdict = "another answer" if found.changed else "the same answer"
    return (
        ("THEN", f"{then_severity} from rule {then_rule}, rules {then_revision}"),
        ("NOW", f"{now_severity} from rule {now_rule}, {rules}: {verdict}"),
    )


def as_json(found: StoredComparison) -> dict[str, Any]:
    """For scripts. Its keys are relied upon: add, never rename."""
    return {
        "id": found.incident,
        "changed": found.changed,
        **{
            name: {"rule": rule, "severity": severity, "revision": revision}
            for name, (rule, severity), revision in zip(
                ("then", "now"), (found.then, found.now), found.revisions, strict=True
            )
        },
    }
