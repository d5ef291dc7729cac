"""The effects of changes of an incident without a notification. Pure: the incident writer commits them."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from responder.engine.effects.context import DecisionContext
from responder.engine.effects.page import counts, left_open, marked_as_paged, messages_for
from responder.model.clock import LINE_LIMIT, time_of_epoch
from responder.model.delivery import Effects
from responder.model.incident import Change, ChangeKind, Incident
from responder.model.report import UNHANDLED, IncidentContent, MessageFacts, MessageKind
from responder.model.text import sanitize_line
from responder.notify.contract import Channel
from responder.notify.report.content import bare


def changed(
    incident: Incident, change: Change, before: IncidentContent | None, context: DecisionContext, now: datetime
) -> Effects:
    """Return the effects of a change by time; ``before`` is the content of the incident."""
    moved = replace(
        incident,
        alerts=change.alerts,
        flaps=change.flaps,
        resolve_reason=change.resolve_reason,
        resolve_at=change.resolve_at,
        review_at=change.review_at,
    )
    if change.kind is ChangeKind.RESOLVED:
        return resolved(moved, before, change.reason, context, now)
    if change.kind not in {ChangeKind.AGAIN, ChangeKind.GROWN}:
        return Effects(outcome=change.reason, incident=moved)
    again = change.kind is ChangeKind.AGAIN
    moved = replace(moved, open=True, resolved_at=None, changed_at=now, reopened_at=now if again else moved.reopened_at)
    reopened = not incident.open
    facts = replace(counts(moved), update=sanitize_line(change.reason, LINE_LIMIT))
    kind = MessageKind.AGAIN if reopened else MessageKind.UPDATE
    effects = _effects(moved, before, change.reason, kind, facts, context, now)
    if reopened and before is not None and before.handling != UNHANDLED:  # that was of the page before
        return replace(effects, content=replace(before, handling=UNHANDLED))
    return effects


def resolved(
    incident: Incident, before: IncidentContent | None, why: str, context: DecisionContext, now: datetime
) -> Effects:
    """Return the resolve of an incident, for all channels that were notified of it."""
    over = replace(
        incident,
        open=False,
        resolved_at=now,
        changed_at=now,
        resolve_reason="",
        resolve_at=None,
        silenced="",
        gone_since=None,
    )
    since = before.alerts.started_at if before else over.opened_at
    last = max((known.ends_at or known.starts_at for known in over.alerts.values()), default=now.timestamp())
    facts = replace(
        counts(over),
        firing=0,
        update=sanitize_line(why, LINE_LIMIT),
        resolution=f"{why}; the fix is not recorded yet{left_open(over.channels, context.channels)}",
        ended_at=min(now, max(since, time_of_epoch(last))),
    )
    return _effects(over, before, why, MessageKind.RESOLUTION, facts, context, now)


def paged(
    incident: Incident,
    before: IncidentContent | None,
    why: str,
    to: Iterable[Channel],
    context: DecisionContext,
    now: datetime,
) -> Effects:
    """Return the page of an open incident made from its content, without new findings."""
    severity = context.severity(incident.severity)
    added = [channel for channel in to if channel.name not in incident.channels]
    after = replace(incident, channels=(*incident.channels, *(channel.name for channel in added)), changed_at=now)
    content = before or bare(incident, context.book)
    content = replace(content, decision=replace(content.decision, pages=True))
    facts = replace(counts(incident), update=sanitize_line(why, LINE_LIMIT))
    messages = messages_for(incident, MessageKind.START, facts, added, priority=severity.priority, due_at=now)
    return Effects(
        outcome=why, incident=marked_as_paged(after, after.channels, context), content=content, messages=messages
    )


def noted(
    incident: Incident, before: IncidentContent | None, update: str, context: DecisionContext, now: datetime
) -> Effects:
    """Return an update on the channels that do not page; no message if ``update`` is empty."""
    if not update:
        return Effects(incident=incident)
    facts = replace(counts(incident), update=sanitize_line(update, LINE_LIMIT), easing=True)
    effects = _effects(incident, before, update, MessageKind.UPDATE, facts, context, now)
    return replace(effects, messages=tuple(each for each in effects.messages if each.channel not in context.pagers))


def _effects(
    incident: Incident,
    before: IncidentContent | None,
    outcome: str,
    kind: MessageKind,
    facts: MessageFacts,
    context: DecisionContext,
    now: datetime,
) -> Effects:
    notified = context.configured(incident.channels)
    priority = context.severity(incident.severity).priority
    messages = messages_for(incident, kind, facts, notified, priority=priority, due_at=now)
    content = None if before else bare(incident, context.book)
    return Effects(outcome=outcome, incident=incident, content=content, messages=messages)
