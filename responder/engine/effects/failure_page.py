"""What can be said and done where triage breaks: the plain report, whom it concerns, and the least that can follow."""

from __future__ import annotations

from datetime import timedelta

from responder.engine.effects.context import Desk
from responder.engine.effects.incident_state import incident_id
from responder.engine.effects.messages import messages
from responder.model.alert import AlertGroup
from responder.model.delivery import Delivery, Effects
from responder.model.finding import Conclusion
from responder.model.incident import UNJUDGED, Incident
from responder.model.message import Draft
from responder.model.report import Moment, Report, Status
from responder.model.rule import Severity
from responder.model.text import tidy_line
from responder.notify.contract import Channel, Use
from responder.notify.report import facts


def bare(delivery: Delivery, group: AlertGroup | None, error: Exception, desk: Desk) -> Effects:
    """The least that can follow from a delivery on which ``error`` stopped triage: every channel is paged.

    It is the worst severity, and no incident: for where that could not be written either.
    """
    report = report_of(delivery, group, error, desk)
    drafts = messages(report, everybody(desk), rank=worst(desk).rank, due_at=delivery.received_at)
    return failed(delivery, None, report.severity_reason, drafts)


def worst(desk: Desk) -> Severity:
    """What counts as the severity of whatever nobody has judged."""
    return min(desk.book.severities.values(), key=lambda severity: severity.rank)


def everybody(desk: Desk) -> list[Channel]:
    """Return every channel that rules may name; the others are used later, where one of these fails."""
    every = list(desk.channels.values())
    return [channel for channel in every if channel.use is Use.RULES] or every


def failed(delivery: Delivery, incident: Incident | None, outcome: str, drafts: tuple[Draft, ...] = ()) -> Effects:
    """The effects of a delivery on which triage broke."""
    return Effects(
        delivery=delivery.id,
        state="failed",
        outcome=outcome,
        incident=incident,
        drafts=drafts,
        due_at=delivery.received_at,
    )


def report_of(delivery: Delivery, group: AlertGroup | None, error: Exception, desk: Desk) -> Report:
    """The page that says what is known: what fires, that triage broke on it with ``error``, and where to look."""
    severity = worst(desk)
    names = sorted({alert.name for alert in group.firing}) if group else []
    what = tidy_line(", ".join(names) or "an unreadable notification", 200)
    key = group.dedup_key if group else f"responder-delivery-{delivery.id}"
    return Report(
        moment=Moment.START,
        status=Status.INVESTIGATING,
        incident=incident_id(key, delivery.id),
        dedup_key=key,
        title=f"[{severity.name}] responder could not triage {what}",
        severity=severity.name,
        severity_reason=f"triage stopped with {type(error).__name__}; how bad it really is, nobody has judged",
        pagerduty_severity=severity.pagerduty,
        pages=True,
        service=tidy_line(group.common_labels.get("service", ""), 60) if group else "unknown",
        environment=desk.book.environment,
        namespace=desk.book.namespace,
        alertname=what,
        what=f"Delivery {delivery.id} was kept but could not be triaged. It reports: {what}",
        impact="unknown: read the alert in Alertmanager",
        conclusion=Conclusion(unknown="everything: no probe was run"),
        first_step="Look the alert up in Alertmanager, then report the error in responder's log to its owners.",
        firing=len(group.firing) if group else 0,
        resolved=len(group.alerts) - len(group.firing) if group else 0,
        truncated=group.truncated if group else 0,
        labels=facts.labels(group.common_labels) if group else {},
        rule=UNJUDGED,
        made_by=f"responder, delivery {delivery.id}",
        started_at=delivery.received_at,
        written_at=delivery.received_at,
        next_update=delivery.received_at + timedelta(minutes=30),
    )
