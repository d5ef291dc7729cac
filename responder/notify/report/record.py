"""Triage's decision and its alerts as the content of an incident, from which its messages are composed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import responder
from responder.model.alert import AlertGroup
from responder.model.content import AlertExtract, AlertMember, DecisionRecord, IncidentContent
from responder.model.decision import Decision
from responder.model.finding import NOTHING, Conclusion, Finding
from responder.model.incident import Incident
from responder.model.rule import RuleBook, Severity
from responder.model.text import tidy_line
from responder.notify.report import facts
from responder.notify.report.durations import TITLE_LIMIT
from responder.notify.report.links import LinkMaker

#: Alerts of a group that are kept with their labels and annotations.
MOST_MEMBERS = 20
#: Characters kept of one annotation.
ANNOTATION_LIMIT = 400
#: Annotations kept of one alert.
MOST_ANNOTATIONS = 20
REASON_LIMIT = 500


def content_of(
    decision: Decision,
    group: AlertGroup,
    incident: Incident,
    book: RuleBook,
    links: LinkMaker,
    *,
    now: datetime,
    probes: tuple[str, ...] = (),
    history: str = "",
    before: IncidentContent | None = None,
) -> IncidentContent:
    """The content of an incident after a notification of its own group.

    ``probes`` names the probes that are started now: findings made before belong to an earlier page then. ``history``
    says how often the same happened before.
    """
    alerts = extract(decision, group, incident)
    kept = before if before is not None and not probes else None
    record = _record(decision, group, incident, book, links, alerts, now)
    record = replace(record, probes=probes or (kept.decision.probes if kept else ()))
    record = replace(record, history=history or (before.decision.history if before else ""))
    return IncidentContent(
        incident=incident.id,
        decision=record,
        alerts=alerts,
        findings=kept.findings if kept else (),
        conclusion=kept.conclusion if kept else NOTHING,
    )


def _record(
    decision: Decision,
    group: AlertGroup,
    incident: Incident,
    book: RuleBook,
    links: LinkMaker,
    alerts: AlertExtract,
    now: datetime,
) -> DecisionRecord:
    severity, rule, subject = decision.severity, decision.rule, decision.subject
    service = book.services.get(subject.service) if subject.service else None
    name = facts.name(decision)
    return DecisionRecord(
        title=_stem(decision, incident),
        severity=severity.name,
        severity_reason=tidy_line("; ".join(filter(None, (decision.ruling.reason, decision.held))), REASON_LIMIT),
        pagerduty_severity=severity.pagerduty,
        pages=decision.pages,
        service=name,
        environment=book.environment,
        namespace=tidy_line(subject.namespace or book.namespace, 63),
        alertname=tidy_line(decision.ruling.alert.name, 120),
        impact=rule.impact or facts.impact(service, book),
        first_step=rule.first_step,
        response=severity.response,
        responders=severity.responders,
        respond_within=severity.respond_within,
        respond_from=incident.reopened_at or incident.opened_at,
        next_update=severity.next_update,
        owner=rule.owner or (service.owner if service else "unknown: the service is not in the catalogue"),
        lead=facts.lead(book),
        escalation=facts.escalation(book),
        room=facts.room(incident.opened_at, name),
        runbook=links.runbook(rule.runbook),
        links=links.around(group, service, since=alerts.started_at, now=now),
        rule=rule.id,
        made_by=f"responder {responder.__version__}, rules {book.revision[:12]}, rule {rule.id}",
        note=rule.note,
    )


def _stem(decision: Decision, incident: Incident) -> str:
    symptom = f"{facts.symptom(decision)}{facts.flapped(incident)}"
    return tidy_line(f"[{decision.severity.name}] {symptom}", TITLE_LIMIT)


def headed(decision: Decision, incident: Incident, environment: str) -> str:
    """The title of an incident that has no page of its own."""
    tail = f" ({environment})" if environment else ""
    return f"{tidy_line(_stem(decision, incident), TITLE_LIMIT - len(tail))}{tail}"


def extract(decision: Decision, group: AlertGroup, incident: Incident) -> AlertExtract:
    """The alerts of a group, bounded: firing alerts first."""
    ordered = sorted(group.alerts, key=lambda alert: not alert.firing)
    return AlertExtract(
        summary=facts.summary(decision, group),
        truncated=group.truncated,
        started_at=facts.started(decision, group, incident),
        dated=facts.dated(group),
        flaps=incident.flaps,
        related=facts.related(decision),
        labels=facts.labels(group.common_labels),
        members=tuple(
            AlertMember(
                fingerprint=alert.fingerprint,
                firing=alert.firing,
                labels=facts.labels(alert.labels),
                annotations={
                    tidy_line(name, 100): tidy_line(text, ANNOTATION_LIMIT)
                    for name, text in sorted(alert.annotations.items())[:MOST_ANNOTATIONS]
                },
            )
            for alert in ordered[:MOST_MEMBERS]
        ),
    )


def with_findings(content: IncidentContent, findings: Sequence[Finding], conclusion: Conclusion) -> IncidentContent:
    """The content with what the probes found."""
    return replace(content, findings=tuple(findings), conclusion=conclusion)


def with_severity(content: IncidentContent, severity: Severity, reason: str, *, held: str = "") -> IncidentContent:
    """The content with another severity. ``reason`` says why, ``held`` why on-call is not paged although it pages."""
    old = content.decision
    record = replace(
        old,
        title=tidy_line(f"[{severity.name}] {old.title.removeprefix(f'[{old.severity}] ')}", TITLE_LIMIT),
        severity=severity.name,
        severity_reason=tidy_line("; ".join(filter(None, (reason, held))), REASON_LIMIT),
        pagerduty_severity=severity.pagerduty,
        pages=severity.pages and not held,
        response=severity.response,
        responders=severity.responders,
        respond_within=severity.respond_within,
        next_update=severity.next_update,
    )
    return replace(content, decision=record)


def joined(before: IncidentContent, decision: Decision) -> IncidentContent:
    """The content after a notification of another group of the same incident: only its severity may change."""
    if decision.severity.name == before.decision.severity:
        return before
    return with_severity(before, decision.severity, decision.ruling.reason, held=decision.held)


def bare(incident: Incident, book: RuleBook) -> IncidentContent:
    """What can be said about an incident without its content: its row, and the rules in force."""
    severity = book.severities.get(incident.severity)
    record = DecisionRecord(
        title=(incident.title or f"[{incident.severity}] {incident.service}").removesuffix(f" ({book.environment})"),
        severity=incident.severity,
        severity_reason=tidy_line(incident.reason, REASON_LIMIT),
        pagerduty_severity=severity.pagerduty if severity else "error",
        pages=severity.pages if severity else True,
        service=incident.service,
        environment=book.environment,
        namespace=book.namespace,
        alertname="",
        impact="",
        response=severity.response if severity else "",
        responders=severity.responders if severity else "",
        respond_within=severity.respond_within if severity else None,
        respond_from=incident.reopened_at or incident.opened_at,
        next_update=severity.next_update if severity else 0.0,
        lead=facts.lead(book),
        escalation=facts.escalation(book),
        room=facts.room(incident.opened_at, incident.service),
        rule=incident.rule,
        made_by=f"responder, rule {incident.rule}",
    )
    alerts = AlertExtract(summary=incident.title, counted=False, started_at=incident.opened_at)
    return IncidentContent(incident=incident.id, decision=record, alerts=alerts)
