"""The path of an alert, from a stored notification to its messages. Nothing here waits, writes or sends.

    notification --read--> group --triage--> ``Effects``   one transaction: incident, pages due later, probes to run
    probes --> findings --diagnose--> ``DiagnosisResult``   saved with the incident; releases its pages or follows them
    due message + content of its incident --compose--> ``Report``   when it is sent

Notifications are stored by ``web/webhook.py``. ``workers/triage.py`` calls ``triage`` and commits its effects,
``workers/diagnosis.py`` runs the probes and calls ``diagnose``, then ``revise`` if the findings change the severity of
the incident. ``with_diagnosis`` is the same for what is not committed: dry runs and the demo. ``workers/senders.py``
and ``workers/delivery.py`` send due messages.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from responder.diagnose.conclude import conclude, matching_adjustment
from responder.engine.effects.context import DecisionContext, History
from responder.engine.effects.on_notification import effects_of
from responder.engine.effects.page import counts, marked_as_paged, messages_for, of_severity
from responder.model.alert import AlertGroup
from responder.model.clock import time_between
from responder.model.conclusion_codes import closest
from responder.model.delivery import AdjustedSeverity, DiagnosisRequest, DiagnosisResult, Effects, Notification
from responder.model.finding import Finding
from responder.model.flood import FloodState
from responder.model.incident import FindingAdjustment, Incident, SeverityOverride
from responder.model.message import OutboxMessage
from responder.model.report import IncidentContent, MessageKind
from responder.notify.delivery.route import route, with_non_paging
from responder.notify.report.compose import title
from responder.notify.report.content import bare, with_findings, with_severity
from responder.triage.decide import decide
from responder.triage.lifecycle import without_dropped, without_outdated


def triage(
    group: AlertGroup,
    notification: Notification,
    history: History,
    context: DecisionContext,
    flood_state: FloodState | None = None,
) -> Effects:
    """Return the effects of a notification of ``group``, given the history of the group and the active floods."""
    believed = without_outdated(group, history.incident, notification.received_at, context.timing)
    believed, dropped = without_dropped(believed, history.incident, context.matching, notification.received_at)
    decision = decide(
        believed,
        context.book,
        context.matching,
        history.incident,
        notification.id,
        notification.received_at,
        context.timing,
    )
    decision = replace(decision, dropped=dropped) if dropped else decision
    return effects_of(decision, believed, notification, history, context, flood_state)


def diagnose(work: DiagnosisRequest, findings: tuple[Finding, ...], context: DecisionContext) -> DiagnosisResult:
    """Return the conclusion of all findings, and the severity that they lead to.

    The conclusion has the first step and the runbook that the rule names for it, unless a reload has removed the rule.
    """
    conclusion = conclude(findings, work.subject)
    rule = context.book.rule(work.rule)
    if rule is not None:
        conclusion = replace(
            conclusion,
            first_step=closest(conclusion.code, rule.first_steps) or conclusion.first_step,
            runbook=context.links.by_conclusion(rule, conclusion.code, work.labels),
        )
    return DiagnosisResult(findings=findings, conclusion=conclusion, adjusted=adjusted_severity(work, findings))


@dataclass(frozen=True, slots=True)
class SeverityRevision:
    """The effects of findings on an incident: its next state and content, and the messages that follow.

    ``messages`` are updates for the channels that were notified and pages for those that the new severity adds;
    ``withdrawn`` are the channels whose pages are withdrawn before they are sent.
    """

    incident: Incident
    content: IncidentContent
    priority: int
    messages: tuple[OutboxMessage, ...] = ()
    withdrawn: tuple[str, ...] = ()


def adjusted_severity(work: DiagnosisRequest, findings: tuple[Finding, ...]) -> AdjustedSeverity | None:
    """Return the severity that the findings lead to, with the reason; None if it does not change."""
    found = matching_adjustment(work.adjustments, findings)
    if found is None or work.opened_at is None or found[0].severity.name == work.severity:
        return None
    adjustment, because = found
    word = "raised" if adjustment.severity.priority < work.priority else "lowered"
    return AdjustedSeverity(adjustment, f"{word} from {work.severity} to {adjustment.severity.name} because {because}")


def revise(
    incident: Incident | None,
    content: IncidentContent | None,
    work: DiagnosisRequest,
    diagnosed: DiagnosisResult,
    waiting: Collection[str],
    context: DecisionContext,
    now: datetime,
) -> SeverityRevision | None:
    """Return the change that the findings lead to; None if there is none or the incident has changed meanwhile.

    ``waiting`` are the channels whose pages are not sent yet: only these can be withdrawn. Pagers that already paged
    are not notified of a lower severity.
    """
    adjusted = diagnosed.adjusted
    if adjusted is None or incident is None or not incident.open or incident.severity != work.severity:
        return None
    adjustment, why = adjusted.adjustment, adjusted.reason
    found = SeverityOverride(severity=adjustment.severity.name, given=work.severity, reason=why)
    content = with_findings(content or bare(incident, context.book), diagnosed.findings, diagnosed.conclusion)
    content = with_severity(
        content, adjustment.severity, f"{work.reason}; {why}", suppressed_by=adjustment.suppressed_by
    )
    moved = replace(
        incident,
        severity=adjustment.severity.name,
        title=title(content.decision, content.findings),
        reason=f"{incident.reason}; {why}",
        severity_override=found,
    )
    if not incident.channels:
        return SeverityRevision(moved, content, priority=adjustment.severity.priority)
    rule = context.book.rule(content.decision.rule)
    own_channels = of_severity(adjustment.severity, rule, content.decision.components, context)
    wanted = tuple(dict.fromkeys((*_wanted(work, adjustment, context), *own_channels)))
    worse = adjustment.severity.priority < work.priority
    withdrawn = tuple(name for name in work.channels if name in waiting and name not in wanted)
    added = tuple(name for name in wanted if name not in incident.channels)
    kept = tuple(name for name in incident.channels if name not in withdrawn)
    follows = context.configured(name for name in kept if name not in waiting and (worse or name not in context.pagers))
    facts = counts(incident)
    own, priority = (incident.id, work.ordering_key), adjustment.severity.priority
    pages = messages_for(
        own, MessageKind.START, facts, (context.channels[name] for name in added), priority=priority, due_at=now
    )
    updated_facts = replace(facts, update=f"{why}; {late_note(work, now)}")
    updates = messages_for(own, MessageKind.UPDATE, updated_facts, follows, priority=priority, due_at=now)
    return SeverityRevision(
        marked_as_paged(replace(moved, channels=kept + added), added, context),
        content,
        priority=priority,
        messages=(*updates, *pages),
        withdrawn=withdrawn,
    )


def late_note(work: DiagnosisRequest, now: datetime) -> str:
    """Return the text on how long after the page the diagnosis finished."""
    after = f"{time_between(work.decided_at, now)} after" if work.decided_at else "after"
    return f"diagnosis finished {after} the page was written"


def with_diagnosis(
    effects: Effects, work: DiagnosisRequest, diagnosed: DiagnosisResult, context: DecisionContext, now: datetime
) -> Effects:
    """Return the effects of a notification whose diagnosis ended before any page was sent."""
    waiting = {message.channel for message in effects.messages if message.enrich}
    revision = revise(effects.incident, effects.content, work, diagnosed, waiting, context, now)
    if revision is None:
        content = effects.content and with_findings(effects.content, diagnosed.findings, diagnosed.conclusion)
        return replace(effects, content=content)
    pages = tuple(
        replace(message, priority=revision.priority) if message.enrich else message
        for message in effects.messages
        if message.channel not in revision.withdrawn
    )
    return replace(effects, incident=revision.incident, content=revision.content, messages=pages + revision.messages)


def _wanted(work: DiagnosisRequest, adjustment: FindingAdjustment, context: DecisionContext) -> tuple[str, ...]:
    requested_channels = (
        with_non_paging(work.requested_channels, context.channels)
        if adjustment.suppressed_by
        else work.requested_channels
    )
    return route(requested_channels, adjustment.severity.pages and not adjustment.suppressed_by, context.channels)
