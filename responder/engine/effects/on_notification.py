"""The effects of a decision: the incident's next state, the messages to write and the probes to run. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from responder.engine.effects.context import DecisionContext, History
from responder.engine.effects.page import (
    group_counts,
    hears,
    in_digest,
    incident_id,
    is_worse,
    left_open,
    messages,
    next_state,
    opened,
    paged_or_held,
    recorded,
    whom,
    why_owed,
)
from responder.model.alert import AlertGroup
from responder.model.clock import LINE_LIMIT
from responder.model.content import IncidentContent, MessageFacts
from responder.model.decision import Decision
from responder.model.delivery import Effects, Notification
from responder.model.flood import FloodState
from responder.model.incident import Change, ChangeKind, Incident
from responder.model.report import MessageKind
from responder.model.rule import Action
from responder.model.text import tidy_line
from responder.notify.contract import Channel, Use
from responder.notify.report.compose import title
from responder.notify.report.content import content_of, ended, joined
from responder.notify.report.content import history as past
from responder.triage.decide import beats


def follow(
    decision: Decision,
    group: AlertGroup,
    delivery: Notification,
    history: History,
    desk: DecisionContext,
    tide: FloodState | None = None,
) -> Effects:
    """Return the effects of a decision, to be committed in one transaction; without ``tide`` there are no floods."""
    effects = _effects(decision, group, delivery, history, desk, tide)
    seen = tuple(beats(decision, group, desk.book, delivery.received_at))
    return replace(effects, beats=seen) if seen else effects


def _effects(
    decision: Decision,
    group: AlertGroup,
    delivery: Notification,
    history: History,
    desk: DecisionContext,
    tide: FloodState | None,
) -> Effects:
    incident = history.incident
    kind = decision.change.kind
    if decision.rule.action is Action.HEARTBEAT:
        return recorded(decision, delivery, None, f"heartbeat: {decision.reason}")
    if kind is ChangeKind.NEW:
        return _begun(decision, group, delivery, history, desk, tide)
    if incident is None or kind is ChangeKind.STALE:
        return recorded(decision, delivery, None, decision.reason)
    urgent = is_worse(decision, incident, desk) or bool(why_owed(decision, incident, desk))
    if kind is ChangeKind.DOUBTED or (kind is ChangeKind.REPEATED and not urgent):
        return recorded(decision, delivery, next_state(incident, decision, delivery, desk), decision.reason)
    if kind is ChangeKind.RESOLVED:
        return _ended(decision, group, delivery, incident, history.content, desk)
    if kind is ChangeKind.AGAIN and not incident.open:
        return _returned(decision, group, delivery, incident, desk, tide)
    return _told(decision, group, delivery, incident, history.content, desk, tide)


def _begun(
    decision: Decision,
    group: AlertGroup,
    delivery: Notification,
    history: History,
    desk: DecisionContext,
    tide: FloodState | None,
) -> Effects:
    channels = whom(decision, desk)
    blank = Incident(
        id=incident_id(decision.key or group.dedup_key, delivery.id),
        dedup_key=decision.key or group.dedup_key,
        group_key=group.group_key,
        cluster=group.cluster,
        open=True,
        severity=decision.severity.name,
        rule=decision.rule.id,
        service=decision.subject.name,
        title="",
        runbook=str(decision.rule.runbook or ""),
        reason=decision.reason,
        channels=channels,
        opened_at=delivery.received_at,
        changed_at=delivery.received_at,
        resolved_at=None,
        delivery=delivery.id,
        revision=desk.book.revision,
        alerts=decision.change.alerts,
        gathered=decision.gathered,
    )
    before = past(history.incident, history.times, delivery.received_at)
    return paged_or_held(decision, group, delivery, blank, desk, tide, before)


def _returned(
    decision: Decision,
    group: AlertGroup,
    delivery: Notification,
    incident: Incident,
    desk: DecisionContext,
    tide: FloodState | None,
) -> Effects:
    """Page anew for a resolved incident that re-fires, and notify the channels that were notified before.

    Fallback channels are excluded: the new page takes the usual channels first.
    """
    wanted = whom(decision, desk)
    others = (channel.name for channel in desk.configured(incident.channels) if _again(channel, wanted))
    moved = replace(
        next_state(incident, decision, delivery, desk), open=True, resolved_at=None, channels=(*wanted, *others)
    )
    return paged_or_held(decision, group, delivery, moved, desk, tide)


def _again(channel: Channel, wanted: tuple[str, ...]) -> bool:
    """Return True if a channel that was notified before is notified of the re-fire without being routed to."""
    return channel.name not in wanted and channel.use is not Use.FALLBACK and not channel.pages


def _told(
    decision: Decision,
    group: AlertGroup,
    delivery: Notification,
    incident: Incident,
    before: IncidentContent | None,
    desk: DecisionContext,
    tide: FloodState | None,
) -> Effects:
    """Return an update for channels that know the incident, and a page for those that its new severity adds."""
    now = delivery.received_at
    worse = is_worse(decision, incident, desk)
    fires = decision.ruling.alert.firing
    unheard = not incident.channels and not in_digest(incident, tide)
    owed = why_owed(decision, incident, desk) if fires else ""
    concerns = fires and (worse or unheard or owed)
    wanted = whom(decision, desk) if concerns else ()
    added = tuple(name for name in wanted if name not in incident.channels)
    moved = replace(next_state(incident, decision, delivery, desk), channels=incident.channels + added)
    content = _content(decision, group, moved, before, desk, now)
    moved = replace(moved, title=title(content.decision, content.findings))
    informed = desk.configured(incident.channels)
    heard = (channel for channel in informed if worse or hears(channel, decision.change))
    # Their first page may still wait for its diagnosis, within the budget of the milder severity.
    within = now + timedelta(seconds=decision.severity.page_budget) if worse else None
    own, facts, rank = (moved.id, moved.dedup_key), _facts(decision, group), decision.severity.rank
    update = messages(*own, MessageKind.UPDATE, facts, heard, rank=rank, due_at=now, within=within)
    if not added:
        return replace(recorded(decision, delivery, moved, decision.reason), content=content, drafts=update)
    page = opened(decision, group, delivery, moved, added, desk, owed, before=content)
    return replace(page, drafts=update + page.drafts)


def _ended(
    decision: Decision,
    group: AlertGroup,
    delivery: Notification,
    incident: Incident,
    before: IncidentContent | None,
    desk: DecisionContext,
) -> Effects:
    now = delivery.received_at
    over = replace(
        next_state(incident, decision, delivery, desk), open=False, resolved_at=now, silenced="", gone_since=None
    )
    content = _content(decision, group, over, before, desk, now)
    facts = _facts(decision, group)
    fixed = f"{facts.update}; the fix is not recorded yet{left_open(over.channels, desk.channels)}"
    facts = replace(facts, resolution=fixed, ended_at=ended(decision, group, content.alerts.started_at, now))
    told, rank = desk.configured(incident.channels), decision.severity.rank
    drafts = messages(over.id, over.dedup_key, MessageKind.RESOLUTION, facts, told, rank=rank, due_at=now)
    return replace(recorded(decision, delivery, over, decision.reason), content=content, drafts=drafts)


def _content(
    decision: Decision,
    group: AlertGroup,
    incident: Incident,
    before: IncidentContent | None,
    desk: DecisionContext,
    now: datetime,
) -> IncidentContent:
    """Return the content after a notification; of another group of the incident only the severity is taken."""
    if decision.joins and before is not None:
        return joined(before, decision)
    return content_of(decision, group, incident, desk.book, desk.links, now=now, before=before)


def _facts(decision: Decision, group: AlertGroup) -> MessageFacts:
    """Return the facts of an update about the notification that led to it."""
    easing = decision.change.kind in {ChangeKind.PARTLY_RESOLVED, ChangeKind.HELD}
    if not decision.joins:
        update = tidy_line(decision.change.reason, LINE_LIMIT)
        return replace(group_counts(group), update=update, easing=easing)
    name = tidy_line(decision.ruling.alert.name, 100) or "an alert without a name"
    return MessageFacts(
        update=tidy_line(f"{name}: {decision.change.reason}", LINE_LIMIT),
        firing=decision.change.firing,
        resolved=len(decision.change.alerts) - decision.change.firing,
    )


def page_late(
    decision: Decision, group: AlertGroup, delivery: Notification, history: History, why: str, desk: DecisionContext
) -> Effects | None:
    """Return the page of an open incident that is owed one, and an update for the other channels.

    ``why`` is the reason for paging now. If the current rules owe no page, only their decision is saved; None without
    an incident.
    """
    incident = history.incident
    if incident is None:
        return None
    still = Change(
        kind=ChangeKind.REPEATED,
        reason=why,
        added=(),
        resolved=(),
        alerts=incident.alerts,
        hold=incident.hold,
        held_until=incident.held_until,
        review_at=incident.review_at,
        flaps=incident.flaps,
    )
    decision = replace(decision, change=still)
    if why_owed(decision, incident, desk):
        told = _told(decision, group, delivery, incident, history.content, desk, None)
        return replace(told, delivery=None, outcome=why)
    moved = next_state(incident, decision, delivery, desk)
    return replace(recorded(decision, delivery, moved, "re-evaluated with the current rules"), delivery=None)
