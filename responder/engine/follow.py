"""What follows from a decision: the incident's next state, the messages to write and the probes to run. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256

from responder.engine.desk import Desk
from responder.model.alert import AlertGroup
from responder.model.decision import Decision
from responder.model.delivery import Delivery, Effects, Work
from responder.model.flood import Tide
from responder.model.incident import Change, ChangeKind, Incident
from responder.model.message import Draft
from responder.model.report import Moment, Report
from responder.model.rule import Action
from responder.notify import facts
from responder.notify.compose import again, changed, closing, headed, opening
from responder.notify.contract import Channel
from responder.notify.route import PAGER, PAGERS, RESERVES, route
from responder.triage.flood import Weighed, weigh
from responder.triage.heartbeat import beats

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: nothing in it is mistaken for something else at 3 a.m.


UNJUDGED = "(none)"
"""Stands for the rule of an incident on which triage broke; no rule can be called so."""


@dataclass(frozen=True, slots=True)
class History:
    """The latest incident of a group, open or resolved, and the last report about it; None where there is none.

    ``times`` is how many incidents of it began in the last HISTORY_DAYS.
    """

    incident: Incident | None = None
    report: Report | None = None
    times: int = 0


def follow(
    decision: Decision,
    group: AlertGroup,
    delivery: Delivery,
    history: History,
    desk: Desk,
    tide: Tide | None = None,
) -> Effects:
    """The effects of a decision, for the shell to commit in one transaction. Without a ``tide`` nothing is a flood."""
    effects = _effects(decision, group, delivery, history, desk, tide)
    seen = tuple(beats(decision, group, desk.book, delivery.received_at))
    return replace(effects, beats=seen) if seen else effects


def _effects(
    decision: Decision, group: AlertGroup, delivery: Delivery, history: History, desk: Desk, tide: Tide | None
) -> Effects:
    incident = history.incident
    kind = decision.change.kind
    unjudged = incident is not None and incident.open and incident.rule == UNJUDGED
    if decision.rule.action is Action.HEARTBEAT:
        if unjudged and incident is not None:
            return _ended(_as_heartbeat(decision), group, delivery, incident, history.report, desk)
        return _recorded(decision, delivery, None, f"heartbeat: {decision.reason}")
    if kind is ChangeKind.NEW:
        return _begun(decision, group, delivery, history, desk, tide)
    if incident is None or kind is ChangeKind.STALE:
        return _recorded(decision, delivery, None, decision.reason)
    urgent = unjudged or _worse(decision, incident, desk) or bool(_owed(decision, incident, desk))
    if kind is ChangeKind.DOUBTED or (kind is ChangeKind.REPEATED and not urgent):
        return _recorded(decision, delivery, _moved(incident, decision, delivery, desk), decision.reason)
    if kind is ChangeKind.RESOLVED:
        return _ended(decision, group, delivery, incident, history.report, desk)
    if kind is ChangeKind.AGAIN and not incident.open:
        return _returned(decision, group, delivery, incident, desk, tide)
    return _told(decision, group, delivery, incident, history.report, desk, tide)


def _as_heartbeat(decision: Decision) -> Decision:
    """What was paged while triage broke on it turns out to be no alert."""
    why = "triage has judged it now: it is a heartbeat, and no alert"
    return replace(decision, change=replace(decision.change, kind=ChangeKind.RESOLVED, reason=why))


def incident_id(dedup_key: str, delivery: int) -> str:
    """A short name for people. It depends on the delivery only, so that deciding twice opens one incident."""
    number = int.from_bytes(sha256(f"{dedup_key}/{delivery}".encode()).digest()[:8])
    return "INC-" + "".join(_ALPHABET[number >> shift & 31] for shift in range(0, 50, 5))


def messages(
    report: Report, channels: Iterable[Channel], *, rank: int, due_at: datetime, enrich: bool = False
) -> tuple[Draft, ...]:
    """The messages that a report becomes on each channel, in the order they must leave.

    What follows a beginning (its details in the thread) is a rank less urgent: in a flood every page leaves before it.
    """
    began = report.moment is Moment.START
    return tuple(
        Draft(
            incident=report.incident,
            stream=report.dedup_key,
            channel=channel.name,
            step=step,
            rank=rank + 1 if began and place else rank,
            due_at=due_at,
            report=report,
            enrich=enrich,
        )
        for channel in channels
        for place, step in enumerate(channel.steps[report.moment])
    )


def _begun(
    decision: Decision, group: AlertGroup, delivery: Delivery, history: History, desk: Desk, tide: Tide | None
) -> Effects:
    channels = _wanted(decision, desk)
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
    before = facts.history(history.incident, history.times, delivery.received_at)
    return _weighed(decision, group, delivery, blank, desk, tide, before)


def _weighed(
    decision: Decision,
    group: AlertGroup,
    delivery: Delivery,
    incident: Incident,
    desk: Desk,
    tide: Tide | None,
    before: str = "",
) -> Effects:
    """An incident that begins to fire has its page, unless the digest of a flood tells of it.

    ``before`` says how often the same happened.
    """
    channels = incident.channels
    weighed = weigh(decision, group.common_labels, channels, tide, delivery.id) if tide and channels else None
    if weighed is not None and weighed.held:
        return replace(_held(decision, delivery, incident, weighed, desk), flood=weighed.flood)
    page = _opened(decision, group, delivery, incident, channels, desk, before=before)
    if weighed is None:
        return page
    return replace(page, flood=weighed.flood, outcome="; ".join(filter(None, (page.outcome, weighed.why))))


def _held(decision: Decision, delivery: Delivery, incident: Incident, weighed: Weighed, desk: Desk) -> Effects:
    """The incident is written, and nothing else: the digest tells of it."""
    why = f"{incident.reason}; {weighed.held}"
    quiet = replace(
        incident, title=headed(decision, incident, desk.book), reason=why, channels=(), digest=weighed.flood.digest
    )
    return _recorded(decision, delivery, quiet, why)


def page_after(decision: Decision, group: AlertGroup, delivery: Delivery, incident: Incident, desk: Desk) -> Effects:
    """The page of an open incident that only the digest of a flood has told of, now that the flood is over."""
    channels = _wanted(decision, desk)
    told = replace(incident, channels=channels, digest=incident.digest if channels else "")
    page = _opened(decision, group, delivery, told, channels, desk)
    return replace(page, delivery=None, outcome=f"{incident.id} still fires after {incident.digest}: paged by itself")


def page_late(
    decision: Decision, group: AlertGroup, delivery: Delivery, history: History, why: str, desk: Desk
) -> Effects | None:
    """The page of an open incident that is owed one, and an update for those who know of it; ``why`` it comes now.

    Where none is owed by the rules of today, their judgement of it is all that is remembered; None without an incident.
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
    if _owed(decision, incident, desk):
        told = _told(decision, group, delivery, incident, history.report, desk, None)
        return replace(told, delivery=None, outcome=why)
    moved = _moved(incident, decision, delivery, desk)
    return replace(_recorded(decision, delivery, moved, "judged anew by the rules of today"), delivery=None)


def _opened(
    decision: Decision,
    group: AlertGroup,
    delivery: Delivery,
    incident: Incident,
    to: tuple[str, ...],
    desk: Desk,
    why: str = "",
    before: str = "",
) -> Effects:
    """Open pages on the channels ``to``: they leave when the diagnosis is done, at the page budget at the latest.

    ``why`` says what brought them where it is not the notification, ``before`` how often the same happened.
    """
    now = delivery.received_at
    askable = {ask.probe for ask in desk.asks(decision.rule.probes, decision.subject) if not ask.skip}
    pending = tuple(name for name in decision.rule.probes if name in askable)
    report = opening(decision, group, incident, desk.book, now=now, links=desk.links, pending=pending, history=before)
    if decision.change.kind is ChangeKind.AGAIN:
        report = again(report, decision.change.reason)
    if why:
        report = replace(report, update="; ".join(filter(None, (report.update, why))))
    budget = min(each.page_budget for each in (decision.severity, *(turn.severity for turn in decision.turns)))
    due_at = now + timedelta(seconds=budget) if pending else now
    rank = decision.severity.rank
    work = Work(
        incident=incident.id,
        stream=incident.dedup_key,
        rank=rank,
        probes=decision.rule.probes,
        subject=decision.subject,
        report=report,
        channels=to,
        severity=decision.severity.name,
        turns=decision.turns,
        reason=decision.ruling.reason,
        wished=decision.rule.channels,
        opened_at=incident.opened_at,
    )
    return Effects(
        delivery=delivery.id,
        outcome=decision.reason,
        decision=decision,
        incident=replace(incident, title=report.title),
        drafts=messages(report, (desk.channels[name] for name in to), rank=rank, due_at=due_at, enrich=bool(pending)),
        work=work if pending else None,
        due_at=due_at,
    )


def _returned(
    decision: Decision, group: AlertGroup, delivery: Delivery, incident: Incident, desk: Desk, tide: Tide | None
) -> Effects:
    """An incident that people heard the end of: they are paged anew, by all channels that had told them.

    What stood in for another channel is not among them: each page goes the usual way first.
    """
    wanted = _wanted(decision, desk)
    others = (name for name in incident.channels if name not in {*wanted, PAGER, *RESERVES} and name in desk.channels)
    moved = replace(
        _moved(incident, decision, delivery, desk), open=True, resolved_at=None, channels=(*wanted, *others)
    )
    return _weighed(decision, group, delivery, moved, desk, tide)


def _told(
    decision: Decision,
    group: AlertGroup,
    delivery: Delivery,
    incident: Incident,
    before: Report | None,
    desk: Desk,
    tide: Tide | None,
) -> Effects:
    """An update for those who know of the incident, and a page for those whom only its new severity concerns."""
    now = delivery.received_at
    worse = _worse(decision, incident, desk)
    fires = decision.ruling.alert.firing
    unheard = not incident.channels and not _in_digest(incident, tide)
    owed = _owed(decision, incident, desk) if fires else ""
    concerns = fires and (worse or unheard or owed)
    wanted = _wanted(decision, desk) if concerns else ()
    added = tuple(name for name in wanted if name not in incident.channels)
    moved = replace(_moved(incident, decision, delivery, desk), channels=incident.channels + added)
    report = changed(decision, group, moved, desk.book, now=now, links=desk.links, before=before)
    informed = (desk.channels[name] for name in incident.channels if name in desk.channels)
    heard = (channel for channel in informed if worse or _hears(channel, decision.change))
    update = messages(report, heard, rank=decision.severity.rank, due_at=now)
    if not added:
        return replace(
            _recorded(decision, delivery, replace(moved, title=report.title), decision.reason), drafts=update
        )
    page = _opened(decision, group, delivery, moved, added, desk, owed)
    return replace(page, drafts=update + page.drafts)


def _ended(
    decision: Decision, group: AlertGroup, delivery: Delivery, incident: Incident, before: Report | None, desk: Desk
) -> Effects:
    now = delivery.received_at
    over = replace(
        _moved(incident, decision, delivery, desk), open=False, resolved_at=now, silenced="", gone_since=None
    )
    report = closing(decision, group, over, desk.book, now=now, links=desk.links, before=before)
    told = (desk.channels[name] for name in incident.channels if name in desk.channels)
    drafts = messages(report, told, rank=decision.severity.rank, due_at=now)
    return replace(_recorded(decision, delivery, over, decision.reason), drafts=drafts)


def _wanted(decision: Decision, desk: Desk) -> tuple[str, ...]:
    """The channels to tell. One that no window holds back is among them: who sleeps reads it in the morning."""
    wished = dict.fromkeys((*decision.rule.channels, "slack") if decision.held else decision.rule.channels)
    return route(wished, decision.pages, desk.channels)


def _worse(decision: Decision, incident: Incident, desk: Desk) -> bool:
    """Whether it is worse than it was."""
    if not decision.ruling.alert.firing:
        return False
    known = desk.book.severities.get(incident.severity)
    return known is None or decision.severity.rank < known.rank


def _owed(decision: Decision, incident: Incident, desk: Desk) -> str:
    """Why people are woken only now, while it still fires; empty where they are not.

    A window was shut that is open now; or the rules, or the settings, had no pager for it when it began.
    """
    if not decision.pages or not decision.ruling.alert.firing or not incident.channels or PAGER in incident.channels:
        return ""
    if PAGER not in _wanted(decision, desk):
        return ""
    window = decision.rule.pages_in.get(decision.severity.name)
    return still_fires(window.name) if window else "nobody was paged before by the rules or settings in force then"


def still_fires(window: str) -> str:
    """Why a page comes when nothing new was notified: its window has opened."""
    return f"not paged outside of {window}, which is open now: it still fires"


def _hears(channel: Channel, change: Change) -> bool:
    """Whether a change that is no worse is told there.

    The pager hears of what fires again even while the incident is open: somebody may have resolved it there by hand.
    """
    return change.kind is ChangeKind.AGAIN if channel.name in PAGERS else not change.quiet


def _in_digest(incident: Incident, tide: Tide | None) -> bool:
    """Whether it is told in the digest of a flood that is on."""
    flood = tide.floods.get(incident.severity) if tide and incident.digest else None
    return flood is not None and flood.digest == incident.digest


def _moved(incident: Incident, decision: Decision, delivery: Delivery, desk: Desk) -> Incident:
    """The incident after a notification; a notification in which nothing fires says nothing new about how bad it is."""
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
    if incident.open and _hides(decision) and not _worse(decision, incident, desk):
        return moved
    moved = replace(moved, severity=decision.severity.name)
    return moved if decision.joins else replace(moved, rule=decision.rule.id, reason=decision.reason)


def _hides(decision: Decision) -> bool:
    """Whether an alert is known to fire that the notification does not name: it is not milder for that.

    Where several groups are gathered none names all, and the severity is that of all of them.
    """
    named = sum(ruling.alert.firing for ruling in decision.rulings)
    return not decision.gathered and decision.change.firing > named


def _recorded(decision: Decision, delivery: Delivery, incident: Incident | None, outcome: str) -> Effects:
    return Effects(
        delivery=delivery.id,
        outcome=outcome,
        decision=decision,
        incident=incident,
        due_at=delivery.received_at,
    )
