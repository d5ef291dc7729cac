"""The effects of a decision: the incident's next state, the messages to write and the probes to run. Pure."""

from dataclasses import replace
from datetime import datetime, timedelta

from responder.engine.effects.context import DecisionContext, History
from responder.engine.effects.page import (
    channels_to_notify,
    effects_of_page,
    group_counts,
    in_digest,
    incident_id,
    is_notified_of,
    is_worse,
    late_reason,
    left_open,
    messages_for,
    next_state,
    page_or_digest,
    recorded,
    why_again,
)
from responder.model.alert import AlertGroup
from responder.model.clock import LINE_LIMIT
from responder.model.delivery import Effects, Notification
from responder.model.flood import FloodState
from responder.model.incident import Change, ChangeKind, Decision, Incident
from responder.model.report import UNHANDLED, IncidentContent, MessageFacts, MessageKind
from responder.model.rule import Action
from responder.model.text import sanitize_line
from responder.notify.contract import Channel
from responder.notify.report.compose import title
from responder.notify.report.content import content_of, ended, joined
from responder.notify.report.content import history as past
from responder.triage.heartbeat import heartbeats


def effects_of(
    decision: Decision,
    group: AlertGroup,
    notification: Notification,
    history: History,
    context: DecisionContext,
    flood_state: FloodState | None = None,
) -> Effects:
    """Return the effects of a decision, committed in one transaction; no floods without ``flood_state``."""
    effects = _effects(decision, group, notification, history, context, flood_state)
    if not context.book.heartbeats:
        return effects
    return replace(effects, heartbeats=tuple(heartbeats(decision, group, context.book, notification.received_at)))


def _effects(
    decision: Decision,
    group: AlertGroup,
    notification: Notification,
    history: History,
    context: DecisionContext,
    flood_state: FloodState | None,
) -> Effects:
    incident = history.incident
    kind = decision.change.kind
    if decision.rule.action is Action.HEARTBEAT:
        return recorded(decision, notification, None, f"heartbeat: {decision.reason}")
    if decision.rule.action is Action.DROP and (incident is None or not incident.open):
        return recorded(decision, notification, None, f"dropped, {decision.rule.drop_reason}: {decision.reason}")
    if kind is ChangeKind.NEW:
        return _opened_incident(decision, group, notification, history, context, flood_state)
    if incident is None or kind is ChangeKind.STALE:
        return recorded(decision, notification, None, decision.reason)
    urgent = is_worse(decision, incident, context) or bool(
        late_reason(decision, incident, context) or why_again(decision, group, incident, context)
    )
    if kind is ChangeKind.DOUBTED or (kind is ChangeKind.REPEATED and not urgent):
        return recorded(decision, notification, next_state(incident, decision, notification, context), decision.reason)
    if kind is ChangeKind.RESOLVED:
        return _ended(decision, group, notification, incident, history.content, context)
    if kind is ChangeKind.AGAIN and not incident.open:
        return _returned(decision, group, notification, incident, context, flood_state)
    return _updated(decision, group, notification, incident, history.content, context, flood_state)


def _opened_incident(
    decision: Decision,
    group: AlertGroup,
    notification: Notification,
    history: History,
    context: DecisionContext,
    flood_state: FloodState | None,
) -> Effects:
    channels = channels_to_notify(decision, context)
    blank = Incident(
        id=incident_id(decision.key or group.dedup_key, notification.id),
        dedup_key=decision.key or group.dedup_key,
        group_key=group.group_key,
        cluster=group.cluster,
        open=True,
        severity=decision.severity.name,
        rule=decision.rule.id,
        service=decision.subject.name,
        runbook=str(decision.rule.runbook or ""),
        reason=decision.reason,
        channels=channels,
        opened_at=notification.received_at,
        changed_at=notification.received_at,
        notification=notification.id,
        revision=context.book.revision,
        alerts=decision.change.alerts,
        gathered=decision.gathered,
    )
    before = past(history.incident, history.times, notification.received_at)
    return page_or_digest(decision, group, notification, blank, context, flood_state, before)


def _returned(
    decision: Decision,
    group: AlertGroup,
    notification: Notification,
    incident: Incident,
    context: DecisionContext,
    flood_state: FloodState | None,
) -> Effects:
    """Page anew for a resolved incident that re-fires, and notify the channels that were notified before.

    Fallback channels are excluded: the new page takes the usual channels first.
    """
    wanted = channels_to_notify(decision, context)
    others = (channel.name for channel in context.configured(incident.channels) if _again(channel, wanted))
    moved = replace(
        next_state(incident, decision, notification, context), open=True, resolved_at=None, channels=(*wanted, *others)
    )
    return page_or_digest(decision, group, notification, moved, context, flood_state)


def _again(channel: Channel, wanted: tuple[str, ...]) -> bool:
    """Return True if a channel that was notified before is notified of the re-fire without being routed to."""
    return channel.name not in wanted and not channel.is_fallback_only and not channel.pages


def _updated(
    decision: Decision,
    group: AlertGroup,
    notification: Notification,
    incident: Incident,
    before: IncidentContent | None,
    context: DecisionContext,
    flood_state: FloodState | None,
) -> Effects:
    """Return an update for channels that know the incident, and a page for those that its new severity adds."""
    now = notification.received_at
    worse = is_worse(decision, incident, context)
    fires = decision.match.alert.firing
    not_notified = not incident.channels and not in_digest(incident, flood_state)
    owed = late_reason(decision, incident, context) if fires else ""
    of = before.decision.teams if before else ()
    new = [team for team in decision.route.teams if team not in of] if of and fires else []
    owed = owed or (f"alerts of team {' and '.join(new)} joined" if new else "")
    again = why_again(decision, group, incident, context) if fires else ""
    concerns = fires and (worse or not_notified or owed or again)
    wanted = channels_to_notify(decision, context) if concerns else ()
    known = frozenset(incident.channels) - context.pagers if again else incident.channels
    added = tuple(name for name in wanted if name not in known)
    moved = replace(
        next_state(incident, decision, notification, context),
        channels=tuple(dict.fromkeys(incident.channels + added)),
        page_number=incident.page_number + bool(again),
    )
    content = _content(decision, group, moved, before, context, now)
    if again:
        content = replace(content, handling=UNHANDLED)  # the new page is not acknowledged yet
    moved = replace(moved, title=title(content.decision, content.findings))
    earlier = context.configured(incident.channels)
    notified = (
        channel
        for channel in earlier
        if channel.name not in added
        and (worse or is_notified_of(channel, decision.change) or (again and not channel.pages))
    )
    # Their first page may still wait for its diagnosis, within the budget of the milder severity.
    within = now + timedelta(seconds=decision.severity.page_budget) if worse else None
    facts, priority = _facts(decision, group), decision.severity.priority
    facts = replace(facts, update=sanitize_line(f"{facts.update}; {again}", LINE_LIMIT)) if again else facts
    update = messages_for(moved, MessageKind.UPDATE, facts, notified, priority=priority, due_at=now, within=within)
    if not added:
        return replace(recorded(decision, notification, moved, decision.reason), content=content, messages=update)
    page = effects_of_page(decision, group, notification, moved, added, context, owed or again, before=content)
    return replace(page, messages=update + page.messages)


def _ended(
    decision: Decision,
    group: AlertGroup,
    notification: Notification,
    incident: Incident,
    before: IncidentContent | None,
    context: DecisionContext,
) -> Effects:
    now = notification.received_at
    over = replace(
        next_state(incident, decision, notification, context), open=False, resolved_at=now, silenced="", gone_since=None
    )
    content = _content(decision, group, over, before, context, now)
    facts = _facts(decision, group)
    fixed = f"{facts.update}; the fix is not recorded yet{left_open(over.channels, context.channels)}"
    facts = replace(facts, resolution=fixed, ended_at=ended(decision, group, content.alerts.started_at, now))
    notified, priority = context.configured(incident.channels), decision.severity.priority
    messages = messages_for(over, MessageKind.RESOLUTION, facts, notified, priority=priority, due_at=now)
    return replace(recorded(decision, notification, over, decision.reason), content=content, messages=messages)


def _content(
    decision: Decision,
    group: AlertGroup,
    incident: Incident,
    before: IncidentContent | None,
    context: DecisionContext,
    now: datetime,
) -> IncidentContent:
    """Return the content after a notification; of another group of the incident only the severity is taken."""
    if decision.joins and before is not None:
        return joined(before, decision, group, context.book)
    return content_of(decision, group, incident, context.book, context.links, now=now, before=before)


def _facts(decision: Decision, group: AlertGroup) -> MessageFacts:
    """Return the facts of an update about the notification that led to it."""
    easing = decision.change.kind in {ChangeKind.PARTLY_RESOLVED, ChangeKind.HELD}
    if not decision.joins:
        update = sanitize_line(decision.change.reason, LINE_LIMIT)
        return replace(group_counts(group), update=update, easing=easing)
    name = sanitize_line(decision.match.alert.name, 100) or "an alert without a name"
    return MessageFacts(
        update=sanitize_line(f"{name}: {decision.change.reason}", LINE_LIMIT),
        firing=decision.change.firing,
        resolved=len(decision.change.alerts) - decision.change.firing,
    )


def page_late(
    decision: Decision,
    group: AlertGroup,
    notification: Notification,
    history: History,
    why: str,
    context: DecisionContext,
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
        alerts=incident.alerts,
        resolve_reason=incident.resolve_reason,
        resolve_at=incident.resolve_at,
        review_at=incident.review_at,
        flaps=incident.flaps,
    )
    decision = replace(decision, change=still)
    if late_reason(decision, incident, context):
        notified = _updated(decision, group, notification, incident, history.content, context, None)
        return replace(notified, notification=None, outcome=why)
    moved = next_state(incident, decision, notification, context)
    return replace(recorded(decision, notification, moved, "re-evaluated with the current rules"), notification=None)
