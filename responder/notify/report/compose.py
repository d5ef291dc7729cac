"""What people read: triage's decision and the diagnosis' findings become a channel-neutral report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import responder
from responder.model.alert import AlertGroup
from responder.model.decision import Decision
from responder.model.finding import Conclusion, Finding, Verdict
from responder.model.incident import ChangeKind, Incident
from responder.model.report import Moment, Report, Status
from responder.model.rule import RuleBook, Severity
from responder.model.text import number_of, tidy_line
from responder.notify.report import facts
from responder.notify.report.durations import lasted
from responder.notify.report.links import LinkMaker

POSTMORTEM_WITHIN = timedelta(hours=48)  # BUTTERFLY's resolution template
TITLE_LIMIT = 120
LINE_LIMIT = 500


def opening(
    decision: Decision,
    group: AlertGroup,
    incident: Incident,
    book: RuleBook,
    *,
    now: datetime,
    links: LinkMaker,
    pending: tuple[str, ...],
    history: str = "",
) -> Report:
    """The page of a new incident, complete before any probe has answered; ``pending`` names the probes to come.

    ``history`` says how often the same happened before.
    """
    severity, rule, subject = decision.severity, decision.rule, decision.subject
    service = book.services.get(subject.service) if subject.service else None
    started = facts.started(decision, group, incident)
    name = facts.name(decision)
    return Report(
        moment=Moment.START,
        status=Status.INVESTIGATING,
        incident=incident.id,
        dedup_key=incident.dedup_key,
        title=headed(decision, incident, book),
        severity=severity.name,
        severity_reason=tidy_line("; ".join(filter(None, (decision.ruling.reason, decision.held))), LINE_LIMIT),
        pagerduty_severity=severity.pagerduty,
        pages=decision.pages,
        service=name,
        environment=book.environment,
        namespace=tidy_line(subject.namespace or book.namespace, 63),
        alertname=tidy_line(decision.ruling.alert.name, 120),
        what=facts.what(decision, group, incident, started, now),
        impact=rule.impact or facts.impact(service, book),
        first_step=rule.first_step,
        related=facts.related(decision),
        clock=facts.clock(severity, incident.reopened_at or incident.opened_at, now),
        owner=rule.owner or (service.owner if service else "unknown: the service is not in the catalogue"),
        lead=facts.lead(book),
        escalation=facts.escalation(book),
        room=facts.room(incident.opened_at, name),
        runbook=links.runbook(rule.runbook),
        links=links.around(group, service, since=started, now=now),
        pending=pending,
        firing=len(group.firing),
        resolved=len(group.alerts) - len(group.firing),
        truncated=group.truncated,
        labels=facts.labels(group.common_labels),
        rule=rule.id,
        made_by=f"responder {responder.__version__}, rules {book.revision[:12]}, rule {rule.id}",
        started_at=started,
        written_at=now,
        next_update=now + timedelta(seconds=severity.next_update),
        note=rule.note,
        history=history,
    )


def again(report: Report, reason: str) -> Report:
    """The page of an incident that fires again, made of the one it would have as a new one."""
    return replace(report, moment=Moment.AGAIN, update=tidy_line(reason, LINE_LIMIT))


def headed(decision: Decision, incident: Incident, book: RuleBook) -> str:
    """The title before any probe has answered."""
    return _title(
        f"[{decision.severity.name}] {facts.symptom(decision)}{facts.flapped(incident)}", "", book.environment
    )


def changed(
    decision: Decision,
    group: AlertGroup,
    incident: Incident,
    book: RuleBook,
    *,
    now: datetime,
    links: LinkMaker,
    before: Report | None = None,
) -> Report:
    """An update: the group grew or partly resolved. ``before`` is the last report: its findings stay on the page."""
    if decision.joins and before is not None:
        return _joined(before, decision, incident, now)
    history = before.history if before else ""
    report = opening(decision, group, incident, book, now=now, links=links, pending=(), history=history)
    easing = decision.change.kind in {ChangeKind.PARTLY_RESOLVED, ChangeKind.HELD}
    report = replace(
        report,
        moment=Moment.UPDATE,
        status=Status.MONITORING if easing else Status.INVESTIGATING,
        update=tidy_line(decision.change.reason, LINE_LIMIT),
    )
    if before is None or not before.findings:
        return report
    kept = _found(report, before.findings, before.conclusion)
    return replace(kept, status=Status.MONITORING) if easing else kept


def _joined(before: Report, decision: Decision, incident: Incident, now: datetime) -> Report:
    """News of another group of the incident: what people know of it stays, and the news is told beside it."""
    who = tidy_line(decision.ruling.alert.name, 100) or "an alert without a name"
    severity, why = decision.severity, decision.ruling.reason
    report = before
    if severity.name != before.severity:
        report = toned(before, severity, why, opened_at=incident.opened_at, held=decision.held)
    return replace(
        report,
        moment=Moment.UPDATE,
        status=before.status if before.status is not Status.RESOLVED else Status.INVESTIGATING,
        update=tidy_line(f"{who}: {decision.change.reason}", LINE_LIMIT),
        firing=decision.change.firing,
        resolved=len(decision.change.alerts) - decision.change.firing,
        pending=(),
        written_at=now,
        next_update=now + timedelta(seconds=severity.next_update),
        ended_at=None,
    )


def closing(
    decision: Decision,
    group: AlertGroup,
    incident: Incident,
    book: RuleBook,
    *,
    now: datetime,
    links: LinkMaker,
    before: Report | None = None,
) -> Report:
    """The resolution. Alertmanager says that it is over, not why: cause and fix are left to the post-mortem."""
    report = changed(decision, group, incident, book, now=now, links=links, before=before)
    ended = facts.ended(decision, group, report.started_at, now)
    cause = report.conclusion.likely
    return replace(
        report,
        moment=Moment.RESOLUTION,
        status=Status.RESOLVED,
        what=facts.summary(decision, group),
        root_cause=f"not yet confirmed; likely: {cause}" if cause else "not yet known",
        resolution=f"{report.update}; what fixed it is not recorded yet",
        ended_at=ended,
        next_update=None,
        postmortem_due=ended + POSTMORTEM_WITHIN,
    )


def enriched(report: Report, findings: Sequence[Finding], conclusion: Conclusion, *, now: datetime) -> Report:
    """The page with what the probes found: the worst number goes to the title, nothing that was there is lost."""
    found = _found(report, tuple(findings), conclusion)
    next_update = report.next_update + (now - report.written_at) if report.next_update else None
    made_by = f"{report.made_by}{_probed(findings)}"
    return replace(found, pending=(), written_at=now, next_update=next_update, made_by=made_by)


def late(report: Report, findings: Sequence[Finding], conclusion: Conclusion, *, now: datetime) -> Report:
    """What came after the page had left: the same incident, told as an addition."""
    update = f"diagnosis finished {lasted((now - report.written_at).total_seconds())} after the page was written"
    return replace(enriched(report, findings, conclusion, now=now), moment=Moment.LATE, update=update)


def toned(report: Report, severity: Severity, reason: str, *, opened_at: datetime, held: str = "") -> Report:
    """The report with another severity and all that follows from it; ``reason`` says why, ``held`` why nobody wakes."""
    title = f"[{severity.name}] {report.title.removeprefix(f'[{report.severity}] ')}"
    why = "; ".join(filter(None, (reason, held)))
    next_update = report.written_at + timedelta(seconds=severity.next_update)
    return replace(
        report,
        title=tidy_line(title, TITLE_LIMIT),
        severity=severity.name,
        severity_reason=tidy_line(why, LINE_LIMIT),
        pagerduty_severity=severity.pagerduty,
        pages=severity.pages and not held,
        clock=facts.clock(severity, opened_at, report.written_at),
        next_update=next_update if report.next_update else None,
    )


def _found(report: Report, findings: tuple[Finding, ...], conclusion: Conclusion) -> Report:
    return replace(
        report,
        findings=findings,
        conclusion=conclusion,
        title=_title(_stem(report), _worst(findings, report.service), report.environment),
        status=Status.IDENTIFIED if conclusion.likely and report.status is Status.INVESTIGATING else report.status,
    )


def _stem(report: Report) -> str:
    return report.title.removesuffix(f" ({report.environment})")


def _title(stem: str, fact: str, environment: str) -> str:
    """At most 120 characters: the symptom first, then as much of the fact as fits."""
    tail = f" ({environment})" if environment else ""
    stem = tidy_line(stem, TITLE_LIMIT - len(tail))
    room = TITLE_LIMIT - len(stem) - len(tail) - len(" — ")
    return f"{stem} — {tidy_line(fact, room)}{tail}" if fact and room >= 12 and " — " not in stem else f"{stem}{tail}"


def _worst(findings: Sequence[Finding], service: str) -> str:
    """The fact of the worst bad finding, the service's own first; empty where none is bad.

    The title names the service already. What was found about another one keeps that one's name.
    """
    bad = [each for each in findings if each.verdict is Verdict.BAD]
    worst = min(bad, key=lambda each: (each.warning, each.target != service), default=None)
    return worst.headline.removeprefix(f"{service}: ") if worst else ""


def _probed(findings: Sequence[Finding]) -> str:
    if not findings:
        return ""
    unknown = sum(each.verdict is Verdict.UNKNOWN for each in findings)
    count = f"{number_of(len(findings), 'probe')} in {max(each.duration for each in findings):.1f} s"
    return f", {count} ({unknown} unknown)" if unknown else f", {count}"
