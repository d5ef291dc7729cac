"""The messages about a flood, and the pages of incidents that only its digest mentioned. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from responder.engine.effects.context import DecisionContext
from responder.engine.effects.page import messages, page_after
from responder.engine.effects.without_notification import paged
from responder.model.content import IncidentContent
from responder.model.delivery import Effects, IncidentChanges, Notification
from responder.model.flood import FloodCounter
from responder.model.incident import Incident
from responder.model.message import OutboxMessage
from responder.model.report import MessageKind
from responder.model.rule import Severity
from responder.notify.report.flood_digest import continues, counted, dedup_key, digest, receded
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
    drafts: tuple[OutboxMessage, ...] = ()


def tell(flood: FloodCounter, desk: DecisionContext, now: datetime) -> FloodUpdate:
    """Return the messages of an active flood. Pure.

    Each channel gets one page, which waits for GATHER to collect more of the flood, and then updates at growing
    intervals. Channels that page get no updates: a trigger on an open incident does not page.
    """
    if not flood.held:
        return FloodUpdate(flood=flood)
    severity = severity_of(flood, desk)
    seconds = now.timestamp()
    heard = replace(flood, told=flood.channels, told_held=flood.held)
    content = digest(flood, severity, desk.book, now)
    own, rank = (flood.digest, dedup_key(flood.digest)), severity.rank
    if added := [name for name in flood.channels if name not in flood.told]:
        to, due_at = desk.configured(added), now + GATHER
        drafts = messages(*own, MessageKind.START, counted(flood), to, rank=rank, due_at=due_at, enrich=True)
        return FloodUpdate(flood=replace(heard, told_at=seconds), content=content, drafts=drafts)
    if flood.held > flood.told_held and seconds - flood.told_at < GATHER.total_seconds():
        return FloodUpdate(flood=heard, content=content)
    if not due(flood, now):
        return FloodUpdate(flood=flood)
    to = desk.configured(name for name in flood.told if name not in desk.pagers)
    drafts = messages(*own, MessageKind.UPDATE, continues(flood, severity, now), to, rank=rank, due_at=now)
    return FloodUpdate(flood=replace(heard, told_at=seconds, updates=flood.updates + 1), content=content, drafts=drafts)


def told(changed: Iterable[FloodCounter], desk: DecisionContext, now: datetime) -> IncidentChanges:
    """Return the floods to save, and the messages about them."""
    every = [tell(flood, desk, now) for flood in changed]
    return IncidentChanges(
        effects=[Effects(content=each.content, drafts=each.drafts) for each in every if each.content],
        floods=[each.flood for each in every],
    )


def end(flood: FloodCounter, open_now: int, desk: DecisionContext, now: datetime) -> tuple[FloodCounter, Effects]:
    """Return the counters to keep after a flood, and the messages about its end. Pure."""
    severity = severity_of(flood, desk)
    if not flood.told:
        return ended(flood), Effects()
    facts = receded(flood, severity, open_now=open_now, rate=rate(flood, now), now=now)
    own, to = (flood.digest, dedup_key(flood.digest)), desk.configured(flood.told)
    drafts = messages(*own, MessageKind.RESOLUTION, facts, to, rank=severity.rank, due_at=now)
    return ended(flood), Effects(content=digest(flood, severity, desk.book, now), drafts=drafts)


def page_now(incident: Incident, delivery: Notification | None, desk: DecisionContext, now: datetime) -> Effects:
    """Return the page of an incident that only a digest mentioned, made from its last notification.

    If that is no longer stored, or triage fails on it, the page says so and goes to every channel.
    """
    if delivery is None:
        return _page_without(incident, "its last notification is no longer stored", desk, now)
    try:
        group = read(delivery)
        decision = decide(group, desk.book, desk.matching, incident, delivery.id, now, desk.patience)
        return page_after(decision, group, replace(delivery, received_at=now), incident, desk)
    except Exception as error:  # noqa: BLE001 - any failure becomes a page and must not stop the queue
        _log.error("flood.cannot_page", incident=incident.id, exc_info=error)
        return _page_without(incident, f"triage of its last notification failed with {error!r}", desk, now)


def _page_without(incident: Incident, why: str, desk: DecisionContext, now: datetime) -> Effects:
    why = f"{incident.id} still firing after {incident.digest}; {why}"
    return paged(incident, None, why, desk.everybody, desk, now)


def severity_of(flood: FloodCounter, desk: DecisionContext) -> Severity:
    """Return the severity of a flood, or the worst if changed rules no longer define it."""
    return desk.book.severities.get(flood.severity) or desk.worst
