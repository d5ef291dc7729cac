"""The messages about a flood, and the pages of incidents that only its digest mentioned. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from responder.engine.effects.context import DecisionContext
from responder.engine.effects.page import messages_for, page_after
from responder.engine.effects.without_notification import paged
from responder.model.delivery import Effects, IncidentChanges, Notification
from responder.model.flood import FloodCounter
from responder.model.incident import Incident
from responder.model.message import OutboxMessage
from responder.model.report import IncidentContent, MessageKind
from responder.notify.report.flood_digest import dedup_key, digest, end_facts, opening_facts, update_facts
from responder.receive.alertmanager import read
from responder.triage.decide import decide
from responder.triage.flood import due, ended, rate

_log = structlog.get_logger()

#: How long the page of a digest waits for more incidents of its flood before it is sent.
GATHER = timedelta(seconds=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class FloodUpdate:
    """A flood after its messages: its counters, its new content, and the messages to write."""

    flood: FloodCounter
    content: IncidentContent | None = None
    messages: tuple[OutboxMessage, ...] = ()


def flood_messages(flood: FloodCounter, context: DecisionContext, now: datetime) -> FloodUpdate:
    """Return the messages of an active flood. Pure.

    Each channel gets one page, which waits for GATHER to collect more of the flood, and then updates at growing
    intervals. Channels that page get no updates: a trigger on an open incident does not page.
    """
    if not flood.in_digest:
        return FloodUpdate(flood=flood)
    severity = context.severity(flood.severity)
    seconds = now.timestamp()
    after = replace(flood, notified=flood.channels, notified_in_digest=flood.in_digest)
    content = digest(flood, severity, context.book, now)
    own, priority = (flood.digest, dedup_key(flood.digest)), severity.priority
    if added := [name for name in flood.channels if name not in flood.notified]:
        to, due_at = context.configured(added), now + GATHER
        messages = messages_for(
            own, MessageKind.START, opening_facts(flood), to, priority=priority, due_at=due_at, enrich=True
        )
        return FloodUpdate(flood=replace(after, notified_at=seconds), content=content, messages=messages)
    if flood.in_digest > flood.notified_in_digest and seconds - flood.notified_at < GATHER.total_seconds():
        return FloodUpdate(flood=after, content=content)
    if not due(flood, now):
        return FloodUpdate(flood=flood)
    to = context.configured(name for name in flood.notified if name not in context.pagers)
    messages = messages_for(
        own, MessageKind.UPDATE, update_facts(flood, severity, now), to, priority=priority, due_at=now
    )
    return FloodUpdate(
        flood=replace(after, notified_at=seconds, updates=flood.updates + 1), content=content, messages=messages
    )


def flood_changes(changed: Iterable[FloodCounter], context: DecisionContext, now: datetime) -> IncidentChanges:
    """Return the floods to save, and the messages about them."""
    every = [flood_messages(flood, context, now) for flood in changed]
    return IncidentChanges(
        effects=[Effects(content=each.content, messages=each.messages) for each in every if each.content],
        floods=[each.flood for each in every],
    )


def end(flood: FloodCounter, open_now: int, context: DecisionContext, now: datetime) -> tuple[FloodCounter, Effects]:
    """Return the counters to keep after a flood, and the messages about its end. Pure."""
    severity = context.severity(flood.severity)
    if not flood.notified:
        return ended(flood), Effects()
    facts = end_facts(flood, severity, open_now=open_now, rate=rate(flood, now), now=now)
    own, to = (flood.digest, dedup_key(flood.digest)), context.configured(flood.notified)
    messages = messages_for(own, MessageKind.RESOLUTION, facts, to, priority=severity.priority, due_at=now)
    return ended(flood), Effects(content=digest(flood, severity, context.book, now), messages=messages)


def page_now(incident: Incident, notification: Notification | None, context: DecisionContext, now: datetime) -> Effects:
    """Return the page of an incident that only a digest mentioned, made from its last notification.

    If that is no longer stored, or triage fails on it, the page says so and goes to every channel.
    """
    if notification is None:
        return _page_without(incident, "its last notification is no longer stored", context, now)
    try:
        group = read(notification)
        decision = decide(group, context.book, context.matching, incident, notification.id, now, context.timing)
        return page_after(decision, group, replace(notification, received_at=now), incident, context)
    except Exception as error:  # noqa: BLE001 - any failure becomes a page and must not stop the queue
        _log.error("flood.page_failed", incident=incident.id, exc_info=error)
        return _page_without(incident, f"triage of its last notification failed with {error!r}", context, now)


def _page_without(incident: Incident, why: str, context: DecisionContext, now: datetime) -> Effects:
    why = f"{incident.id} still firing after {incident.digest}; {why}"
    return paged(incident, None, why, context.all_channels, context, now)
