"""Resending of dead messages at an operator's request."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from responder.model.report import MessageKind
from responder.store.outbox import dead_letters
from responder.store.outbox.dead_letters import MessageRow

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
        row = dead_letters.find(connection, number)
        over = row is not None and not even_if_resolved and dead_letters.resolve_accepted(connection, row)
        why = refusal(row, resolve_accepted=over)
        if row is not None and not why:
            dead_letters.requeue(connection, row, now)
        answers.append(ResendResult(number, why))
    return answers
