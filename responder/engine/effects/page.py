"""The page of an incident that begins, returns or concerns more people, and the work that improves it. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from responder.engine.effects.context import Desk
from responder.engine.effects.incident_state import whom
from responder.engine.effects.messages import group_counts, messages
from responder.model.alert import AlertGroup
from responder.model.content import IncidentContent
from responder.model.decision import Decision
from responder.model.delivery import Delivery, Effects, Work
from responder.model.flood import Tide
from responder.model.incident import ChangeKind, Incident
from responder.model.report import Moment
from responder.model.text import tidy_line
from responder.notify.report.compose import title
from responder.notify.report.durations import LINE_LIMIT
from responder.notify.report.record import content_of, headed
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
    page = opened(decision, group, delivery, incident, channels, desk, history=before)
    if weighed is None:
        return page
    return replace(page, flood=weighed.flood, outcome="; ".join(filter(None, (page.outcome, weighed.why))))


def _held(decision: Decision, delivery: Delivery, incident: Incident, weighed: Weighed, desk: Desk) -> Effects:
    """The incident is written, and nothing else: the digest tells of it."""
    why = f"{incident.reason}; {weighed.held}"
    quiet = replace(
        incident,
        title=headed(decision, incident, desk.book.environment),
        reason=why,
        channels=(),
        digest=weighed.flood.digest,
    )
    return recorded(decision, delivery, quiet, why)


def page_after(decision: Decision, group: AlertGroup, delivery: Delivery, incident: Incident, desk: Desk) -> Effects:
    """The page of an open incident that only the digest of a flood mentioned, now that the flood is over."""
    channels = whom(decision, desk)
    page = opened(decision, group, delivery, replace(incident, channels=channels), channels, desk)
    return replace(page, delivery=None, outcome=f"{incident.id} still fires after {incident.digest}: paged by itself")


def opened(
    decision: Decision,
    group: AlertGroup,
    delivery: Delivery,
    incident: Incident,
    to: tuple[str, ...],
    desk: Desk,
    why: str = "",
    history: str = "",
    before: IncidentContent | None = None,
) -> Effects:
    """Open pages on the channels ``to``: they leave when the diagnosis is done, at the page budget at the latest.

    ``why`` says what led to them where it is not the notification, ``history`` how often the same happened, and
    ``before`` is the content of the incident so far.
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
    work = Work(
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
        Moment.AGAIN if again else Moment.START,
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


def recorded(decision: Decision, delivery: Delivery, incident: Incident | None, outcome: str) -> Effects:
    """Nothing to tell: what became of the delivery, and of its incident where it has one, is remembered."""
    return Effects(delivery=delivery.id, outcome=outcome, decision=decision, incident=incident)
