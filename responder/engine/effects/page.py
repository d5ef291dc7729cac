"""An incident's next state, the messages that follow from it, and its page. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256

from responder.engine.effects.context import DecisionContext
from responder.model.alert import AlertGroup
from responder.model.clock import LINE_LIMIT
from responder.model.content import IncidentContent, MessageFacts
from responder.model.decision import Decision
from responder.model.delivery import DiagnosisRequest, Effects, Notification
from responder.model.flood import FloodState
from responder.model.incident import Change, ChangeKind, Incident
from responder.model.message import OutboxMessage
from responder.model.report import MessageKind
from responder.model.text import tidy_line
from responder.notify.contract import Channel
from responder.notify.delivery.route import pagers, route, with_a_reader
from responder.notify.delivery.route import title as channel_title
from responder.notify.report.compose import title
from responder.notify.report.content import content_of, headed
from responder.triage.flood import FloodVerdict, weigh


def paged_or_held(
    decision: Decision,
    group: AlertGroup,
    delivery: Notification,
    incident: Incident,
    desk: DecisionContext,
    tide: FloodState | None,
    before: str = "",
) -> Effects:
    """Return the page of an incident that starts firing, unless only the digest of a flood mentions it.

    ``before`` is the text about earlier incidents of the same group.
    """
    channels = incident.channels
    weighed = weigh(decision, group.common_labels, channels, tide, delivery.id) if tide and channels else None
    if weighed is not None and weighed.held:
        return replace(_held(decision, delivery, incident, weighed, desk), flood=weighed.flood)
    page = opened(decision, group, delivery, incident, channels, desk, history=before)
    if weighed is None:
        return page
    return replace(page, flood=weighed.flood, outcome="; ".join(filter(None, (page.outcome, weighed.why))))


def _held(
    decision: Decision, delivery: Notification, incident: Incident, weighed: FloodVerdict, desk: DecisionContext
) -> Effects:
    """Return the effects of an incident that only the digest mentions: it is saved without messages."""
    why = f"{incident.reason}; {weighed.held}"
    quiet = replace(
        incident,
        title=headed(decision, incident, desk.book.environment),
        reason=why,
        channels=(),
        digest=weighed.flood.digest,
    )
    return recorded(decision, delivery, quiet, why)


def page_after(
    decision: Decision, group: AlertGroup, delivery: Notification, incident: Incident, desk: DecisionContext
) -> Effects:
    """Return the page of an open incident that only the digest of an ended flood mentioned."""
    channels = whom(decision, desk)
    page = opened(decision, group, delivery, replace(incident, channels=channels), channels, desk)
    return replace(page, delivery=None, outcome=f"{incident.id} still firing after {incident.digest}: paged separately")


def opened(
    decision: Decision,
    group: AlertGroup,
    delivery: Notification,
    incident: Incident,
    to: tuple[str, ...],
    desk: DecisionContext,
    why: str = "",
    history: str = "",
    before: IncidentContent | None = None,
) -> Effects:
    """Return pages for the channels ``to``, due when the diagnosis is done, at the page budget at the latest.

    ``why`` is their reason if it is not the notification, ``history`` the text about earlier incidents of the group,
    and ``before`` the content of the incident so far.
    """
    now = delivery.received_at
    askable = {ask.probe for ask in desk.asks(decision.rule.probes, decision.subject) if not ask.skip}
    probes = tuple(name for name in decision.rule.probes if name in askable)
    content = content_of(
        decision, group, incident, desk.book, desk.links, now=now, probes=probes, history=history, before=before
    )
    again = decision.change.kind is ChangeKind.AGAIN
    update = "; ".join(filter(None, (decision.change.reason if again else "", why)))
    facts = replace(group_counts(group), update=tidy_line(update, LINE_LIMIT))
    budget = min(each.page_budget for each in (decision.severity, *(turn.severity for turn in decision.turns)))
    due_at = now + timedelta(seconds=budget) if probes else now
    rank = decision.severity.rank
    work = DiagnosisRequest(
        incident=incident.id,
        stream=incident.dedup_key,
        rank=rank,
        probes=decision.rule.probes,
        subject=decision.subject,
        channels=to,
        severity=decision.severity.name,
        turns=decision.turns,
        reason=decision.ruling.reason,
        wished=decision.rule.channels,
        opened_at=incident.opened_at,
        decided_at=now,
    )
    drafts = messages(
        incident.id,
        incident.dedup_key,
        MessageKind.AGAIN if again else MessageKind.START,
        facts,
        (desk.channels[name] for name in to),
        rank=rank,
        due_at=due_at,
        enrich=bool(probes),
        within=due_at,
    )
    return Effects(
        delivery=delivery.id,
        outcome=decision.reason,
        decision=decision,
        incident=replace(incident, title=title(content.decision)),
        content=content,
        drafts=drafts,
        work=work if probes else None,
        due_at=due_at,
    )


def recorded(decision: Decision, delivery: Notification, incident: Incident | None, outcome: str) -> Effects:
    """Return effects without messages: the result for the notification, and for its incident if there is one."""
    return Effects(delivery=delivery.id, outcome=outcome, decision=decision, incident=incident)


def messages(
    incident: str,
    stream: str,
    moment: MessageKind,
    facts: MessageFacts,
    channels: Iterable[Channel],
    *,
    rank: int,
    due_at: datetime,
    enrich: bool = False,
    within: datetime | None = None,
) -> tuple[OutboxMessage, ...]:
    """Return the messages of an incident for each channel, in sending order; ``stream`` is its dedup key.

    Earlier pages that wait for their diagnosis are released ``within`` that time. Steps after a first message (its
    details in the thread) are one severity less urgent, so that in a flood every page is sent before them.
    """
    began = moment is MessageKind.START
    return tuple(
        OutboxMessage(
            incident=incident,
            stream=stream,
            channel=channel.name,
            step=step,
            moment=moment,
            rank=rank + 1 if began and place else rank,
            due_at=due_at,
            facts=replace(facts, due_by=due_at),
            enrich=enrich,
            within=within,
        )
        for channel in channels
        for place, step in enumerate(channel.steps[moment])
    )


def left_open(notified: Collection[str], configured: Mapping[str, Channel]) -> str:
    """Return the text for ``notified`` pagers that are no longer configured; empty if there are none."""
    paging = pagers(configured)
    gone = [channel_title(name, configured) for name in notified if name in paging and name not in configured]
    return f"; resolve it manually in {' and '.join(gone)}, which is no longer configured" if gone else ""


def counts(incident: Incident) -> MessageFacts:
    """Return the number of firing and resolved alerts of an incident, according to its notifications."""
    firing = sum(known.ends_at is None for known in incident.alerts.values())
    return MessageFacts(firing=firing, resolved=len(incident.alerts) - firing)


def group_counts(group: AlertGroup) -> MessageFacts:
    """Return the number of firing and resolved alerts of a notification."""
    return MessageFacts(firing=len(group.firing), resolved=len(group.alerts) - len(group.firing))


#: Crockford's base 32: without characters that are easily confused.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
#: Reason of a page that the rules or settings did not send earlier.
UNPAGED = "not paged earlier because the rules or settings in force had no pager"


def incident_id(dedup_key: str, delivery: int) -> str:
    """Return a short id for people. It depends on the notification only, so that deciding twice opens one incident."""
    number = int.from_bytes(sha256(f"{dedup_key}/{delivery}".encode()).digest()[:8])
    return "INC-" + "".join(_ALPHABET[number >> shift & 31] for shift in range(0, 50, 5))


def next_state(incident: Incident, decision: Decision, delivery: Notification, desk: DecisionContext) -> Incident:
    """Return the incident after a notification. One without firing alerts changes neither severity nor rule."""
    change, now = decision.change, delivery.received_at
    moved = replace(
        incident,
        delivery=delivery.id,
        alerts=change.alerts,
        gathered=decision.gathered,
        changed_at=now,
        flaps=change.flaps,
        hold=change.hold,
        held_until=change.held_until,
        review_at=change.review_at,
        reopened_at=now if change.kind is ChangeKind.AGAIN else incident.reopened_at,
    )
    if not decision.ruling.alert.firing:
        return moved
    moved = replace(moved, found=decision.found, gone_since=None)
    if incident.open and _hides(decision) and not is_worse(decision, incident, desk):
        return moved
    moved = replace(moved, severity=decision.severity.name)
    return moved if decision.joins else replace(moved, rule=decision.rule.id, reason=decision.reason)


def _hides(decision: Decision) -> bool:
    """Return True if the notification omits an alert that is known to fire: the severity is not lowered then.

    Gathered groups each omit the others' alerts, and their severity already is that of all groups.
    """
    named = sum(ruling.alert.firing for ruling in decision.rulings)
    return not decision.gathered and decision.change.firing > named


def is_worse(decision: Decision, incident: Incident, desk: DecisionContext) -> bool:
    """Return True if the decision's severity is worse than the incident's."""
    if not decision.ruling.alert.firing:
        return False
    known = desk.book.severities.get(incident.severity)
    return known is None or decision.severity.rank < known.rank


def why_owed(decision: Decision, incident: Incident, desk: DecisionContext) -> str:
    """Return why a firing incident is paged only now; empty if it is not.

    Either its paging window has opened, or the rules or settings had no pager for it when it opened.
    """
    pagers = desk.pagers
    if not decision.pages or not decision.ruling.alert.firing or not incident.channels:
        return ""
    if not pagers.isdisjoint(incident.channels) or pagers.isdisjoint(whom(decision, desk)):
        return ""
    window = decision.rule.pages_in.get(decision.severity.name)
    return still_fires(window.name) if window else UNPAGED


def still_fires(window: str) -> str:
    """Return the reason of a page without a new notification: its paging window has opened."""
    return f"paging window {window} opened; still firing"


def whom(decision: Decision, desk: DecisionContext) -> tuple[str, ...]:
    """Return the channels to notify, with one that people read among them if a window holds the page."""
    wished = decision.rule.channels
    wished = with_a_reader(wished, desk.channels) if decision.held else wished
    return route(wished, decision.pages, desk.channels)


def hears(channel: Channel, change: Change) -> bool:
    """Return True if a channel is notified of a change that is not worse.

    A pager is notified of a re-fire even while the incident is open: it may have been resolved there manually.
    """
    return change.kind is ChangeKind.AGAIN if channel.pages else not change.quiet


def in_digest(incident: Incident, tide: FloodState | None) -> bool:
    """Return True if the digest of an active flood mentions the incident."""
    flood = tide.floods.get(incident.severity) if tide and incident.digest else None
    return flood is not None and flood.digest == incident.digest
