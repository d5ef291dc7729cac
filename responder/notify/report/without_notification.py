"""What people read where no notification brought it: the last report, with what has become of its incident."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from responder.model.clock import moment as moment_of
from responder.model.incident import Incident
from responder.model.report import Moment, Report, Status
from responder.model.rule import RuleBook
from responder.model.text import tidy_line
from responder.notify.report import facts
from responder.notify.report.compose import LINE_LIMIT, POSTMORTEM_WITHIN


def news(before: Report | None, incident: Incident, update: str, book: RuleBook, *, now: datetime) -> Report:
    """An update that is no alarm: what we found out about the incident."""
    return _renewed(before, incident, Moment.UPDATE, Status.MONITORING, update, book, now)


def alarm(before: Report | None, incident: Incident, update: str, book: RuleBook, *, now: datetime) -> Report:
    """The page of an incident that fires after all."""
    reopened = not before or before.moment is Moment.RESOLUTION
    moment = Moment.AGAIN if reopened else Moment.UPDATE
    return _renewed(before, incident, moment, Status.INVESTIGATING, update, book, now)


def ending(before: Report | None, incident: Incident, why: str, book: RuleBook, *, now: datetime) -> Report:
    """The resolution of an incident of whose end no notification told; ``why`` says how we know."""
    report = _renewed(before, incident, Moment.RESOLUTION, Status.RESOLVED, why, book, now)
    last = max((known.ends_at or known.starts_at for known in incident.alerts.values()), default=now.timestamp())
    ended = min(now, max(report.started_at, moment_of(last)))
    cause = report.conclusion.likely
    return replace(
        report,
        root_cause=f"not yet confirmed; likely: {cause}" if cause else "not yet known",
        resolution=f"{report.update}; what fixed it is not recorded yet",
        ended_at=ended,
        next_update=None,
        postmortem_due=ended + POSTMORTEM_WITHIN,
        firing=0,
    )


def _renewed(
    before: Report | None,
    incident: Incident,
    moment: Moment,
    status: Status,
    update: str,
    book: RuleBook,
    now: datetime,
) -> Report:
    report, severity = before or _bare(incident, book, now), book.severities.get(incident.severity)
    since = incident.reopened_at or incident.opened_at
    return replace(
        report,
        moment=moment,
        status=status,
        update=tidy_line(update, LINE_LIMIT),
        clock=facts.clock(severity, since, now) if severity else report.clock,
        firing=sum(known.ends_at is None for known in incident.alerts.values()),
        resolved=sum(known.ends_at is not None for known in incident.alerts.values()),
        pending=(),
        written_at=now,
        next_update=now + timedelta(seconds=severity.next_update) if severity else None,
        root_cause="",
        resolution="",
        ended_at=None,
        postmortem_due=None,
    )


def _bare(incident: Incident, book: RuleBook, now: datetime) -> Report:
    """What can be said of an incident whose messages are gone."""
    severity = book.severities.get(incident.severity)
    return Report(
        moment=Moment.UPDATE,
        status=Status.INVESTIGATING,
        incident=incident.id,
        dedup_key=incident.dedup_key,
        title=incident.title or f"[{incident.severity}] {incident.service}",
        severity=incident.severity,
        severity_reason=tidy_line(incident.reason, LINE_LIMIT),
        pagerduty_severity=severity.pagerduty if severity else "error",
        pages=severity.pages if severity else True,
        service=incident.service,
        environment=book.environment,
        namespace=book.namespace,
        alertname="",
        what=incident.title,
        impact="",
        lead=facts.lead(book),
        escalation=facts.escalation(book),
        room=facts.room(incident.opened_at, incident.service),
        firing=0,
        rule=incident.rule,
        made_by=f"responder, rule {incident.rule}",
        started_at=incident.opened_at,
        written_at=now,
    )
