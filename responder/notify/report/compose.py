"""Composes a message at the moment it is sent: the content of its incident and its own facts become a report. Pure.

Delivery, ``dry-run``, replay and ``messages show`` call the same function.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from responder.model.clock import TITLE_LIMIT, ago, duration_in_minutes, short_duration, time_between, time_of_day
from responder.model.conclusion_codes import NONE
from responder.model.finding import Conclusion, Finding, Verdict
from responder.model.message import ClaimedMessage, OutboxMessage, OutboxRow
from responder.model.report import (
    NO_FACTS,
    AlertExtract,
    DecisionRecord,
    Handling,
    IncidentContent,
    MessageFacts,
    MessageKind,
    PublicText,
    Report,
    Status,
)
from responder.model.rule import TEMPLATE_SLOT, Link, Template
from responder.model.text import number_of, sanitize_line, seconds_of, sentence
from responder.notify.report.links import VENDOR_LINK

#: A first message that leaves this long after it was due says that it is late.
LATE_AFTER = timedelta(minutes=1)
#: Findings show their age from here on: later messages repeat them, also after a reload of the rules.
AGED_AFTER = timedelta(minutes=2)

_ENDINGS = frozenset({MessageKind.RESOLUTION, MessageKind.UNCLOSED, MessageKind.POSTMORTEM})
#: Messages whose text was written elsewhere.
_FOREIGN = frozenset({MessageKind.OPINION, MessageKind.POSTMORTEM})
_OPENINGS = frozenset({MessageKind.START, MessageKind.AGAIN, MessageKind.FALLBACK})
_TEMPLATES = {
    MessageKind.START: "start",
    MessageKind.AGAIN: "start",
    MessageKind.FALLBACK: "start",
    MessageKind.UPDATE: "update",
    MessageKind.RESOLUTION: "resolution",
}
_PUBLIC_TEMPLATES = {
    MessageKind.START: "public-start",
    MessageKind.AGAIN: "public-start",
    MessageKind.NOTE: "public-update",
    MessageKind.RESOLUTION: "public-resolution",
}


def compose_message(row: OutboxRow, now: datetime) -> ClaimedMessage:
    """The message of an outbox row as its channel renders it at ``now``."""
    return as_sent(row, None, now)


def as_sent(row: OutboxRow, report: Report | None, now: datetime) -> ClaimedMessage:
    """The message of an outbox row with the ``report`` of its last attempt, composed anew where there was none."""
    message = row.message
    if report is None:
        report = compose(row.content or without_content(row), message, now)
        if row.vendor_url:
            report = replace(report, links=(*report.links, Link(VENDOR_LINK, row.vendor_url)))
    return ClaimedMessage(
        id=row.id,
        channel=message.channel,
        step=message.step,
        priority=message.priority,
        report=report,
        due_at=message.due_at,
        attempt=row.attempt,
        minimal=row.minimal,
        previous=row.previous,
        written_at=row.written_at,
        vendor_incident=row.vendor_incident,
        before=row.before,
    )


def compose(content: IncidentContent, message: OutboxMessage, now: datetime) -> Report:
    """The report that a channel renders for ``message`` at ``now``: durations are those of this moment."""
    record, alerts, own = content.decision, content.alerts, message.facts
    resolution = message.kind in _ENDINGS
    findings = content.findings
    conclusion = content.conclusion.with_ages(lambda moment: f"{ago(now, moment)} ago")
    status = _status(message.kind, own, conclusion)
    runbook, links = runbook_and_links(record, conclusion)
    report = Report(
        kind=message.kind,
        status=status,
        incident=message.incident,
        dedup_key=message.ordering_key,
        title=title(record, findings, conclusion.brief),
        severity=record.severity,
        severity_reason=record.severity_reason,
        pagerduty_severity=record.pagerduty_severity,
        pages=record.pages and own.reaches_on_call,
        service=record.service,
        environment=record.environment,
        namespace=record.namespace,
        alertname=record.alertname,
        what=alerts.summary if resolution or not alerts.counted else what(alerts, own.firing, now, record.title),
        impact="" if status is Status.RESOLVED else _impact(record, findings),
        summary=alerts.said,
        update=own.update if message.kind in _FOREIGN else _update(message, now),
        conclusion=conclusion,
        first_step=first_step(record, conclusion),
        description=alerts.description,
        related=alerts.related,
        clock=clock(record, now),
        owner=record.owner,
        escalation=record.escalation,
        runbook=runbook,
        links=links,
        findings=findings,
        pending=() if findings or message.kind not in _OPENINGS else record.probes,
        firing=own.firing,
        resolved=own.resolved,
        truncated=alerts.truncated,
        labels=alerts.labels,
        rule=record.rule,
        made_by=f"{record.made_by}{_probed(findings, conclusion, now)}",
        started_at=alerts.started_at,
        ended_at=own.ended_at,
        written_at=now,
        resolution=sentence(own.resolution),
        note=record.note,
        history="; ".join(filter(None, (record.history, conclusion.before))),
        acknowledged=acknowledged(content.handling, now),
        oncall_groups=record.oncall_groups,
        silenced=silenced(content.handling, now),
        fallback_reason=own.fallback_reason,
        draft=own.draft,
        publishable=bool(record.publishable) and not resolution,
    )
    if message.channel in record.components:
        # A likely cause is not one that people have identified, which is what customers read in that word: only a
        # person who publishes says so.
        status = Status.RESOLVED if resolution else Status(own.public_status or Status.INVESTIGATING)
        report = replace(report, status=status)
        report = replace(report, public=_public(report, content, message))
    template = template_of(record.templates, message.kind)
    if template is None:
        return report
    return replace(report, heading=template.title, fields=filled(template, report, content))


def _impact(record: DecisionRecord, findings: Iterable[Finding]) -> str:
    """Return the impact that the rule states, or that of the catalog once no pod of the service is ready."""
    clues = [each.clue for each in findings if each.clue and each.clue.code == "pods-unready"]
    mine = [each for each in clues if each.entity.partition("/")[2] == record.catalog_service]
    down = any(each.says.startswith("0 of ") for each in mine)
    return record.impact or (record.outage_impact if down else "")


def proposed(
    content: IncidentContent, channel: str, incident: str, now: datetime, *, updates: bool, status: str = ""
) -> PublicText:
    """Return the text that a status page would show of an incident, before a person changes it.

    A page opens as investigating. For an update the conclusion proposes the status, unless the person gave one.
    """
    likely = _status(MessageKind.UPDATE, NO_FACTS, content.conclusion) if updates else Status.INVESTIGATING
    message = OutboxMessage(
        incident=incident,
        ordering_key=incident,
        channel=channel,
        step="",
        kind=MessageKind.NOTE if updates else MessageKind.START,
        priority=1,
        due_at=now,
        facts=MessageFacts(public_status=status or likely),
    )
    return compose(content, message, now).public or PublicText("", "")


def _public(report: Report, content: IncidentContent, message: OutboxMessage) -> PublicText:
    """Return the person's own words, or else the template for status pages, or the impact that rule files state."""
    record = content.decision
    template = public_template_of(record.templates, message.kind)
    service = record.catalog_service
    title = f"{template.title}: {service}" if template else f"{service}: service disruption"
    said = filled(template, replace(report, service=service), content) if template else {}
    lines = said.values() if len(said) == 1 else (f"{name}: {text}" for name, text in said.items())
    usual = (
        "This incident is resolved." if report.status is Status.RESOLVED else record.impact or "Under investigation."
    )
    text = message.facts.public or "\n".join(lines) or usual
    components = tuple(record.components.get(message.channel, ()))
    return PublicText(sanitize_line(title, TITLE_LIMIT), text, components, report.status)


def without_content(row: OutboxRow) -> IncidentContent:
    """The least that can be sent of an incident whose content is not in the database: the page still leaves."""
    message = row.message
    record = DecisionRecord(
        title=f"[{message.priority}] {message.incident}: details not available",
        severity=f"priority {message.priority}",
        pagerduty_severity="error",
        pages=True,
        service="unknown",
        first_step="Check the alerts in Alertmanager. The log of responder has the reason.",
        respond_from=row.written_at,
        next_update=0.0,
        rule="",
        made_by=f"unknown (message {row.id})",
    )
    alerts = AlertExtract(
        summary=f"The details of {message.incident} are not in the database", counted=False, started_at=row.written_at
    )
    return IncidentContent(incident=message.incident, decision=record, alerts=alerts)


def first_step(record: DecisionRecord, conclusion: Conclusion) -> str:
    """The step for the conclusion, else the rule's."""
    return conclusion.first_step or record.first_step


def runbook_and_links(record: DecisionRecord, conclusion: Conclusion) -> tuple[Link | None, tuple[Link, ...]]:
    """The runbook for the conclusion, else that of the rule or alert, which is a link where it is another document."""
    found = conclusion.runbook
    if found is None or record.runbook is None:
        return found or record.runbook, record.links
    other = found.href.partition("#")[0] != record.runbook.href.partition("#")[0]
    return found, (record.runbook, *record.links) if other else record.links


def title(record: DecisionRecord, findings: Sequence[Finding] = (), cause: str = "") -> str:
    """At most 120 characters: the headline, as much of the cause or the worst finding as fits, the cluster."""
    fact = cause or _worst(findings, record.service)
    where = record.cluster or record.environment
    tail = f" ({where})" if where else ""
    stem = sanitize_line(record.title, TITLE_LIMIT - len(tail))
    room = TITLE_LIMIT - len(stem) - len(tail) - len(" — ")
    return (
        f"{stem} — {sanitize_line(fact, room)}{tail}" if fact and room >= 12 and " — " not in stem else f"{stem}{tail}"
    )


def what(alerts: AlertExtract, firing: int, now: datetime, title: str = "") -> str:
    """The summary if ``title`` lacks it, for how long it has been so, how many alerts fire, how often it came back."""
    count = f"{number_of(firing, 'alert')} firing" if firing else "No alerts firing"
    seconds = (now - (alerts.firing_since or alerts.started_at)).total_seconds()
    since = f" for {short_duration(seconds)}" if firing and alerts.dated and seconds >= 1 else ""
    cut = f" (+{alerts.truncated} alerts not in the notification)" if alerts.truncated else ""
    times = "once" if alerts.flaps == 1 else f"{alerts.flaps} times"
    flaps = f" Flapping: re-fired {times}." if alerts.flaps else ""
    summary = "" if alerts.summary.casefold() in title.casefold() else f"{alerts.summary}. "
    return f"{summary}{count}{since}{cut}.{flaps}"


def acknowledged(handling: Handling, now: datetime) -> str:
    """``by Ann at 02:43 UTC, snoozed until 04:00 UTC, assigned to Bob``; empty if it is not acknowledged."""
    if handling.acknowledged_at is None:
        return ""
    until = handling.snoozed_until if handling.snoozed_until and handling.snoozed_until > now else None
    parts = (
        f"by {handling.acknowledged_by} at {time_of_day(handling.acknowledged_at, seen_from=now)}",
        f"snoozed until {time_of_day(until, seen_from=now)}" if until else "",
        f"assigned to {handling.assigned_to}" if handling.assigned_to else "",
    )
    return ", ".join(filter(None, parts))


def silenced(handling: Handling, now: datetime) -> str:
    """``by Ann until 04:00 UTC``; empty if it is not silenced by responder."""
    if handling.silence is None or handling.silence.until <= now:
        return ""
    return f"by {handling.silence.by} until {time_of_day(handling.silence.until, seen_from=now)}"


def clock(record: DecisionRecord, now: datetime) -> str:
    """``by 02:56 UTC, all hands``; the severity's own words if it sets no time."""
    if record.respond_within is None:
        return record.response
    by = time_of_day(record.respond_from + timedelta(seconds=record.respond_within), seen_from=now)
    return f"by {by}, {record.responders}"


def _status(moment: MessageKind, own: MessageFacts, conclusion: Conclusion) -> Status:
    if moment in _ENDINGS or own.ended_at is not None:
        return Status.RESOLVED
    if own.easing:
        return Status.MONITORING
    return Status.IDENTIFIED if conclusion.likely and conclusion.code != NONE else Status.INVESTIGATING


def _update(message: OutboxMessage, now: datetime) -> str:
    return sentence("; ".join(filter(None, (message.facts.update, _delay(message, now)))))


def _delay(message: OutboxMessage, now: datetime) -> str:
    """Return the note on a first message that is sent late, since its channel or responder was not available."""
    late = now - message.facts.due_by if message.facts.due_by else timedelta()
    if message.kind not in {MessageKind.START, MessageKind.AGAIN} or late < LATE_AFTER:
        return ""
    return f"this message was delayed by {duration_in_minutes(late.total_seconds())}"


def _worst(findings: Sequence[Finding], service: str) -> str:
    """The headline of the worst bad finding, the service's own first; empty where none is bad.

    The title names the service already; a finding about another service keeps that one's name.
    """
    bad = [each for each in findings if each.verdict is Verdict.BAD and each.judged]
    worst = min(bad, key=lambda each: (each.warning, each.target != service), default=None)
    return worst.headline.removeprefix(f"{service}: ") if worst else ""


def _probed(findings: Sequence[Finding], conclusion: Conclusion, now: datetime) -> str:
    if not findings:
        return ""
    past = now - conclusion.checked_at if conclusion.checked_at else timedelta()
    age = f", {short_duration(past.total_seconds())} ago" if past >= AGED_AFTER else ""
    unknown = sum(each.verdict is Verdict.UNKNOWN for each in findings)
    count = f"{number_of(len(findings), 'probe')} in {max(each.duration for each in findings):.1f} s"
    return f", {count} ({unknown} unknown){age}" if unknown else f", {count}{age}"


def public_template_of(templates: Mapping[str, Template], kind: MessageKind) -> Template | None:
    """Return the template of a kind of message on status pages, None if the rule files have none."""
    return templates.get(_PUBLIC_TEMPLATES.get(kind, ""))


def template_of(templates: Mapping[str, Template], kind: MessageKind) -> Template | None:
    """Return the template of a kind of message, None if the rule files have none."""
    return templates.get(_TEMPLATES.get(kind, ""))


def filled(template: Template, report: Report, content: IncidentContent) -> Mapping[str, str]:
    """Return the fields in their order; one with an empty placeholder is left out."""
    texts = dict(_texts(report, content))
    times = {"started": report.started_at, "ended": report.ended_at, "now": report.written_at}
    fields: dict[str, str] = {}
    for name, text in template.fields:
        slots = {found[0]: _slot_text(found, texts, times) for found in TEMPLATE_SLOT.finditer(text)}
        if all(slots.values()):
            fields[name] = TEMPLATE_SLOT.sub(lambda found: slots[found[0]], text)  # noqa: B023 - used in this turn only
    return fields


def _slot_text(slot: re.Match[str], texts: Mapping[str, str], times: Mapping[str, datetime | None]) -> str:
    name, later = slot[1], slot[2]
    if name not in times:
        return texts.get(name, "")
    moment = times[name]
    return time_of_day(moment + timedelta(seconds=seconds_of(later) if later else 0)) if moment else ""


def _texts(report: Report, content: IncidentContent) -> Iterator[tuple[str, str]]:
    record, handling, likely = content.decision, content.handling, report.conclusion.likely
    yield "severity", report.severity
    yield "service", report.service
    yield "subject", re.sub(r"[^a-z0-9_]+", "-", report.service.lower()).strip("-") or "unknown"
    yield "environment", report.environment
    yield "incident", report.incident
    yield "summary", report.what
    yield "impact", report.impact or ("" if report.status is Status.RESOLVED else "not known yet")
    yield "status", report.status
    yield "lead", handling.assigned_to or (handling.acknowledged_by if handling.acknowledged else "") or record.lead
    yield "owner", report.owner
    yield "response_target", report.clock
    yield "date", record.respond_from.date().isoformat()
    yield "duration", time_between(report.started_at, report.ended_at or report.written_at)
    yield "update", report.update
    yield "likely_cause", likely
    yield "root_cause", f"not yet confirmed; likely: {likely}" if likely else "not yet known"
    yield "resolution", report.resolution
    if record.next_update and report.status is not Status.RESOLVED:
        yield "next_update", time_between(report.written_at, report.written_at + timedelta(seconds=record.next_update))
