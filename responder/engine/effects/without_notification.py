"""The effects of changes of an incident without a notification. Pure: the incident writer commits them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from responder.engine.effects.context import DecisionContext
from responder.engine.effects.page import counts, left_open, messages
from responder.model.clock import LINE_LIMIT, moment
from responder.model.content import IncidentContent, MessageFacts
from responder.model.delivery import Effects
from responder.model.incident import Change, ChangeKind, Incident
from responder.model.report import MessageKind
from responder.model.text import tidy_line
from responder.notify.contract import Channel
from responder.notify.report.content import bare


def changed(
    incident: Incident, change: Change, before: IncidentContent | None, desk: DecisionContext, now: datetime
) -> Effects:
    """Return the effects of a change by time; ``before`` is the content of the incident."""
    moved = replace(
        incident,
        alerts=change.alerts,
        flaps=change.flaps,
        hold=change.hold,
        held_until=change.held_until,
        review_at=change.review_at,
    )
    if change.kind is ChangeKind.RESOLVED:
        return resolved(moved, before, change.reason, desk, now)
    if change.kind not in {ChangeKind.AGAIN, ChangeKind.GROWN}:
        return Effects(outcome=change.reason, incident=moved)
    again = change.kind is ChangeKind.AGAIN
    moved = replace(moved, open=True, resolved_at=None, changed_at=now, reopened_at=now if again else moved.reopened_at)
    reopened = not incident.open
    facts = replace(counts(moved), update=tidy_line(change.reason, LINE_LIMIT))
    return _effects(
        moved, before, change.reason, MessageKind.AGAIN if reopened else MessageKind.UPDATE, facts, desk, now
    )


def resolved(
    incident: Incident, before: IncidentContent | None, why: str, desk: DecisionContext, now: datetime
) -> Effects:
    """Return the resolve of an incident, for all channels that were notified of it."""
    over = replace(
        incident,
        open=False,
        resolved_at=now,
        changed_at=now,
        hold="",
        held_until=None,
        silenced="",
        gone_since=None,
    )
    since = before.alerts.started_at if before else over.opened_at
    last = max((known.ends_at or known.starts_at for known in over.alerts.values()), default=now.timestamp())
    facts = replace(
        counts(over),
        firing=0,
        update=tidy_line(why, LINE_LIMIT),
        resolution=f"{why}; the fix is not recorded yet{left_open(over.channels, desk.channels)}",
        ended_at=min(now, max(since, moment(last))),
    )
    return _effects(over, before, why, MessageKind.RESOLUTION, facts, desk, now)


def paged(
    incident: Incident,
    before: IncidentContent | None,
    why: str,
    to: Iterable[Channel],
    desk: DecisionContext,
    now: datetime,
) -> Effects:
    """Return the page of an open incident made from its content, without new findings."""
    severity = desk.book.severities.get(incident.severity) or desk.worst
    added = [channel for channel in to if channel.name not in incident.channels]
    told = replace(incident, channels=(*incident.channels, *(channel.name for channel in added)), changed_at=now)
    content = before or bare(incident, desk.book)
    content = replace(content, decision=replace(content.decision, pages=True))
    facts = replace(counts(incident), update=tidy_line(why, LINE_LIMIT))
    drafts = messages(incident.id, incident.dedup_key, MessageKind.START, facts, added, rank=severity.rank, due_at=now)
    return Effects(outcome=why, incident=told, content=content, drafts=drafts)


def noted(
    incident: Incident, before: IncidentContent | None, update: str, desk: DecisionContext, now: datetime
) -> Effects:
    """Return an update on the channels that do not page; no message if ``update`` is empty."""
    if not update:
        return Effects(incident=incident)
    facts = replace(counts(incident), update=tidy_line(update, LINE_LIMIT), easing=True)
    effects = _effects(incident, before, update, MessageKind.UPDATE, facts, desk, now)
    return replace(effects, drafts=tuple(each for each in effects.drafts if each.channel not in desk.pagers))


def _effects(
    incident: Incident,
    before: IncidentContent | None,
    outcome: str,
    kind: MessageKind,
    facts: MessageFacts,
    desk: DecisionContext,
    now: datetime,
) -> Effects:
    severities: Mapping[str, int] = {name: severity.rank for name, severity in desk.book.severities.items()}
    told = desk.configured(incident.channels)
    rank = severities.get(incident.severity, 1)
    drafts = messages(incident.id, incident.dedup_key, kind, facts, told, rank=rank, due_at=now)
    content = None if before else bare(incident, desk.book)
    return Effects(outcome=outcome, incident=incident, content=content, drafts=drafts)
