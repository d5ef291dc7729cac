"""Messages to people: written with the incident, sent when due and in order, marked only after they were accepted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    Integer,
    Select,
    and_,
    bindparam,
    exists,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from responder.model.message import Draft, Letter
from responder.model.report import Report
from responder.store import news
from responder.store.codec import to_bytes, to_noun, to_seconds, to_time
from responder.store.tables import messages

_earlier = messages.alias("earlier")
_WAITING = messages.c.state == "waiting"

# A message is blocked while one written before it for the same stream and channel still waits: that keeps the order.
_BLOCKED = exists().where(
    and_(
        _earlier.c.stream == messages.c.stream,
        _earlier.c.channel == messages.c.channel,
        _earlier.c.state == "waiting",
        _earlier.c.id < messages.c.id,
    )
)


def write(connection: Connection, drafts: Iterable[Draft], now: datetime) -> None:
    """Add messages, in order. Nothing is sent before ``due_at``, and nothing waits for anyone after it."""
    drafts = list(drafts)
    reports = {id(draft.report): to_bytes(draft.report) for draft in drafts}
    rows = [
        {
            "incident": draft.incident,
            "stream": draft.stream,
            "channel": draft.channel,
            "step": draft.step,
            "rank": draft.rank,
            "state": "waiting",
            "due_at": to_seconds(draft.due_at),
            "enrich": draft.enrich,
            "plain": False,
            "attempt": 0,
            "claimed_until": 0.0,
            "report": reports[id(draft.report)],
            "written_at": to_seconds(now),
        }
        for draft in drafts
    ]
    if rows:
        connection.execute(insert(messages), rows)
        news.tell(connection, news.MESSAGES)


@dataclass(frozen=True, slots=True)
class Lane:
    """The messages one courier carries: those of one channel, or with ``rest`` those of every channel but these."""

    channels: tuple[str, ...]
    rest: bool = False

    def holds(self) -> ColumnElement[bool]:
        """The condition on the table."""
        if self.rest:
            return messages.c.channel.not_in(self.channels)
        if len(self.channels) == 1:
            return messages.c.channel == self.channels[0]
        return messages.c.channel.in_(self.channels)


_WORST_FIRST = (messages.c.rank, messages.c.due_at, messages.c.id)
_NOW = bindparam("now", type_=Float)


def _free(lane: Lane) -> ColumnElement[bool]:
    return and_(_WAITING, lane.holds(), messages.c.due_at <= _NOW, messages.c.claimed_until <= _NOW, ~_BLOCKED)


@lru_cache
def _ready(lane: Lane) -> Select[float]:
    return select(messages.c.due_at).where(_free(lane)).order_by(*_WORST_FIRST).limit(1)


@lru_cache
def _later(lane: Lane) -> Select[float]:
    return select(func.min(messages.c.due_at)).where(_WAITING, lane.holds(), messages.c.due_at > _NOW)


@lru_cache
def _taken(lane: Lane) -> ReturningUpdate[Any]:
    free = select(messages.c.id).where(_free(lane)).order_by(*_WORST_FIRST).limit(bindparam("most", type_=Integer))
    # In a WITH, since PostgreSQL may run a mere subquery several times, and then lock more than the limit.
    found = free.with_for_update(skip_locked=True).cte("found")
    return (
        update(messages)
        .where(messages.c.id.in_(select(found.c.id)))
        .values(claimed_until=bindparam("until"), attempt=messages.c.attempt + 1)
        .returning(*(messages.c[name] for name in _OF_A_LETTER))
    )


def next_due(connection: Connection, lane: Lane, now: datetime) -> float | None:
    """When ``claim`` may find something: ``now`` or earlier where it would now, in epoch seconds; None for nothing."""
    moment = {"now": to_seconds(now)}
    ready: float | None = connection.scalar(_ready(lane), moment)
    later: float | None = connection.scalar(_later(lane), moment) if ready is None else None
    return later if ready is None else ready


def claim(connection: Connection, lane: Lane, now: datetime, until: datetime, limit: int) -> list[Letter]:
    """Take due messages, the worst severity first. The claim holds until ``until``; ``attempt`` is its fence."""
    values = {"now": to_seconds(now), "until": to_seconds(until), "most": limit}
    rows = connection.execute(_taken(lane), values).mappings().all()
    refs = _references(connection, [row["incident"] for row in rows])
    letters = [_letter(row, refs.get((row["incident"], row["channel"]), {})) for row in rows]
    return sorted(letters, key=lambda letter: letter.id)


_OF_A_LETTER = ("id", "incident", "channel", "step", "rank", "report", "due_at", "attempt", "plain")


def _references(connection: Connection, of: list[str]) -> dict[tuple[str, str], dict[str, str]]:
    """What the first accepted message of each incident and channel returned."""
    if not of:
        return {}
    found = (
        select(messages.c.incident, messages.c.channel, messages.c.ref)
        .where(messages.c.incident.in_(of), messages.c.ref.is_not(None))
        .order_by(messages.c.id.desc())
    )
    return {(incident, channel): to_noun(dict[str, str], ref) for incident, channel, ref in connection.execute(found)}


def _letter(row: Mapping[Any, Any], previous: dict[str, str]) -> Letter:
    return Letter(
        id=row["id"],
        channel=row["channel"],
        step=row["step"],
        rank=row["rank"],
        report=to_noun(Report, row["report"]),
        due_at=to_time(row["due_at"]),
        attempt=row["attempt"],
        plain=row["plain"],
        previous=previous,
    )


def _finish(connection: Connection, letter: Letter, **values: Any) -> bool:
    """Change a message only while our claim is the newest one on it."""
    ours = and_(messages.c.id == letter.id, messages.c.attempt == letter.attempt, _WAITING)
    return bool(connection.execute(update(messages).where(ours).values(claimed_until=0.0, **values)).rowcount)


def sent(connection: Connection, letter: Letter, ref: Mapping[str, str], now: datetime) -> bool:
    """Mark as accepted; False where another claim has taken the message over meanwhile."""
    kept = to_bytes(dict(ref)) if ref else None
    return _finish(connection, letter, state="sent", ref=kept, error=None, ended_at=to_seconds(now))


def again(connection: Connection, letter: Letter, at: datetime, reason: str, *, plain: bool) -> bool:
    """Put back to be tried at ``at``; ``plain`` asks for the minimal form then."""
    return _finish(connection, letter, due_at=to_seconds(at), error=reason, plain=plain, enrich=False)


def dead(connection: Connection, letter: Letter, reason: str, now: datetime) -> bool:
    """Give up: kept, counted and shown, never sent by itself again."""
    return _finish(connection, letter, state="dead", error=reason, ended_at=to_seconds(now))


def enrich(connection: Connection, incident: str, report: Report, now: datetime) -> frozenset[str]:
    """Put a better report into the pages of an incident that nobody has tried to send, and release them now.

    Returns the channels it reached: from the others the page has left, and the findings are late.
    """
    untouched = and_(messages.c.incident == incident, _WAITING, messages.c.enrich, messages.c.attempt == 0)
    values = {"report": to_bytes(report), "due_at": to_seconds(now), "enrich": False}
    statement = update(messages).where(untouched).values(**values).returning(messages.c.channel)
    reached = frozenset(connection.execute(statement).scalars())
    news.tell(connection, news.MESSAGES)
    return reached


def last_reports(connection: Connection, of: Iterable[str]) -> dict[str, Report]:
    """The newest report of each incident: what people know, which the next message builds upon."""
    newest = select(func.max(messages.c.id)).where(messages.c.incident.in_(list(of))).group_by(messages.c.incident)
    found = select(messages.c.incident, messages.c.report).where(messages.c.id.in_(newest.scalar_subquery()))
    return {incident: to_noun(Report, report) for incident, report in connection.execute(found)}


def counts(connection: Connection) -> dict[tuple[str, str], int]:
    """How many messages each channel has in each state: (channel, state) to number."""
    by = select(messages.c.channel, messages.c.state, func.count()).group_by(messages.c.channel, messages.c.state)
    return {(channel, state): count for channel, state, count in connection.execute(by)}
