"""Triage's decision and its alerts in words: the content of an incident, from which its messages are composed. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import responder
from responder.model.alert import DISTINCTIVE, Alert, AlertGroup
from responder.model.clock import TITLE_LIMIT, time_between, time_of_day, time_of_epoch
from responder.model.finding import NOTHING, Conclusion, Finding
from responder.model.incident import Decision, Incident
from responder.model.report import UNHANDLED, AlertExtract, AlertMember, DecisionRecord, IncidentContent
from responder.model.rule import RuleBook, Service, Severity
from responder.model.silence import Matchers
from responder.model.text import number_of, sanitize_line
from responder.notify.report.links import LinkBuilder
from responder.notify.report.titles import INSTANCE, VALUES, cluster, headline, name, own_words, stem

#: Days of history that a page mentions.
HISTORY_DAYS = 30

#: A start before this is no date: a zero, or a field that was never set.
_NO_DATE = datetime(2000, 1, 1, tzinfo=UTC)
#: Alerts that are named; the others are counted.
_TOP = 5
_MOST_LABELS = 200
#: Characters of one alert among the related ones.
_RELATED_LIMIT = 120

#: Incidents with the same cause that are counted.
MOST_ALIKE = 20


def elsewhere(alike: Sequence[Incident], now: datetime) -> str:
    """Return how often other groups had the same cause in the last HISTORY_DAYS, and the last one; empty if none."""
    if not alike:
        return ""
    more = " or more" if len(alike) >= MOST_ALIKE else ""
    often = "once" if len(alike) == 1 else f"{min(len(alike), MOST_ALIKE)} times{more}"
    last = max(alike, key=lambda each: each.opened_at)
    took = f" for {time_between(last.opened_at, last.resolved_at)}" if last.resolved_at else ", still open"
    when = time_of_day(last.opened_at, seen_from=now)
    return f"the same cause {often} elsewhere in {HISTORY_DAYS} days, last {last.id} ({last.service}) at {when}{took}"


def history(earlier: Incident | None, times: int, now: datetime) -> str:
    """Return the number of similar incidents in the last HISTORY_DAYS, and the last one; empty if there is none."""
    if earlier is None:
        return ""
    often = {0: "", 1: f"once in {HISTORY_DAYS} days, "}.get(times, f"{times} times in {HISTORY_DAYS} days, ")
    took = f" for {time_between(earlier.opened_at, earlier.resolved_at)}" if earlier.resolved_at else ""
    return f"{often}last {earlier.id} at {time_of_day(earlier.opened_at, seen_from=now)}{took}"


def summary(decision: Decision, group: AlertGroup) -> str:
    """Return the alert's own summary, or else its description, or the symptom."""
    summarized, described = _own_texts(decision, group)
    return (summarized or sanitize_line(described, 300)).rstrip(".") or headline(decision, group)


def description(decision: Decision, group: AlertGroup) -> str:
    """Return the alert's description if it has a summary that does not contain it."""
    summarized, described = _own_texts(decision, group)
    return described if summarized and described.rstrip(".") not in summarized else ""


def _own_texts(decision: Decision, group: AlertGroup) -> tuple[str, str]:
    own = decision.match.alert.annotations
    notes = {**own, **group.common_annotations} if len(group.alerts) > 1 else own
    summarized = INSTANCE.sub("", sanitize_line(notes.get("summary", "") or notes.get("message", ""), 300))
    described = VALUES.sub(r" (value \1)", sanitize_line(notes.get("description", ""), 400))
    # A summary that says no more than the title gives way to the description.
    repeats = summarized.rstrip(".").casefold() in headline(decision, group).casefold()
    return "" if described and repeats else summarized, described


def dated(group: AlertGroup) -> bool:
    """Return True if an alert of the group has a start time; zero counts as none."""
    return not group.alerts or any(alert.starts_at >= _NO_DATE for alert in group.alerts)


def outage_impact(service: Service | None) -> str:
    """Return the impact while a service of the catalog is down."""
    if service is None or not service.impact:
        return ""
    needing = ", ".join(service.needed_by)
    return f"{service.impact} Depended on by: {needing}." if needing else service.impact


def related(decision: Decision, group: AlertGroup) -> str:
    """The other firing alerts of the incident, five of them by name."""
    main = decision.match.alert
    others = [each.alert for each in decision.matches if each.alert.firing and each.alert is not main]
    names_ = list(dict.fromkeys(_differs(each, main, group) for each in others))
    if not names_:
        return ""
    more = f" and {len(names_) - _TOP} more" if len(names_) > _TOP else ""
    names = ", ".join(sanitize_line(name, _RELATED_LIMIT) or "alert without a name" for name in names_[:_TOP])
    return f"{number_of(len(others), 'more alert')}: {names}{more}"


def _differs(alert: Alert, main: Alert, group: AlertGroup) -> str:
    """Return the difference from the main alert: the name with the summary, or else the first label that differs."""
    if alert.name != main.name:
        said = own_words(alert, group) or sanitize_line(alert.annotations.get("description", ""), _RELATED_LIMIT)
        return f"{alert.name} ({said})" if said else alert.name
    ours, theirs = alert.labels, main.labels
    key = next((key for key in DISTINCTIVE if ours.get(key, "") != theirs.get(key, "")), None)
    if key is None:
        key = next((key for key in sorted(ours) if ours[key] != theirs.get(key, "")), None)
    return f"{key} {ours.get(key, '')}" if key is not None else "the same labels"


def lead(book: RuleBook, teams: Sequence[str] = ()) -> str:
    """Return the default incident lead: the first step of the escalation, empty for none."""
    return next(iter(_steps(book, teams)), "")


def escalation(book: RuleBook, teams: Sequence[str] = ()) -> str:
    """Return the steps of the escalation, in order: of the first team that has one, or of the installation."""
    return " → ".join(_steps(book, teams))


def next_contact(book: RuleBook, teams: Sequence[str] = ()) -> str:
    """Return the second step of the escalation, the first if there is only one, empty for none."""
    return next(iter(_steps(book, teams)[1::-1]), "")


def _steps(book: RuleBook, teams: Sequence[str]) -> tuple[str, ...]:
    own = (book.teams[team].escalation for team in teams if team in book.teams)
    return next(filter(None, own), tuple(f"{step.role} ({step.contact})" for step in book.escalation))


def labels(common: Mapping[str, str]) -> Mapping[str, str]:
    """Return the labels tidied; name and value together, so that ``password="..."`` is recognized."""
    shown: dict[str, str] = {}
    for key, value in sorted(common.items())[:_MOST_LABELS]:
        short, line = sanitize_line(key, 100), sanitize_line(f"{key}={value}", 400)
        shown[short] = line.removeprefix(f"{short}=")
    if len(common) > _MOST_LABELS:
        shown["…"] = f"{len(common) - _MOST_LABELS} more labels left out"
    return shown


def started(decision: Decision, group: AlertGroup, incident: Incident) -> datetime:
    """Return the start of the first alert; invalid dates do not count."""
    starts = [time_of_epoch(each.starts_at) for each in decision.change.alerts.values()]
    starts += [alert.starts_at for alert in group.alerts]
    return min((incident.opened_at, *(each for each in starts if each >= _NO_DATE)))


def firing_since(group: AlertGroup) -> datetime | None:
    """Return the start of the first alert that fires now, which may be later than that of the incident."""
    return min((each.starts_at for each in group.alerts if each.firing and each.starts_at >= _NO_DATE), default=None)


def ended(decision: Decision, group: AlertGroup, began: datetime, now: datetime) -> datetime:
    """Return the end of the last alert: never in the future, never before the start."""
    ends = [alert.ends_at for alert in group.alerts if alert.ends_at]
    ends += [time_of_epoch(each.ends_at) for each in decision.change.alerts.values() if each.ends_at is not None]
    return max(began, min(now, max(ends, default=now)))


#: Alerts of a group that are kept with their labels and annotations.
MOST_MEMBERS = 20
#: Characters kept of one annotation.
ANNOTATION_LIMIT = 400
#: Annotations kept of one alert.
MOST_ANNOTATIONS = 20
REASON_LIMIT = 500
#: Groups of an incident whose labels are kept. A silence takes fewer.
MOST_GROUPS = 50


def content_of(
    decision: Decision,
    group: AlertGroup,
    incident: Incident,
    book: RuleBook,
    links: LinkBuilder,
    *,
    now: datetime,
    probes: tuple[str, ...] = (),
    history: str = "",
    before: IncidentContent | None = None,
) -> IncidentContent:
    """The content of an incident after a notification of its own group.

    ``probes`` names the probes that are started now: findings made before belong to an earlier page then. ``history``
    says how often the same happened before. What people did is kept while the incident has the same page.
    """
    alerts = extract(decision, group, incident)
    alerts = replace(alerts, groups=_groups(before, group))
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
        handling=before.handling if before else UNHANDLED,
    )


def _record(
    decision: Decision,
    group: AlertGroup,
    incident: Incident,
    book: RuleBook,
    links: LinkBuilder,
    alerts: AlertExtract,
    now: datetime,
) -> DecisionRecord:
    severity, rule, subject = decision.severity, decision.rule, decision.subject
    service = book.services.get(subject.service) if subject.service else None
    subject_name, alert = name(decision), _with_common(decision.match.alert, group)
    runbook = links.runbook(
        rule.runbook, alert, first=rule.runbook_from if rule.matchers else links.annotations.runbook
    )
    teams = decision.route.teams
    several = f"The alerts of this group belong to {len(teams)} teams; each is notified: {', '.join(teams)}."
    return DecisionRecord(
        title=stem(decision, group, incident),
        cluster=cluster(decision, group),
        **_of_severity(severity),
        severity_reason=_reason(decision.match.reason, decision.suppressed_by),
        pages=decision.pages,
        service=subject_name,
        environment=book.environment,
        namespace=sanitize_line(subject.namespace, 63),
        alertname=sanitize_line(decision.match.alert.name, 120),
        impact=outage_impact(service) if service and rule.service_impact else rule.impact,
        outage_impact=outage_impact(service),
        first_step=rule.first_step,
        respond_from=incident.reopened_at or incident.opened_at,
        owner=rule.owner or " and ".join(teams) or (service.owner if service else ""),
        lead=lead(book, teams),
        escalation=escalation(book, teams),
        runbook=runbook,
        links=links.around(group, service, alert, runbook, since=alerts.started_at, now=now),
        rule=rule.id,
        made_by=f"{rule.id} (rules {book.revision[:12]}, responder {responder.__version__})",
        note=" ".join(filter(None, (rule.note, several if len(teams) > 1 else ""))),
        teams=teams,
        oncall_groups=_oncall_groups(book, teams),
        components=service.components if service else {},
        catalog_service=service.name if service else "",
    )


def _oncall_groups(book: RuleBook, teams: Sequence[str]) -> tuple[str, ...]:
    groups = (book.teams[team].oncall_group for team in teams if team in book.teams)
    return tuple(dict.fromkeys(filter(None, groups)))


def _with_common(alert: Alert, group: AlertGroup) -> Alert:
    """Return the alert with the annotations that all alerts of its group share added to its own."""
    return replace(alert, annotations={**group.common_annotations, **alert.annotations})


def headed(decision: Decision, group: AlertGroup, incident: Incident, environment: str) -> str:
    """The title of an incident that has no page of its own."""
    where = cluster(decision, group) or environment
    tail = f" ({where})" if where else ""
    return f"{sanitize_line(stem(decision, group, incident), TITLE_LIMIT - len(tail))}{tail}"


def extract(decision: Decision, group: AlertGroup, incident: Incident) -> AlertExtract:
    """The alerts of a group, bounded: firing alerts first."""
    ordered = sorted(group.alerts, key=lambda alert: not alert.firing)
    return AlertExtract(
        summary=summary(decision, group),
        description=description(decision, group),
        truncated=group.truncated,
        started_at=started(decision, group, incident),
        dated=dated(group),
        firing_since=firing_since(group),
        flaps=incident.flaps,
        related=related(decision, group),
        said=own_words(decision.match.alert, group),
        labels=labels(group.common_labels),
        annotations=_annotations(group.common_annotations),
        members=tuple(
            AlertMember(
                fingerprint=alert.fingerprint,
                firing=alert.firing,
                labels=labels(_own(alert.labels, group.common_labels)),
                annotations=_annotations(_own(alert.annotations, group.common_annotations)),
            )
            for alert in ordered[:MOST_MEMBERS]
        ),
    )


def _own(values: Mapping[str, str], shared: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if shared.get(name) != value}


def _annotations(values: Mapping[str, str]) -> dict[str, str]:
    kept = sorted(values.items())[:MOST_ANNOTATIONS]
    return {sanitize_line(name, 100): sanitize_line(text, ANNOTATION_LIMIT) for name, text in kept}


def with_findings(content: IncidentContent, findings: Sequence[Finding], conclusion: Conclusion) -> IncidentContent:
    """The content with what the probes found."""
    return replace(content, findings=tuple(findings), conclusion=conclusion)


def with_severity(
    content: IncidentContent, severity: Severity, reason: str, *, suppressed_by: str = ""
) -> IncidentContent:
    """The content with another severity. ``reason`` says why, ``suppressed_by`` why it does not page."""
    old = content.decision
    record = replace(
        old,
        title=sanitize_line(f"[{severity.name}] {old.title.removeprefix(f'[{old.severity}] ')}", TITLE_LIMIT),
        **_of_severity(severity),
        severity_reason=_reason(reason, suppressed_by),
        pages=severity.pages and not suppressed_by,
    )
    return replace(content, decision=record)


def _of_severity(severity: Severity) -> dict[str, Any]:
    """Return the fields of a decision that its severity alone determines."""
    return {
        "severity": severity.name,
        "pagerduty_severity": severity.pagerduty,
        "response": severity.response,
        "responders": severity.responders,
        "respond_within": severity.respond_within,
        "next_update": severity.next_update,
        "postmortem_due": severity.postmortem_due,
        "templates": severity.templates,
        "status_pages": severity.status_pages,
    }


def _reason(*parts: str) -> str:
    return sanitize_line("; ".join(filter(None, parts)), REASON_LIMIT)


def _groups(before: IncidentContent | None, group: AlertGroup) -> Mapping[str, Matchers]:
    """Return the labels of the newest groups of an incident, that of a notification last."""
    known = before.alerts.groups if before else {}
    others = [(key, labels) for key, labels in known.items() if key != group.dedup_key]
    return dict([*others[1 - MOST_GROUPS :], (group.dedup_key, group.group_labels)])


def joined(before: IncidentContent, decision: Decision, group: AlertGroup, book: RuleBook) -> IncidentContent:
    """The content after a notification of another group of the same incident.

    Only severity and teams may change, and the labels of the group are added.
    """
    if group.dedup_key not in before.alerts.groups:
        before = replace(before, alerts=replace(before.alerts, groups=_groups(before, group)))
    teams = tuple(dict.fromkeys((*before.decision.teams, *decision.route.teams)))
    if teams != before.decision.teams:
        before = replace(
            before, decision=replace(before.decision, teams=teams, oncall_groups=_oncall_groups(book, teams))
        )
    if decision.severity.name == before.decision.severity:
        return before
    return with_severity(before, decision.severity, decision.match.reason, suppressed_by=decision.suppressed_by)


def bare(incident: Incident, book: RuleBook) -> IncidentContent:
    """Return the content of an incident of which only its row and the rules in force are known."""
    severity, service = book.severities.get(incident.severity), book.services.get(incident.service)
    unknown: dict[str, Any] = {"severity": incident.severity, "pagerduty_severity": "error", "next_update": 0.0}
    record = DecisionRecord(
        title=(incident.title or f"[{incident.severity}] {incident.service}").removesuffix(f" ({book.environment})"),
        **(_of_severity(severity) if severity else unknown),
        severity_reason=_reason(incident.reason),
        pages=severity.pages if severity else True,
        service=incident.service,
        environment=book.environment,
        respond_from=incident.reopened_at or incident.opened_at,
        lead=lead(book),
        escalation=escalation(book),
        rule=incident.rule,
        made_by=incident.rule,
        components=service.components if service else {},
        catalog_service=service.name if service else "",
    )
    alerts = AlertExtract(summary=incident.title, counted=False, started_at=incident.opened_at)
    return IncidentContent(incident=incident.id, decision=record, alerts=alerts)
