"""The timeline of an incident, from its stored records. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from responder.converse.apply import name_of
from responder.model.clock import duration_in_minutes
from responder.model.finding import Verdict
from responder.model.report import MessageKind
from responder.model.text import number_of, sanitize_line
from responder.store.incidents.records import IncidentRecords, MessageRecord

#: Characters of an entry.
ENTRY_LIMIT = 500
_PAGES = frozenset({MessageKind.START, MessageKind.AGAIN, MessageKind.FALLBACK})


class EntryKind(StrEnum):
    """The kind of an entry."""

    RECEIVED = "received"
    DECIDED = "decided"
    PROBED = "probed"
    SENT = "sent"
    FAILED = "failed"
    ACTION = "action"
    RUNBOOK = "runbook"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a timeline."""

    at: datetime
    kind: EntryKind
    text: str


def timeline(records: IncidentRecords) -> tuple[Entry, ...]:
    """Return what happened to an incident, the oldest first."""
    entries = [
        *_received(records),
        *_probed(records),
        *_sent(records),
        *_acted(records),
        *_stepped(records),
        *_resolved(records),
    ]
    return tuple(sorted(entries, key=lambda each: each.at))


def _received(records: IncidentRecords) -> Iterator[Entry]:
    for each in records.notifications:
        yield Entry(each.received_at, EntryKind.RECEIVED, f"notification {each.id}")
        if each.outcome:
            yield Entry(each.received_at, EntryKind.DECIDED, sanitize_line(each.outcome, ENTRY_LIMIT))


def _probed(records: IncidentRecords) -> Iterator[Entry]:
    """Yield the ends of diagnoses. Only the findings of the last one are stored."""
    ended = [(started, end) for started, end in records.diagnoses if end is not None]
    for number, (started, end) in enumerate(ended, 1):
        text = f"diagnosis ended after {(end - started).total_seconds():.1f} s"
        if records.content is not None and number == len(ended):
            found = records.content.findings
            bad = sum(each.verdict is Verdict.BAD for each in found)
            likely = records.content.conclusion.likely
            text += f": {number_of(len(found), 'finding')}, {bad} bad{f'; {likely}' if likely else ''}"
        yield Entry(end, EntryKind.PROBED, sanitize_line(text, ENTRY_LIMIT))


def _sent(records: IncidentRecords) -> Iterator[Entry]:
    for each in records.messages:
        if each.ended_at is None:
            continue
        if each.state == "sent":
            yield Entry(each.ended_at, EntryKind.SENT, _accepted(each, records.incident.opened_at))
        elif each.state == "dead":
            text = f"{each.kind} to {each.channel} given up: {each.error}"
            yield Entry(each.ended_at, EntryKind.FAILED, sanitize_line(text, ENTRY_LIMIT))


def _accepted(message: MessageRecord, opened_at: datetime) -> str:
    """``start accepted by pagerduty, 2.1 s after the start``: the time is that of pages only, a reason of reminders."""
    text = f"{message.kind} accepted by {message.channel}"
    if message.kind in _PAGES and message.ended_at is not None:
        seconds = (message.ended_at - opened_at).total_seconds()
        text += f", {seconds:.1f} s after the start"
    return sanitize_line(f"{text}: {message.reason}" if message.reason else text, ENTRY_LIMIT)


def _acted(records: IncidentRecords) -> Iterator[Entry]:
    for each in records.actions:
        waiting = f"{each.action.kind.value} by {name_of(each.action)}: not applied yet"
        yield Entry(each.action.at, EntryKind.ACTION, sanitize_line(each.outcome or waiting, ENTRY_LIMIT))


def _stepped(records: IncidentRecords) -> Iterator[Entry]:
    for each in records.steps:
        yield Entry(each.at, EntryKind.RUNBOOK, sanitize_line(f"{each.runbook}: {each.step}: {each.said}", ENTRY_LIMIT))


def _resolved(records: IncidentRecords) -> Iterator[Entry]:
    found = records.incident
    if found.resolved_at is not None:
        lasted = duration_in_minutes((found.resolved_at - found.opened_at).total_seconds())
        why = f": {found.resolve_reason}" if found.resolve_reason else ""
        yield Entry(found.resolved_at, EntryKind.RESOLVED, sanitize_line(f"after {lasted}{why}", ENTRY_LIMIT))
