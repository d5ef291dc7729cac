"""What became of the attempts to send a message: it is marked only after it was accepted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, or_, select, update

from responder.model.message import Letter, OutboxRow
from responder.store.schema.serialization import to_bytes, to_seconds
from responder.store.schema.tables import WAITING, messages


def _finish(connection: Connection, ours: ColumnElement[bool], **values: Any) -> bool:
    return bool(connection.execute(update(messages).where(ours, WAITING).values(claimed_until=0.0, **values)).rowcount)


def _held(letter: Letter | OutboxRow) -> ColumnElement[bool]:
    """Whether our claim is the newest one on a message."""
    return and_(messages.c.id == letter.id, messages.c.attempt == letter.attempt)


def _report(letter: Letter) -> dict[str, bytes]:
    """The report as it was composed for this attempt; never the request, which holds keys."""
    return {"report": to_bytes(letter.report)}


def sent(connection: Connection, letter: Letter, ref: Mapping[str, str], now: datetime) -> bool:
    """Mark as accepted, whoever has taken the message over meanwhile; False where it was marked already."""
    kept = to_bytes(dict(ref)) if ref else None
    ours = messages.c.id == letter.id
    return _finish(connection, ours, state="sent", ref=kept, error=None, **_report(letter), ended_at=to_seconds(now))


def renew(connection: Connection, held: Iterable[OutboxRow], until: datetime) -> None:
    """Say that we still send these."""
    ours = or_(*(_held(letter) for letter in held))
    connection.execute(update(messages).where(WAITING, ours).values(claimed_until=to_seconds(until)))


def again(connection: Connection, letter: Letter, at: datetime, reason: str, *, plain: bool) -> bool:
    """Put back to be tried at ``at``; ``plain`` asks for the minimal form then."""
    return _finish(
        connection, _held(letter), due_at=to_seconds(at), error=reason, plain=plain, enrich=False, **_report(letter)
    )


def retry_now(connection: Connection, channel: str, now: datetime) -> None:
    """The channel takes messages again: what waits for its next attempt need not. What others hold is left alone."""
    failed = and_(WAITING, messages.c.channel == channel, messages.c.attempt > 0, messages.c.due_at > to_seconds(now))
    free = select(messages.c.id).where(failed).with_for_update(skip_locked=True)
    connection.execute(update(messages).where(messages.c.id.in_(free.scalar_subquery())).values(due_at=to_seconds(now)))


def dead(connection: Connection, letter: Letter, reason: str, now: datetime) -> bool:
    """Give up: kept, counted and shown, never sent by itself again."""
    return _finish(connection, _held(letter), state="dead", error=reason, **_report(letter), ended_at=to_seconds(now))
