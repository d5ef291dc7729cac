"""Messages that were given up, sent once more because an operator says so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from responder.model.report import MessageKind
from responder.store.outbox import dead_letters
from responder.store.outbox.dead_letters import MessageRow


@dataclass(frozen=True, slots=True)
class ResendResult:
    """What became of one request; ``refused`` says why it was not put back, empty where it was."""

    number: int
    refused: str = ""


def refusal(row: MessageRow | None, *, told_over: bool) -> str:
    """Why a message is not sent again, empty where it is. Pure.

    ``told_over`` says that the channel has heard since that the incident is over: what comes after that would open it
    again, and nothing would close it.
    """
    if row is None:
        return "there is no such message"
    if row.state == "waiting":
        return "it still waits and is sent by itself"
    if row.state == "merged":
        return f"message {row.merged_into} took its place"
    if row.state == "withdrawn":
        return f"it was taken back before it left: {row.error}"
    if row.state != "dead":
        return "it was accepted: sending it again would tell people twice"
    if told_over and row.moment != MessageKind.RESOLUTION:
        return f"{row.channel} has been told since that {row.incident} is over: this would open it again"
    return ""


def resend(
    connection: Connection, numbers: Iterable[int], now: datetime, *, even_if_over: bool = False
) -> list[ResendResult]:
    """Put dead messages back, in their old place of the order; the engine sends them as soon as it sees them."""
    answers = []
    for number in sorted(set(numbers)):
        row = dead_letters.find(connection, number)
        over = row is not None and not even_if_over and dead_letters.told_over(connection, row)
        why = refusal(row, told_over=over)
        if row is not None and not why:
            dead_letters.put_back(connection, row, now)
        answers.append(ResendResult(number, why))
    return answers
