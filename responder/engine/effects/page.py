"""An incident's next state, the messages that follow from it, and its page. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256

from responder.engine.effects.context import DecisionContext
from responder.model.alert import AlertGroup
from responder.model.clock import LINE_LIMIT
from responder.model.delivery import DiagnosisRequest, Effects, Notification
from responder.model.flood import FloodState
from responder.model.incident import Change, ChangeKind, Decision, Incident
from responder.model.message import OutboxMessage
from responder.model.report import IncidentContent, MessageFacts, MessageKind
from responder.model.rule import PLACEHOLDER, Rule, Severity
from responder.model.text import number_of, sanitize_line
from responder.notify.contract import Channel, Use
from responder.notify.delivery.route import is_known, pagers, route, with_non_paging
from responder.notify.delivery.route import title as channel_title
from responder.notify.report.compose import title
from responder.notify.report.content import content_of, headed
from responder.triage.flood import FloodVerdict, decide_paging


def page_or_digest(
    decision: Decision,
    group: AlertGroup,
    notification: Notification,
    incident: Incident,
    context: DecisionContext,
    flood_state: FloodState | None,
    before: str = "",
) -> Effects:
    """Return the page of an incident that starts firing, unless only the digest of a flood mentions it.

    ``before`` is the text about earlier incidents of the same group.
    """
    channels = incident.channels
    flood_verdict = (
        decide_paging(decision, group.common_labels, channels, flood_state, notification.id)
        if flood_state and channels
        else None
    )
    if flood_verdict is not None and flood_verdict.suppressed_by:
        return replace(
            _only_in_digest(decision, group, notification, incident, flood_verdict, context), flood=flood_verdict.flood
        )
    page = effects_of_page(decision, group, notification, incident, channels, context, history=before)
    if flood_verdict is None:
        return page
    return replace(page, flood=flood_verdict.flood, outcome="; ".join(filter(None, (page.outcome, flood_verdict.why))))


def _only_in_digest(
    decision: Decision,
    group: AlertGroup,
    notification: Notification,
    incident: Incident,
    flood_verdict: FloodVerdict,
    context: DecisionContext,
) -> Effects:
    """Return the effects of an incident that only the digest mentions: it is saved without messages."""
    why = f"{incident.reason}; {flood_verdict.suppressed_by}"
    quiet = replace(
        incident,
        title=headed(decision, group, incident, context.book.environment),
        reason=why,
        channels=(),
        digest=flood_verdict.flood.digest,
    )
    return recorded(decision, notification, quiet, why)


def page_after(
    decision: Decision, group: AlertGroup, notification: Notification, incident: Incident, context: DecisionContext
) -> Effects:
    """Return the page of an open incident that only the digest of an ended flood mentioned."""
    channels = channels_to_notify(decision, context)
    page = effects_of_page(decision, group, notification, replace(incident, channels=channels), channels, context)
    return replace(
        page, notification=None, outcome=f"{incident.id} still firing after {incident.digest}: paged separately"
    )


def effects_of_page(
    decision: Decision,
    group: AlertGroup,
    notification: Notification,
    incident: Incident,
    to: tuple[str, ...],
    context: DecisionContext,
    why: str = "",
    history: str = "",
    before: IncidentContent | None = None,
) -> Effects:
    """Return pages for the channels ``to``, due when the diagnosis is done, at the page budget at the latest.

    ``why`` is their reason if it is not the notification, ``history`` the text about earlier incidents of the group,
    and ``before`` the content of the incident so far.
    """
    now = notification.received_at
    began = min((alert.starts_at for alert in group.firing), default=None)
    questions = context.questions(
        decision.rule.probes, decision.subject, began, decision.probed[1:], decision.rule.runbook
    )
    can_run = {question.probe for question in questions if not question.skip}
    probes = tuple(name for name in decision.rule.probes if name in can_run)
    late = context.late_questions(decision.rule.probes, decision.subject, began, decision.rule.runbook)
    content = content_of(
        decision, group, incident, context.book, context.links, now=now, probes=probes, history=history, before=before
    )
    again = decision.change.kind is ChangeKind.AGAIN
    update = "; ".join(filter(None, (decision.change.reason if again else "", why)))
    facts = replace(group_counts(group), update=sanitize_line(update, LINE_LIMIT))
    severities = (decision.severity, *(adjustment.severity for adjustment in decision.adjustments))
    due_at = now + timedelta(seconds=min(each.page_budget for each in severities)) if probes else now
    messages = messages_for(
        incident,
        MessageKind.AGAIN if again else MessageKind.START,
        facts,
        (context.channels[name] for name in to),
        priority=decision.severity.priority,
        due_at=due_at,
        enrich=bool(probes),
        within=due_at,
    )
    return Effects(
        notification=notification.id,
        outcome=decision.reason,
        decision=decision,
        incident=marked_as_paged(replace(incident, title=title(content.decision)), to, context),
        content=content,
        messages=messages,
        request=_diagnosis_request(decision, incident, to, began, now) if probes or late else None,
        due_at=due_at,
    )


def _diagnosis_request(
    decision: Decision, incident: Incident, to: tuple[str, ...], began: datetime | None, now: datetime
) -> DiagnosisRequest:
    return DiagnosisRequest(
        incident=incident.id,
        ordering_key=incident.page_keys[-1],
        priority=decision.severity.priority,
        probes=decision.rule.probes,
        subject=decision.subject,
        channels=to,
        severity=decision.severity.name,
        adjustments=decision.adjustments,
        reason=decision.match.reason,
        requested_channels=decision.route.channels,
        opened_at=incident.opened_at,
        decided_at=now,
        began=began,
        also=decision.probed[1:],
        runbook=decision.rule.runbook,
        rule=decision.rule.id,
        labels=_labels_in_urls(decision),
    )


def _labels_in_urls(decision: Decision) -> dict[str, str]:
    """Return the labels of the alert that the rule's runbooks by conclusion name in their URLs."""
    urls = (str(ref) for ref in decision.rule.runbooks.values() if ref.is_url)
    names = {name for url in urls for name, _ in PLACEHOLDER.findall(url)}
    return {name: value for name, value in decision.match.alert.labels.items() if name in names}


def recorded(decision: Decision, notification: Notification, incident: Incident | None, outcome: str) -> Effects:
    """Return effects without messages: the result for the notification, and for its incident if there is one."""
    return Effects(notification=notification.id, outcome=outcome, decision=decision, incident=incident)


def messages_for(
    of: Incident | tuple[str, str],
    kind: MessageKind,
    facts: MessageFacts,
    channels: Iterable[Channel],
    *,
    priority: int,
    due_at: datetime,
    enrich: bool = False,
    within: datetime | None = None,
) -> tuple[OutboxMessage, ...]:
    """Return the messages of an incident for each channel, in sending order.

    ``of`` is the incident, or its id and the only key to use. Earlier pages that wait for their diagnosis are released
    ``within`` that time. Steps after a first message (its details in the thread) are one severity less urgent, so that
    in a flood every page is sent before them.
    """
    began = kind is MessageKind.START
    return tuple(
        OutboxMessage(
            incident=of.id if isinstance(of, Incident) else of[0],
            ordering_key=key,
            channel=channel.name,
            channel_kind=channel.kind,
            step=step,
            kind=kind,
            priority=priority + 1 if began and place else priority,
            due_at=due_at,
            facts=replace(facts, due_by=due_at),
            enrich=enrich,
            within=within,
        )
        for channel in channels
        for key in (_keys(of, kind, channel) if isinstance(of, Incident) else of[1:])
        for place, step in enumerate(channel.steps[kind])
    )


def _keys(incident: Incident, kind: MessageKind, channel: Channel) -> tuple[str, ...]:
    """Return the dedup keys of an incident at a channel: a pager gets its newest key, and a resolve under each."""
    if not channel.pages and not channel.accompanies:
        return incident.page_keys[:1]
    return incident.page_keys if kind is MessageKind.RESOLUTION else incident.page_keys[-1:]


def marked_as_paged(incident: Incident, to: Collection[str], context: DecisionContext) -> Incident:
    """Return the incident after a page to the channels ``to``: its firing alerts are those it was paged for."""
    if context.pagers.isdisjoint(to):
        return incident
    alerts = {
        name: replace(known, page=incident.page_number) if known.ends_at is None else known
        for name, known in incident.alerts.items()
    }
    return replace(incident, alerts=alerts)


def why_again(decision: Decision, group: AlertGroup, incident: Incident, context: DecisionContext) -> str:
    """Return why an open incident pages again, empty if it does not: a pager is silent about a key that is open.

    Everything it was paged for is resolved, silenced or gone while other alerts fire, or it has grown by the factor of
    its severity. Alerts that max_alerts may have cut off, and those of other groups of the incident, count as firing.
    """
    if (
        not decision.pages
        or context.pagers.isdisjoint(incident.channels)
        or context.pagers.isdisjoint(channels_to_notify(decision, context))
    ):
        return ""
    named = {alert.fingerprint for alert in group.firing}
    elsewhere = {name for name, each in decision.gathered.items() if each.group != group.dedup_key}
    alerts = decision.change.alerts
    paged = [name for name, known in alerts.items() if known.page]
    left = [
        name
        for name in paged
        if alerts[name].ends_at is None and (group.truncated or name in named or name in elsewhere)
    ]
    if named and paged and not left:
        return f"paged again: none of the alerts paged before fires now; {number_of(len(named), 'other alert')} firing"
    growth, firing = decision.severity.page_again, len(named | set(left)) + group.truncated
    last = max(1, sum(known.page == incident.page_number for known in alerts.values()))
    if growth is None or not paged or firing < max(growth.least, growth.factor * last):
        return ""
    return f"paged again: {firing} alerts firing, {last} at the last page"


def left_open(notified: Collection[str], configured: Mapping[str, Channel]) -> str:
    """Return the text for ``notified`` pagers that are no longer configured; empty if there are none.

    A channel that the rule files do not declare any more may have been a pager, and is one of them.
    """
    paging = pagers(configured)
    gone = [
        channel_title(name, configured)
        for name in notified
        if name not in configured and (name in paging or not is_known(name, configured))
    ]
    return f"; resolve it manually in {' and '.join(gone)}, which is no longer configured" if gone else ""


def counts(incident: Incident) -> MessageFacts:
    """Return the number of firing and resolved alerts of an incident, according to its notifications; its end."""
    firing = sum(known.ends_at is None for known in incident.alerts.values())
    ended_at = None if incident.open else incident.resolved_at
    return MessageFacts(firing=firing, resolved=len(incident.alerts) - firing, ended_at=ended_at)


def group_counts(group: AlertGroup) -> MessageFacts:
    """Return the number of firing and resolved alerts of a notification."""
    return MessageFacts(firing=len(group.firing), resolved=len(group.alerts) - len(group.firing))


#: Crockford's base 32: without characters that are easily confused.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
#: Reason of a page that the rules or settings did not send earlier.
UNPAGED = "not paged earlier because the rules or settings in force had no pager"


def incident_id(dedup_key: str, notification: int) -> str:
    """Return a short id for people. It depends on the notification only, so that deciding twice opens one incident."""
    number = int.from_bytes(sha256(f"{dedup_key}/{notification}".encode()).digest()[:8])
    return "INC-" + "".join(_ALPHABET[number >> shift & 31] for shift in range(0, 50, 5))


def next_state(
    incident: Incident, decision: Decision, notification: Notification, context: DecisionContext
) -> Incident:
    """Return the incident after a notification. One without firing alerts changes neither severity nor rule."""
    change, now = decision.change, notification.received_at
    moved = replace(
        incident,
        notification=notification.id,
        alerts=change.alerts,
        gathered=decision.gathered,
        changed_at=now,
        flaps=change.flaps,
        resolve_reason=change.resolve_reason,
        resolve_at=change.resolve_at,
        review_at=change.review_at,
        reopened_at=now if change.kind is ChangeKind.AGAIN else incident.reopened_at,
    )
    if not decision.match.alert.firing:
        return moved
    moved = replace(moved, severity_override=decision.severity_override, gone_since=None)
    if incident.open and _hides(decision) and not is_worse(decision, incident, context):
        return moved
    moved = replace(moved, severity=decision.severity.name)
    return moved if decision.joins else replace(moved, rule=decision.rule.id, reason=decision.reason)


def _hides(decision: Decision) -> bool:
    """Return True if the notification omits an alert that is known to fire: the severity is not lowered then.

    Gathered groups each omit the others' alerts, and their severity already is that of all groups.
    """
    named = sum(match.alert.firing for match in decision.matches)
    return not decision.gathered and decision.change.firing > named


def is_worse(decision: Decision, incident: Incident, context: DecisionContext) -> bool:
    """Return True if the decision's severity is worse than the incident's."""
    if not decision.match.alert.firing:
        return False
    known = context.book.severities.get(incident.severity)
    return known is None or decision.severity.priority < known.priority


def late_reason(decision: Decision, incident: Incident, context: DecisionContext) -> str:
    """Return why a firing incident is paged only now; empty if it is not.

    Either its paging window has opened, or the rules or settings had no pager for it when it opened.
    """
    pagers = context.pagers
    if not decision.pages or not decision.match.alert.firing or not incident.channels:
        return ""
    if not pagers.isdisjoint(incident.channels) or pagers.isdisjoint(channels_to_notify(decision, context)):
        return ""
    window = decision.rule.pages_in.get(decision.severity.name)
    return still_fires(window.name) if window else UNPAGED


def still_fires(window: str) -> str:
    """Return the reason of a page without a new notification: its paging window has opened."""
    return f"paging window {window} opened; still firing"


def channels_to_notify(decision: Decision, context: DecisionContext) -> tuple[str, ...]:
    """Return the channels to notify, with one that people read among them if a window holds the page."""
    requested_channels = decision.route.channels
    requested_channels = (
        with_non_paging(requested_channels, context.channels) if decision.suppressed_by else requested_channels
    )
    found = route(requested_channels, decision.pages, context.channels)
    service = context.book.services.get(decision.subject.service or "")
    components = service.components if service else ()
    return tuple(dict.fromkeys((*found, *of_severity(decision.severity, decision.rule, components, context))))


def of_severity(
    severity: Severity, rule: Rule | None, components: Collection[str], context: DecisionContext
) -> Iterator[str]:
    """Yield the channels that a severity asks for itself, beside those that a rule names.

    They are the incident's own channel, and the status pages with ``components`` of the service on which the rule
    publishes without a confirmation.
    """
    for each in context.channels.values():
        publishes = rule is not None and rule.publishes and each.name in severity.status_pages
        if (each.use is Use.ROOM and severity.room) or (publishes and each.name in components):
            yield each.name


def is_notified_of(channel: Channel, change: Change) -> bool:
    """Return True if a channel is notified of a change that is not worse.

    A pager is notified of a re-fire even while the incident is open: it may have been resolved there manually.
    """
    return change.kind is ChangeKind.AGAIN if channel.pages else not change.quiet


def in_digest(incident: Incident, flood_state: FloodState | None) -> bool:
    """Return True if the digest of an active flood mentions the incident."""
    flood = flood_state.floods.get(incident.severity) if flood_state and incident.digest else None
    return flood is not None and flood.digest == incident.digest
