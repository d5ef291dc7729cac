"""Fields of the communication templates of rule files, filled in when a message is composed. Pure."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from responder.model.clock import time_between, time_of_day
from responder.model.content import IncidentContent
from responder.model.report import MessageKind, Report, Status
from responder.model.rule import TEMPLATE_SLOT, Template
from responder.model.text import seconds_of

_NAMES = {
    MessageKind.START: "start",
    MessageKind.AGAIN: "start",
    MessageKind.FALLBACK: "start",
    MessageKind.UPDATE: "update",
    MessageKind.RESOLUTION: "resolution",
}

_PUBLIC_NAMES = {
    MessageKind.START: "public-start",
    MessageKind.AGAIN: "public-start",
    MessageKind.NOTE: "public-update",
    MessageKind.RESOLUTION: "public-resolution",
}


def public_template_of(templates: Mapping[str, Template], kind: MessageKind) -> Template | None:
    """Return the template of a kind of message on status pages, None if the rule files have none."""
    return templates.get(_PUBLIC_NAMES.get(kind, ""))


def template_of(templates: Mapping[str, Template], kind: MessageKind) -> Template | None:
    """Return the template of a kind of message, None if the rule files have none."""
    return templates.get(_NAMES.get(kind, ""))


def filled(template: Template, report: Report, content: IncidentContent) -> Mapping[str, str]:
    """Return the fields in their order; one with an empty placeholder is left out."""
    texts = dict(_texts(report, content))
    times = {"started": report.started_at, "ended": report.ended_at, "now": report.written_at}
    fields: dict[str, str] = {}
    for name, text in template.fields:
        slots = {found[0]: _text(found, texts, times) for found in TEMPLATE_SLOT.finditer(text)}
        if all(slots.values()):
            fields[name] = TEMPLATE_SLOT.sub(lambda found: slots[found[0]], text)  # noqa: B023 - used in this turn only
    return fields


def _text(slot: re.Match[str], texts: Mapping[str, str], times: Mapping[str, datetime | None]) -> str:
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
