"""The messages about a flood, and the pages of incidents that only its digest mentioned. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from responder.engine.effects.context import Desk
from responder.engine.effects.decided import Decided
from responder.engine.effects.failure_page import bare, worst
from responder.engine.effects.messages import messages
from responder.engine.effects.page import page_after
from responder.engine.effects.without_notification import resolved
from responder.model.delivery import Delivery, Effects
from responder.model.flood import Flood
from responder.model.incident import UNJUDGED, Incident
from responder.model.message import Draft
from responder.model.report import Moment, Report
from responder.model.rule import Action, Severity
from responder.model.text import tidy_line
from responder.notify.report.flood_digest import digest, receded
from responder.receive.alertmanager import read
from responder.triage.decide import decide
from responder.triage.flood import due, ended, rate

_log = structlog.get_logger()

#: How long the page of a digest waits for more incidents of its flood before it is sent.
GATHER = timedelta(seconds=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A flood after people were told of it: the messages to write, and a better report for those that wait already."""

    flood: Flood
    drafts: tuple[Draft, ...] = ()
    better: Report | None = None


def tell(flood: Flood, desk: Desk, now: datetime) -> Told:
    """What people hear of a flood that is on. Pure.

    Each channel it concerns has one page, which waits a moment for more of the flood, and then updates, fewer and
    fewer. The pager gets none of those: a trigger on an open incident wakes nobody.
    """
    severity = severity_of(flood, desk)
    if not flood.held:
        return Told(flood=flood)
    seconds = now.timestamp()
    heard = replace(flood, told=flood.channels, told_held=flood.held)
    if added := [name for name in flood.channels if name not in flood.told]:
        page = digest(flood, severity, desk.book, Moment.START, now=now)
        to = desk.configured(added)
        drafts = messages(page, to, rank=severity.rank, due_at=now + GATHER, enrich=True)
        return Told(flood=replace(heard, told_at=seconds), drafts=drafts)
    if flood.held > flood.told_held and seconds - flood.told_at < GATHER.total_seconds():
        return Told(flood=heard, better=digest(flood, severity, desk.book, Moment.START, now=now))
    if not due(flood, now):
        return Told(flood=flood)
    update = digest(flood, severity, desk.book, Moment.UPDATE, now=now)
    to = desk.configured(name for name in flood.told if name not in desk.pagers)
    drafts = messages(update, to, rank=severity.rank, due_at=now)
    return Told(flood=replace(heard, told_at=seconds, updates=flood.updates + 1), drafts=drafts)


def told(changed: Iterable[Flood], desk: Desk, now: datetime) -> Decided:
    """The floods to remember, and the messages about them."""
    every = [tell(flood, desk, now) for flood in changed]
    return Decided(
        effects=[without_delivery(each.drafts, now) for each in every if each.drafts],
        floods=[each.flood for each in every],
        better=[each.better for each in every if each.better],
    )


def end(flood: Flood, open_now: int, desk: Desk, now: datetime) -> tuple[Flood, tuple[Draft, ...]]:
    """What is remembered of a flood that is over, and how people hear of its end. Pure."""
    severity = severity_of(flood, desk)
    if not flood.told:
        return ended(flood), ()
    report = receded(flood, severity, desk.book, open_now=open_now, rate=rate(flood, now), now=now)
    to = desk.configured(flood.told)
    return ended(flood), messages(report, to, rank=severity.rank, due_at=now)


def page_now(incident: Incident, delivery: Delivery | None, desk: Desk, now: datetime) -> Effects:
    """The page of an incident that only a digest has told of, made of the last notification that was heard of it."""
    if delivery is None:
        return _page_plainly(incident, LookupError("its last notification is not kept any more"), desk, now)
    try:
        group = read(delivery)
        decision = decide(group, desk.book, desk.matching, incident, delivery.id, now, desk.patience)
        if incident.rule == UNJUDGED and decision.rule.action is Action.HEARTBEAT:
            return resolved(incident, None, "triage has judged it now: it is a heartbeat, and no alert", desk, now)
        return page_after(decision, group, replace(delivery, received_at=now), incident, desk)
    except Exception as error:  # noqa: BLE001 - as in triage: whatever it is, it becomes a page and not a stopped queue
        _log.error("flood.cannot_page", incident=incident.id, exc_info=error)
        return _page_plainly(incident, error, desk, now)


def _page_plainly(incident: Incident, error: Exception, desk: Desk, now: datetime) -> Effects:
    """The least that wakes people, under the incident's own name, so that its resolution finds it."""
    lost = Delivery(id=incident.delivery, received_at=now, cluster=incident.cluster, body=b"")
    plain = bare(lost, None, error, desk)
    drafts = tuple(
        replace(
            draft,
            incident=incident.id,
            stream=incident.dedup_key,
            report=replace(
                draft.report,
                incident=incident.id,
                dedup_key=incident.dedup_key,
                title=incident.title,
                what=tidy_line(str(error), 200),
            ),
        )
        for draft in plain.drafts
        if draft.channel not in incident.channels
    )
    channels = tuple(dict.fromkeys((*incident.channels, *(draft.channel for draft in drafts))))
    return replace(plain, delivery=None, drafts=drafts, incident=replace(incident, channels=channels, digest=""))


def severity_of(flood: Flood, desk: Desk) -> Severity:
    """That of a flood; the worst where rules that were changed meanwhile know it no more: people wait for its end."""
    return desk.book.severities.get(flood.severity) or worst(desk)


def without_delivery(drafts: tuple[Draft, ...], now: datetime) -> Effects:
    """Messages that follow from no delivery."""
    return Effects(
        drafts=drafts,
        due_at=now,
    )
