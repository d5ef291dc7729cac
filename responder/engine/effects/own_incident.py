"""Incidents about responder itself, which no notification opened. Pure."""

from collections.abc import Iterable
from datetime import datetime

from responder.engine.effects.context import DecisionContext
from responder.engine.effects.page import incident_id, messages_for
from responder.model.delivery import Effects
from responder.model.incident import Incident
from responder.model.report import NO_FACTS, MessageKind
from responder.model.rule import Severity
from responder.notify.contract import Channel
from responder.notify.delivery.route import last_resort, readable
from responder.notify.report.content import bare


def mildest(context: DecisionContext) -> Severity:
    """Return the mildest severity, for incidents that do not page."""
    return max(context.book.severities.values(), key=lambda severity: severity.priority)


def one_reader(context: DecisionContext) -> tuple[Channel, ...]:
    """The first channel that is read and does not page."""
    read = context.configured(readable(context.channels)[:1]) or context.configured(last_resort(context.channels))
    return tuple(read)


def opened(
    key: str,
    rule: str,
    what: str,
    reason: str,
    hold: str,
    until: datetime,
    severity: Severity,
    to: Iterable[Channel],
    context: DecisionContext,
    now: datetime,
) -> Effects:
    """Return an incident titled ``responder WHAT`` and its message on each channel.

    The recheck job resolves it at ``until``; ``resolve_reason`` says why.
    """
    notified = tuple(to)
    incident = Incident(
        id=incident_id(key, int(now.timestamp())),
        dedup_key=key,
        group_key="",
        cluster="",
        open=True,
        severity=severity.name,
        rule=rule,
        service="",
        title=f"[{severity.name}] responder {what}",
        runbook="",
        reason=reason,
        channels=tuple(channel.name for channel in notified),
        opened_at=now,
        changed_at=now,
        resolved_at=None,
        notification=0,
        revision=context.book.revision,
        alerts={},
        resolve_reason=hold,
        resolve_at=until,
        review_at=until,
    )
    messages = messages_for(
        (incident.id, key), MessageKind.START, NO_FACTS, notified, priority=severity.priority, due_at=now
    )
    return Effects(outcome=reason, incident=incident, content=bare(incident, context.book), messages=messages)
