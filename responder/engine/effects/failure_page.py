"""What can be said and done where triage breaks: the plain report, whom it concerns, and the least that can follow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from responder.engine.effects.context import Desk
from responder.engine.effects.incident_state import incident_id
from responder.engine.effects.messages import group_counts, messages
from responder.model.alert import AlertGroup
from responder.model.content import NO_FACTS, AlertExtract, DecisionRecord, IncidentContent
from responder.model.delivery import Delivery, Effects
from responder.model.finding import Conclusion
from responder.model.incident import UNJUDGED, Incident
from responder.model.message import Draft
from responder.model.report import Moment
from responder.model.rule import Severity
from responder.model.text import tidy_line
from responder.notify.contract import Channel, Use
from responder.notify.report import facts


def bare(delivery: Delivery, group: AlertGroup | None, error: Exception, desk: Desk) -> Effects:
    """The least that can follow from a delivery on which ``error`` stopped triage: every channel is paged.

    It is the worst severity, and no incident: for where that could not be written either.
    """
    content = failure(delivery, group, error, desk)
    drafts = pages(content.incident, key_of(delivery, group), group, everybody(desk), desk, delivery.received_at)
    return replace(failed(delivery, None, content.decision.severity_reason, drafts), content=content)


def pages(
    incident: str,
    key: str,
    group: AlertGroup | None,
    to: Iterable[Channel],
    desk: Desk,
    now: datetime,
) -> tuple[Draft, ...]:
    """The pages that say that triage failed."""
    counts = group_counts(group) if group else NO_FACTS
    return messages(incident, key, Moment.START, counts, to, rank=worst(desk).rank, due_at=now)


def key_of(delivery: Delivery, group: AlertGroup | None) -> str:
    """The dedup key of the group, or of the delivery where no group can be read."""
    return group.dedup_key if group else f"responder-delivery-{delivery.id}"


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


def failure(delivery: Delivery, group: AlertGroup | None, error: Exception, desk: Desk) -> IncidentContent:
    """The content that says what is known: what fires, that triage failed with ``error``, and where to look."""
    severity, now = worst(desk), delivery.received_at
    names = sorted({alert.name for alert in group.firing}) if group else []
    what = tidy_line(", ".join(names) or "an unreadable notification", 200)
    record = DecisionRecord(
        title=f"[{severity.name}] responder could not triage {what}",
        severity=severity.name,
        severity_reason=f"triage stopped with {type(error).__name__}; how bad it really is, nobody has judged",
        pagerduty_severity=severity.pagerduty,
        pages=True,
        service=tidy_line(group.common_labels.get("service", ""), 60) if group else "unknown",
        environment=desk.book.environment,
        namespace=desk.book.namespace,
        alertname=what,
        impact="unknown: read the alert in Alertmanager",
        first_step="Look the alert up in Alertmanager, then report the error in responder's log to its owners.",
        respond_from=now,
        next_update=30 * 60.0,
        rule=UNJUDGED,
        made_by=f"responder, delivery {delivery.id}",
    )
    alerts = AlertExtract(
        summary=f"Delivery {delivery.id} was kept but could not be triaged. It reports: {what}",
        counted=False,
        truncated=group.truncated if group else 0,
        started_at=now,
        labels=facts.labels(group.common_labels) if group else {},
    )
    conclusion = Conclusion(unknown="everything: no probe was run")
    return IncidentContent(
        incident=incident_id(key_of(delivery, group), delivery.id),
        decision=record,
        alerts=alerts,
        conclusion=conclusion,
    )
