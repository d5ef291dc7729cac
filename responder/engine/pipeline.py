"""The path of an alert, from a stored notification to its messages. Nothing here waits, writes or sends.

    notification --read--> group --triage--> ``Effects``   one transaction: incident, pages due later, probes to run
    probes --> findings --diagnose--> ``DiagnosisResult``   saved with the incident; releases its pages or follows them
    due message + content of its incident --compose--> ``Report``   when it is sent

Notifications are stored by ``web/webhook.py``. Effects are committed by ``workers/triage.py``, probes are run by
``workers/diagnosis.py``, and due messages are sent by ``workers/delivery.py``.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from responder.diagnose.conclude import conclude, judge
from responder.engine.effects.context import DecisionContext, History
from responder.engine.effects.on_notification import follow
from responder.engine.effects.page import counts, messages
from responder.model.alert import AlertGroup
from responder.model.clock import between
from responder.model.content import IncidentContent
from responder.model.decision import FindingAdjustment
from responder.model.delivery import AdjustedSeverity, DiagnosisRequest, DiagnosisResult, Effects, Notification
from responder.model.finding import Finding
from responder.model.flood import FloodState
from responder.model.incident import Incident, SeverityOverride
from responder.model.message import OutboxMessage
from responder.model.report import MessageKind
from responder.notify.delivery.route import route, with_a_reader
from responder.notify.report.compose import title
from responder.notify.report.content import bare, with_findings, with_severity
from responder.triage.decide import decide
from responder.triage.lifecycle import believe


def triage(
    group: AlertGroup, delivery: Notification, history: History, desk: DecisionContext, tide: FloodState | None = None
) -> Effects:
    """Return the effects of a notification of ``group``, given the history of the group and the active floods."""
    believed = believe(group, history.incident, delivery.received_at, desk.patience)
    decision = decide(
        believed, desk.book, desk.matching, history.incident, delivery.id, delivery.received_at, desk.patience
    )
    return follow(decision, believed, delivery, history, desk, tide)


def diagnose(work: DiagnosisRequest, findings: tuple[Finding, ...]) -> DiagnosisResult:
    """Return the conclusion of all findings, and the severity that they lead to."""
    return DiagnosisResult(
        findings=findings, conclusion=conclude(findings, work.subject), turned=judged(work, findings)
    )


@dataclass(frozen=True, slots=True)
class SeverityRevision:
    """The effects of findings on an incident: its next state and content, and the messages that follow.

    ``drafts`` are updates for the channels that were notified and pages for those that the new severity adds;
    ``withdrawn`` are the channels whose pages are withdrawn before they are sent.
    """

    incident: Incident
    content: IncidentContent
    rank: int
    drafts: tuple[OutboxMessage, ...] = ()
    withdrawn: tuple[str, ...] = ()


def judged(work: DiagnosisRequest, findings: tuple[Finding, ...]) -> AdjustedSeverity | None:
    """Return the severity that the findings lead to, with the reason; None if it does not change."""
    found = judge(work.turns, findings)
    if found is None or work.opened_at is None or found[0].severity.name == work.severity:
        return None
    turn, because = found
    word = "raised" if turn.severity.rank < work.rank else "lowered"
    return AdjustedSeverity(turn, f"{word} from {work.severity} to {turn.severity.name} because {because}")


def revise(
    incident: Incident | None,
    content: IncidentContent | None,
    work: DiagnosisRequest,
    diagnosed: DiagnosisResult,
    waiting: Collection[str],
    desk: DecisionContext,
    now: datetime,
) -> SeverityRevision | None:
    """Return the change that the findings lead to; None if there is none or the incident has changed meanwhile.

    ``waiting`` are the channels whose pages are not sent yet: only these can be withdrawn. Pagers that already paged
    are not notified of a lower severity.
    """
    turned = diagnosed.turned
    if turned is None or incident is None or not incident.open or incident.severity != work.severity:
        return None
    turn, why = turned.turn, turned.reason
    found = SeverityOverride(severity=turn.severity.name, given=work.severity, reason=why)
    content = with_findings(content or bare(incident, desk.book), diagnosed.findings, diagnosed.conclusion)
    content = with_severity(content, turn.severity, f"{work.reason}; {why}", held=turn.held)
    moved = replace(
        incident,
        severity=turn.severity.name,
        title=title(content.decision, content.findings),
        reason=f"{incident.reason}; {why}",
        found=found,
    )
    if not incident.channels:
        return SeverityRevision(moved, content, rank=turn.severity.rank)
    wanted = _wanted(work, turn, desk)
    worse = turn.severity.rank < work.rank
    withdrawn = tuple(name for name in work.channels if name in waiting and name not in wanted)
    added = tuple(name for name in wanted if name not in incident.channels)
    kept = tuple(name for name in incident.channels if name not in withdrawn)
    follows = desk.configured(name for name in kept if name not in waiting and (worse or name not in desk.pagers))
    facts = counts(incident)
    own, rank = (incident.id, work.stream), turn.severity.rank
    pages = messages(*own, MessageKind.START, facts, (desk.channels[name] for name in added), rank=rank, due_at=now)
    told = replace(facts, update=f"{why}; {late(work, now)}")
    updates = messages(*own, MessageKind.UPDATE, told, follows, rank=rank, due_at=now)
    return SeverityRevision(
        replace(moved, channels=kept + added),
        content,
        rank=rank,
        drafts=(*updates, *pages),
        withdrawn=withdrawn,
    )


def late(work: DiagnosisRequest, now: datetime) -> str:
    """Return the text on how long after the page the diagnosis finished."""
    after = f"{between(work.decided_at, now)} after" if work.decided_at else "after"
    return f"diagnosis finished {after} the page was written"


def improved(
    effects: Effects, work: DiagnosisRequest, diagnosed: DiagnosisResult, desk: DecisionContext, now: datetime
) -> Effects:
    """Return the effects of a notification whose diagnosis ended before any page was sent."""
    waiting = {draft.channel for draft in effects.drafts if draft.enrich}
    revision = revise(effects.incident, effects.content, work, diagnosed, waiting, desk, now)
    if revision is None:
        content = effects.content and with_findings(effects.content, diagnosed.findings, diagnosed.conclusion)
        return replace(effects, content=content)
    pages = tuple(
        replace(draft, rank=revision.rank) if draft.enrich else draft
        for draft in effects.drafts
        if draft.channel not in revision.withdrawn
    )
    return replace(effects, incident=revision.incident, content=revision.content, drafts=pages + revision.drafts)


def _wanted(work: DiagnosisRequest, turn: FindingAdjustment, desk: DecisionContext) -> tuple[str, ...]:
    wished = with_a_reader(work.wished, desk.channels) if turn.held else work.wished
    return route(wished, turn.severity.pages and not turn.held, desk.channels)
