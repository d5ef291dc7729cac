"""The draft of a post-mortem in Markdown, from the stored records of an incident. Pure.

What responder knows is filled in; what only a person knows is marked TODO.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from responder.converse.apply import NOTE_LIMIT, name_of
from responder.converse.timeline import EntryKind, timeline
from responder.model.action import Action, ActionKind
from responder.model.clock import short_duration, time_of_day
from responder.model.finding import Conclusion, worst_first
from responder.model.report import MessageKind
from responder.model.rule import Link
from responder.model.text import number_of, one_line, sanitize_line
from responder.notify.report.links import safe_url
from responder.notify.report.sections import result
from responder.store.incidents.actions import ActionRow
from responder.store.incidents.records import IncidentRecords

#: Entries of the timeline.
MOST_ENTRIES = 200
_DEEDS = {
    ActionKind.ACKNOWLEDGE: "acknowledged",
    ActionKind.UNACKNOWLEDGE: "released",
    ActionKind.SNOOZE: "snoozed",
    ActionKind.RESOLVE: "resolved",
    ActionKind.NOTE: "noted",
    ActionKind.REASSIGN: "reassigned",
    ActionKind.PRIORITY: "set the priority",
    ActionKind.POSTMORTEM: "requested the post-mortem",
}
_PAGES = frozenset({MessageKind.START, MessageKind.AGAIN, MessageKind.FALLBACK})


def postmortem(records: IncidentRecords, now: datetime) -> str:
    """Return the draft: every section has its facts, or says what a person must write."""
    incident = records.incident
    sections = (
        ("# Post-mortem: " + line_of(incident.title), _head(records, now)),
        ("## Summary", _summary(records)),
        ("## Impact", _impact(records)),
        ("## Timeline", _timeline(records)),
        ("## Root Cause", _cause(records)),
        ("## Resolution", _resolution(records)),
        ("## What Changed", _changed(records)),
        ("## Findings", _findings(records)),
        ("## Notes", _notes(records)),
        ("## People", _people(records)),
        ("## Post-Incident", ()),
        ("### Metrics to review", _metrics(records)),
        ("### Documentation to update", _documentation(records)),
        ("### Follow-up actions", [_todo("one action a line, each with an owner and a date")]),
    )
    return "\n\n".join("\n".join([title, *([""] if (rows := list(lines)) else []), *rows]) for title, lines in sections)


def due_at(records: IncidentRecords) -> datetime | None:
    """Return when the post-mortem is due, None if the severity asks for none or the incident is open."""
    content, resolved = records.content, records.incident.resolved_at
    if content is None or content.decision.postmortem_due is None or resolved is None or records.incident.open:
        return None
    return resolved + timedelta(seconds=content.decision.postmortem_due)


def _todo(text: str, name: str = "") -> str:
    return f"- {f'{name}: ' if name else ''}**TODO**: {text}."


def _row(name: str, text: str, missing: str = "") -> str:
    """``- Owner: team-plato``; where there is no text, what a person must write."""
    return f"- {name}: {line_of(text)}" if text else _todo(missing or "unknown to responder", name)


def _head(records: IncidentRecords, now: datetime) -> Iterator[str]:
    incident, record = records.incident, records.content.decision if records.content else None
    yield f"Draft by responder of {time_of_day(now)}; all times are UTC. Replace each **TODO**."
    yield ""
    yield _row("Incident", incident.id)
    yield _row("Severity", f"{incident.severity} ({incident.reason})" if incident.reason else incident.severity)
    where = record.cluster or record.environment if record else ""
    yield _row("Service", f"{incident.service} ({where})" if where else incident.service, "the service concerned")
    yield _row("Owner", record.owner if record else "", "the team that owns it")
    yield _row("Started", time_of_day(incident.opened_at))
    if incident.reopened_at:
        yield _row("Reopened", time_of_day(incident.reopened_at))
    ended = incident.resolved_at if not incident.open else None
    yield _row("Resolved", time_of_day(ended) if ended else "", "the incident is still open")
    if due := due_at(records):
        yield _row("Post-mortem due", time_of_day(due))


def _summary(records: IncidentRecords) -> Iterator[str]:
    if records.content and records.content.alerts.summary:
        yield _row("Alerts", records.content.alerts.summary)
    yield _todo("what happened, in two sentences that a reader outside the team understands")


def _impact(records: IncidentRecords) -> Iterator[str]:
    impact = records.content.decision.impact if records.content else ""
    yield _row("User impact", impact, "what users could not do, and how many of them")
    yield _todo("orders, revenue, error budget, obligations to customers", "Business impact")
    yield _row("Severity level", records.incident.severity)


def _timeline(records: IncidentRecords) -> Iterator[str]:
    entries = [each for each in timeline(records) if each.kind is not EntryKind.RECEIVED]
    for each in entries[:MOST_ENTRIES]:
        yield f"- {_moment(each.at)} {each.kind.value}: {line_of(each.text)}"
    left = len(entries) - MOST_ENTRIES
    if left > 0:
        yield f"- {number_of(left, 'more entry', 'more entries')}: `responder incidents show {records.incident.id}`"
    yield _todo("add what people did that no system recorded: commands, calls, decisions")


def _cause(records: IncidentRecords) -> Iterator[str]:
    found = _conclusion(records)
    for name, text in (("Likely cause", found.likely), ("Chain", found.chain), ("Evidence", found.evidence)):
        if text:
            yield _row(name, text)
    yield _todo("confirm or correct the likely cause" if found.likely else "the cause, and why it was possible")


def _resolution(records: IncidentRecords) -> Iterator[str]:
    reasons = [_said(each.action) for each in _applied(records) if each.action.kind is ActionKind.RESOLVE]
    for text in filter(None, reasons):
        yield item(text)
    if not any(reasons):
        yield _todo("what fixed it, and how it was verified")


def _changed(records: IncidentRecords) -> Iterator[str]:
    text = _conclusion(records).changed
    yield item(text) if text else _todo("rollouts, settings and traffic before the start; no probe found a change")


def _findings(records: IncidentRecords) -> Iterator[str]:
    found = worst_first(records.content.findings) if records.content else ()
    for each in found:
        yield f"- {result(each)}: {line_of(each.headline)} ({line_of(each.probe)})"
    if not found:
        yield _todo("no probe answered: which graphs and logs showed the problem")


def _notes(records: IncidentRecords) -> Iterator[str]:
    notes = [each.action for each in _applied(records) if each.action.kind is ActionKind.NOTE]
    for each in notes:
        yield f"- {_moment(each.at)} {line_of(name_of(each))}: {line_of(_said(each))}"
    if not notes:
        yield _todo("what responders observed; no notes were taken")


def _people(records: IncidentRecords) -> Iterator[str]:
    deeds: dict[str, list[str]] = {}
    for each in _applied(records):
        if each.action.actor:
            deeds.setdefault(name_of(each.action), []).append(_deed(each.action))
    for name, done in deeds.items():
        yield item(f"{name}: {', '.join(dict.fromkeys(done))}")
    if not deeds:
        yield _todo("who responded; no action through responder")
    lead = records.content.decision.lead if records.content else ""
    yield _row("Lead", lead, "who led the response")


def _metrics(records: IncidentRecords) -> Iterator[str]:
    incident, began = records.incident, records.incident.opened_at
    pages = [each for each in records.messages if each.kind in _PAGES and each.state == "sent"]
    taken = [each.action.at for each in _applied(records) if each.action.kind is ActionKind.ACKNOWLEDGE]
    first = min((each.ended_at for each in pages if each.ended_at), default=None)
    yield _row("Time to notify", f"{(first - began).total_seconds():.1f} s" if first else "", "no message was accepted")
    missing = "no acknowledgement through responder"
    yield _row("Time to acknowledge", _after(began, min(taken, default=None)), missing)
    yield _row("Time to resolve", _after(began, incident.resolved_at if not incident.open else None), "still open")
    alerts = f"{number_of(len(incident.alerts), 'alert')}, {number_of(len(records.notifications), 'notification')}"
    yield _row("Volume", f"{alerts}, {number_of(len(pages), 'page')} sent, {number_of(incident.flaps, 're-fire')}")
    yield _todo("error budget used, time to mitigation, pages of this alert in the last 30 days")


def _documentation(records: IncidentRecords) -> Iterator[str]:
    runbook = records.content.decision.runbook if records.content else None
    if runbook:
        yield f"- {link(runbook)}"
    yield _todo("what the runbook lacked, and its date in Last Updated" if runbook else "a runbook for this alert")


def _conclusion(records: IncidentRecords) -> Conclusion:
    """Return the conclusion with times in the place of ages, which held when the page was sent."""
    found = records.content.conclusion if records.content else Conclusion()
    return found.with_ages(lambda moment: f"at {time_of_day(moment)}")


def _applied(records: IncidentRecords) -> Iterable[ActionRow]:
    return (each for each in records.actions if each.state == "applied")


def _deed(action: Action) -> str:
    return _DEEDS.get(action.kind, action.kind.value)


def _said(action: Action) -> str:
    return sanitize_line(action.text, NOTE_LIMIT)


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _after(began: datetime, end: datetime | None) -> str:
    if end is None:
        return ""
    minutes, seconds = divmod(max(0, round((end - began).total_seconds())), 60)
    if minutes >= 60:
        return short_duration(60 * minutes)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


#: Characters that format wherever they stand, and an underscore beside a word (https://github.github.com/gfm/).
_MARKS = re.compile(r"[\\`*\[\]<>|~&$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
#: Beginnings of addresses that GitHub's Markdown links by itself.
_ADDRESS = re.compile(r"(?<=[A-Za-z])(:)(?=//)|(?<=[Ww])(\.)(?=\S)|(?<=\S)(@)(?=\S)")
#: Beginnings of lines that open a heading, a list, a quotation or a rule.
_OPENING = re.compile(r"^(?:(?=[#+=-])|(\d{1,9})(?=[.)]))")


def line_of(text: str) -> str:
    """Return ``text`` on one line, harmless within a line of a document."""
    return _ADDRESS.sub(r"\\\g<0>", _MARKS.sub(r"\\\g<0>", one_line(text)))


def item(text: str) -> str:
    """Return ``text`` as an item of a list; it opens nothing of its own."""
    opened = _OPENING.sub(lambda found: f"{found[1] or ''}\\", line_of(text))
    return f"- {opened}"


def link(target: Link) -> str:
    """Return a link, or its text alone where the address may not be one."""
    url, text = safe_url(target.href), line_of(target.text)
    plain = re.sub(r"[()<>\s\\]", lambda found: f"%{ord(found[0]):02X}", url)
    return f"[{text}](<{plain}>)" if plain and text else text
