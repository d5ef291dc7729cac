"""The outbox for operators: every message with its result, and resending of dead ones."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, exists, select, update

from responder.model.report import DecisionRecord, MessageFacts, MessageKind, Report
from responder.store.backends.prepared import MESSAGES, notify
from responder.store.schema.serialization import from_bytes, to_seconds, to_time
from responder.store.schema.tables import contents, messages

_MESSAGES = select(messages, contents.c.decision).join(
    contents, contents.c.incident == messages.c.incident, isouter=True
)

#: Columns that hold the value of the field.
_PLAIN = (
    *("id", "incident", "ordering_key", "channel", "channel_kind", "step", "kind", "priority", "state"),
    *("attempt", "minimal", "merged_into", "replaces"),
)

#: ``merged`` into a newer update; ``withdrawn`` before it was sent, since findings gave a severity that does not page.
STATES = ("waiting", "sent", "dead", "merged", "withdrawn")


@dataclass(frozen=True, slots=True)
class _Named:
    """The part of a report that a list shows."""

    title: str
    severity: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRow:
    """A message. ``error`` is that of its last attempt, or why it was withdrawn; empty if there is none.

    ``merged_into`` is the message that replaced it; ``replaces`` the one it is the fallback of. ``report`` is that of
    the accepted attempt, or of the last one that failed; None before any attempt, and in lists. ``title`` and
    ``severity`` are the report's, else the incident's.
    """

    id: int
    incident: str
    ordering_key: str
    channel: str
    channel_kind: str
    step: str
    kind: str
    priority: int
    state: str
    attempt: int
    minimal: bool
    error: str
    written_at: datetime
    due_at: datetime
    ended_at: datetime | None
    merged_into: int | None
    replaces: int | None
    title: str
    severity: str
    fallback_reason: str
    report: Report | None


def newest(
    connection: Connection,
    limit: int,
    state: str | None = None,
    channel: str | None = None,
    before: int | None = None,
) -> list[MessageRow]:
    """Return the newest messages first, from below the id ``before``."""
    found = _MESSAGES.order_by(messages.c.id.desc()).limit(limit)
    if state:
        found = found.where(messages.c.state == state)
    if channel:
        found = found.where(messages.c.channel == channel)
    if before is not None:
        found = found.where(messages.c.id < before)
    return [_row(row, whole=False) for row in connection.execute(found).mappings()]


def find(connection: Connection, number: int) -> MessageRow | None:
    """Return a message by its id."""
    row = connection.execute(_MESSAGES.where(messages.c.id == number)).mappings().first()
    return _row(row) if row else None


def dead_ids(connection: Connection) -> list[int]:
    """Return the ids of all dead messages, in order."""
    found = select(messages.c.id).where(messages.c.state == "dead").order_by(messages.c.id)
    return list(connection.execute(found).scalars())


def resolve_accepted(connection: Connection, row: MessageRow) -> bool:
    """Return True if the channel has accepted a later resolve."""
    later = exists().where(
        messages.c.ordering_key == row.ordering_key,
        messages.c.channel == row.channel,
        messages.c.id > row.id,
        messages.c.kind == MessageKind.RESOLUTION.value,
        messages.c.state == "sent",
    )
    return bool(connection.execute(select(later)).scalar())


def requeue(connection: Connection, row: MessageRow, now: datetime) -> None:
    """Requeue a dead message in full form, due at once. Its attempts continue, since they are the fence."""
    values = {"state": "waiting", "due_at": to_seconds(now), "minimal": False, "error": None, "ended_at": None}
    ours = (messages.c.id == row.id) & (messages.c.state == "dead")
    connection.execute(update(messages).where(ours).values(**values))
    notify(connection, MESSAGES)


def _row(row: Any, *, whole: bool = True) -> MessageRow:
    """Return a message; its report only if ``whole``, since reading it takes longer than all the rest."""
    report = from_bytes(Report, row["report"]) if row["report"] and whole else None
    named = from_bytes(_Named, row["report"]) if row["report"] and not whole else None
    shown = report or named or (from_bytes(DecisionRecord, row["decision"]) if row["decision"] else None)
    return MessageRow(
        **{name: row[name] for name in _PLAIN},
        error=row["error"] or "",
        written_at=to_time(row["written_at"]),
        due_at=to_time(row["due_at"]),
        ended_at=to_time(row["ended_at"]) if row["ended_at"] is not None else None,
        title=shown.title if shown else "",
        severity=shown.severity if shown else "",
        fallback_reason=from_bytes(MessageFacts, row["facts"]).fallback_reason,
        report=report,
    )


#: Why a message that does not exist is not resent.
UNKNOWN = "no such message"


@dataclass(frozen=True, slots=True)
class ResendResult:
    """The result of one request; ``refused`` says why the message is not resent, empty if it is."""

    number: int
    refused: str = ""


def refusal(row: MessageRow | None, *, resolve_accepted: bool) -> str:
    """Return why a message is not resent, empty if it is. Pure.

    ``resolve_accepted`` is True if the resolve of the incident was sent on the channel since: a later message would
    open the incident again there, and nothing would resolve it.
    """
    if row is None:
        return UNKNOWN
    if row.state == "waiting":
        return "it is pending and will be sent"
    if row.state == "merged":
        return f"merged into message {row.merged_into}"
    if row.state == "withdrawn":
        return f"withdrawn before it was sent: {row.error}"
    if row.state != "dead":
        return "already accepted; resending it would notify twice"
    if resolve_accepted and row.kind != MessageKind.RESOLUTION:
        return f"{row.incident} has since been resolved on {row.channel}; this message would reopen it"
    return ""


def resend(
    connection: Connection, numbers: Iterable[int], now: datetime, *, even_if_resolved: bool = False
) -> list[ResendResult]:
    """Requeue dead messages in their original position; delivery sends them at its next poll."""
    answers = []
    for number in sorted(set(numbers)):
        row = find(connection, number)
        over = row is not None and not even_if_resolved and resolve_accepted(connection, row)
        why = refusal(row, resolve_accepted=over)
        if row is not None and not why:
            requeue(connection, row, now)
        answers.append(ResendResult(number, why))
    return answers
