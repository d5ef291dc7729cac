"""Stored incident: its decision compared with that of the current rules."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from responder import bootstrap
from responder.cli.errors import FatalError
from responder.cli.samples import Sample
from responder.model.delivery import Notification
from responder.model.incident import Decision, Incident
from responder.receive.alertmanager import InvalidPayload, parse
from responder.settings import Settings
from responder.store.inbox import history
from responder.store.incidents import incidents


@dataclass(frozen=True, slots=True)
class StoredIncident:
    """Incident, and its last notification with a firing alert, which determines severity and rule."""

    incident: Incident
    sample: Sample
    received_at: datetime


def find(name: str, settings: Settings) -> StoredIncident:
    """Load an incident by id. Raises FatalError if it does not exist or its notifications have been pruned."""
    with bootstrap.database(settings) as database, database.read() as connection:
        incident = incidents.find(connection, name.strip().upper())
        if incident is None:
            raise FatalError(f"no incident {name} in the database")
        notifications = history.of_incident(connection, incident.id)
        newest = next((each for each in notifications if _fires(each)), None)
    if newest is None:
        raise FatalError(f"all notifications of {incident.id} with a firing alert have been pruned")
    source = f"{incident.id}, notification {newest.id} of {newest.received_at:%Y-%m-%d %H:%M:%S UTC}"
    return StoredIncident(incident, Sample(source, newest.body, cluster=newest.cluster), newest.received_at)


def _fires(notification: Notification) -> bool:
    try:
        return bool(parse(notification.body).firing)
    except InvalidPayload:
        return False


@dataclass(frozen=True, slots=True)
class StoredComparison:
    """Stored and current decision: (rule, severity) and the revision of the rules."""

    incident: str
    then: tuple[str, str]
    now: tuple[str, str]
    revisions: tuple[str, str]

    @property
    def changed(self) -> bool:
        """True if rule or severity differ."""
        return self.then != self.now


def compare(incident: Incident, decision: Decision, revision: str) -> StoredComparison:
    """Compare rule and severity with those of the rules of ``revision``."""
    return StoredComparison(
        incident.id,
        (incident.rule, incident.severity),
        (decision.rule.id, decision.severity.name),
        (incident.revision, revision),
    )


def lines(found: StoredComparison) -> tuple[tuple[str, str], ...]:
    """Return heading and text of each output line."""
    (then_rule, then_severity), (now_rule, now_severity) = found.then, found.now
    then_revision, now_revision = (each[:12] for each in found.revisions)
    rules = "same rules" if then_revision == now_revision else f"rules {now_revision}"
    verdict = "changed" if found.changed else "unchanged"
    return (
        ("THEN", f"{then_severity} from rule {then_rule}, rules {then_revision}"),
        ("NOW", f"{now_severity} from rule {now_rule}, {rules}: {verdict}"),
    )


def as_json(found: StoredComparison) -> dict[str, Any]:
    """Return the JSON output. Scripts rely on its keys: add, never rename."""
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
