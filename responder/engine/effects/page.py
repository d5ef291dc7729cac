"""The page of an incident that begins, returns or concerns more people, and the work that improves it. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from responder.engine.effects.context import Desk
from responder.engine.effects.incident_state import next_state, whom
from responder.engine.effects.messages import messages
from responder.model.alert import AlertGroup
from responder.model.decision import Decision
from responder.model.delivery import Delivery, Effects, Work
from responder.model.flood import Tide
from responder.model.incident import UNJUDGED, ChangeKind, Incident
from responder.notify.report.compose import again, headed, opening
from responder.triage.flood import Weighed, weigh


def paged_or_held(
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
    page = opened(decision, group, delivery, incident, channels, desk, before=before)
    if weighed is None:
        return page
    return replace(page, flood=weighed.flood, outcome="; ".join(filter(None, (page.outcome, weighed.why))))


def _held(decision: Decision, delivery: Delivery, incident: Incident, weighed: Weighed, desk: Desk) -> Effects:
    """The incident is written, and nothing else: the digest tells of it."""
    why = f"{incident.reason}; {weighed.held}"
    quiet = replace(
        incident, title=headed(decision, incident, desk.book), reason=why, channels=(), digest=weighed.flood.digest
    )
    return recorded(decision, delivery, quiet, why)


def page_after(decision: Decision, group: AlertGroup, delivery: Delivery, incident: Incident, desk: Desk) -> Effects:
    """The page of an open incident that only the digest of a flood has told of, now that the flood is over.

    One on which triage broke may be known to some, and is judged by this, so that it does not come up again.
    """
    why = f"{incident.id} still fires after {incident.digest}: paged by itself"
    if incident.rule == UNJUDGED:
        incident = replace(next_state(incident, decision, delivery, desk), digest="")
    added = tuple(name for name in whom(decision, desk) if name not in incident.channels)
    if not added:
        why = f"{incident.id} is judged now, and known to all whom it concerns"
        return replace(recorded(decision, delivery, incident, why), delivery=None)
    told = replace(incident, channels=(*incident.channels, *added))
    return replace(opened(decision, group, delivery, told, added, desk), delivery=None, outcome=why)


def opened(
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
        drafts=messages(
            report,
            (desk.channels[name] for name in to),
            rank=rank,
            due_at=due_at,
            enrich=bool(pending),
            within=due_at,
        ),
        work=work if pending else None,
        due_at=due_at,
    )


def recorded(decision: Decision, delivery: Delivery, incident: Incident | None, outcome: str) -> Effects:
    """Nothing to tell: what became of the delivery, and of its incident where it has one, is remembered."""
    return Effects(
        delivery=delivery.id,
        outcome=outcome,
        decision=decision,
        incident=incident,
        due_at=delivery.received_at,
    )
