"""Messages to people: written with the incident, sent when due and in order, marked only after they were accepted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    Integer,
    Row,
    Select,
    Text,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from responder.model.message import Draft, Letter
from responder.model.report import Report
from responder.store import merge, news
from responder.store.codec import to_bytes, to_noun, to_seconds, to_time
from responder.store.database import Database
from responder.store.tables import messages

_earlier = messages.alias("earlier")
_WAITING = messages.c.state == "waiting"
_NEVER = float("inf")
WORST = 1
"""The rank that leaves before all others, and whose messages may use up what a channel takes at once."""

# A message is blocked while one written before it for the same stream and channel still waits: that keeps the order.
_BLOCKED = exists().where(
    and_(
        _earlier.c.stream == messages.c.stream,
        _earlier.c.channel == messages.c.channel,
        _earlier.c.state == "waiting",
        _earlier.c.id < messages.c.id,
    )
)


# What stands before a worse message must not hold it up: it leaves with the same urgency.
# What another transaction holds is being sent or changed anyway; waiting for it could end in a deadlock.
_HELD_UP = (
    select(messages.c.id)
    .where(
        messages.c.stream == bindparam("of"),
        messages.c.channel == bindparam("to"),
        _WAITING,
        messages.c.rank + 0 > bindparam("best"),  # or SQLite looks through all that wait with a lower rank
    )
    .with_for_update(skip_locked=True)
    .cte("held_up")
)
_UNTRIED = and_(messages.c.enrich, messages.c.attempt == 0, messages.c.due_at > bindparam("within", type_=Float))
_LIFT = (
    update(messages)
    .where(messages.c.id.in_(select(_HELD_UP.c.id)))
    .values(rank=bindparam("best"), due_at=case((_UNTRIED, bindparam("within", type_=Float)), else_=messages.c.due_at))
)


def write(connection: Connection, drafts: Iterable[Draft], now: datetime) -> None:
    """Add messages, in order. Nothing is sent before ``due_at``, and nothing waits for anyone after it."""
    drafts = _unhindered(drafts)
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
            "moment": draft.report.moment.value,
            "origin": draft.origin,
        }
        for draft in drafts
    ]
    if rows:
        lifted = [
            {"of": d.stream, "to": d.channel, "best": d.rank, "within": to_seconds(d.within) if d.within else _NEVER}
            for d in _leading(drafts)
        ]
        connection.execute(_LIFT, lifted)
        connection.execute(insert(messages), rows)
        news.tell(connection, news.MESSAGES)


def _unhindered(drafts: Iterable[Draft]) -> list[Draft]:
    """The drafts, where one stands before a worse one of its stream and channel as urgent as that one."""
    worst: dict[tuple[str, str], Draft] = {}
    found = []
    for draft in reversed(list(drafts)):
        key = draft.stream, draft.channel
        behind = worst.get(key)
        if behind is not None and behind.rank < draft.rank:
            due_at = min(draft.due_at, behind.within) if draft.enrich and behind.within else draft.due_at
            found.append(replace(draft, rank=behind.rank, due_at=due_at))
        else:
            worst[key] = draft
            found.append(draft)
    return found[::-1]


def _leading(drafts: Iterable[Draft]) -> list[Draft]:
    """The worst draft of each stream and channel."""
    return list({(d.stream, d.channel): d for d in sorted(drafts, key=lambda each: -each.rank)}.values())


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
def _any(lane: Lane) -> Select[int]:
    return select(messages.c.id).where(_WAITING, lane.holds()).limit(1)


@lru_cache
def _ready(lane: Lane) -> Select[Any]:
    return select(messages.c.due_at, messages.c.rank).where(_free(lane)).order_by(*_WORST_FIRST).limit(1)


@lru_cache
def _later(lane: Lane) -> Select[float]:
    return select(func.min(messages.c.due_at)).where(_WAITING, lane.holds(), messages.c.due_at > _NOW)


_accepted = messages.alias("accepted")
# What the first accepted message of the same incident and channel returned.
_REF = (
    select(_accepted.c.ref)
    .where(
        _accepted.c.incident == messages.c.incident,
        _accepted.c.channel == messages.c.channel,
        _accepted.c.ref.is_not(None),
    )
    .order_by(_accepted.c.id)
    .limit(1)
    .scalar_subquery()
    .label("previous")
)


@lru_cache
def _candidates(lane: Lane) -> Select[Any]:
    columns = (*(messages.c[name] for name in ("id", "incident", "channel", "step", "moment", "rank")), _REF)
    chosen = select(*columns).where(_free(lane)).order_by(*_WORST_FIRST).limit(bindparam("most", type_=Integer))
    return chosen.with_for_update(skip_locked=True)


@lru_cache
def _taken() -> ReturningUpdate[Any]:
    return (
        update(messages)
        .where(messages.c.id.in_(bindparam("ids", expanding=True)))
        .values(claimed_until=bindparam("until"), attempt=messages.c.attempt + 1)
        .returning(*(messages.c[name] for name in _OF_A_LETTER))
    )


@dataclass(frozen=True, slots=True)
class Due:
    """The next message: when it may leave, in epoch seconds, and whether it is of the worst severity."""

    at: float
    worst: bool = False


def anything(database: Database, lane: Lane) -> bool:
    """Whether any message of the lane waits, due or not. Nearly every look finds none, so it is cheap to ask."""
    return database.finds(_any(lane))


def next_due(connection: Connection, lane: Lane, now: datetime) -> Due | None:
    """When ``claim`` may find something: ``now`` or earlier where it would now; None for nothing."""
    moment = {"now": to_seconds(now)}
    ready = connection.execute(_ready(lane), moment).first()
    if ready is not None:
        return Due(ready.due_at, ready.rank <= WORST)
    later: float | None = connection.scalar(_later(lane), moment)
    return None if later is None else Due(later)


def claim(
    connection: Connection, lane: Lane, now: datetime, until: datetime, most: int, spare: int | None = None
) -> list[Letter]:
    """Take due messages, the worst severity first. The claim holds until ``until``; ``attempt`` is its fence.

    At most ``most`` of them, and at most ``spare`` where they are not of the worst severity. Of several updates that
    wait on one incident the newest is taken; the others are marked as merged into it.
    """
    spare = most if spare is None else min(spare, most)
    chosen = _chosen(connection, lane, now, most, spare)
    while merge.older(connection, chosen, now):
        chosen = _chosen(connection, lane, now, most, spare)
    if not chosen:
        return []
    values = {"ids": [row.id for row in chosen], "until": to_seconds(until)}
    rows = connection.execute(_taken(), values).mappings().all()
    previous = {row.id: row.previous for row in chosen}
    letters = [_letter(row, previous[row["id"]]) for row in rows]
    return sorted(letters, key=lambda letter: letter.id)


def _chosen(connection: Connection, lane: Lane, now: datetime, most: int, spare: int) -> list[Row[Any]]:
    if most <= 0:
        return []
    rows = connection.execute(_candidates(lane), {"now": to_seconds(now), "most": most}).all()
    return [row for place, row in enumerate(rows) if row.rank <= WORST or place < spare]


_OF_A_LETTER = ("id", "incident", "channel", "step", "rank", "report", "due_at", "attempt", "plain", "written_at")


def peek(connection: Connection, number: int) -> Letter | None:
    """A message as the courier would get it, without claiming it."""
    found = select(*(messages.c[name] for name in _OF_A_LETTER), _REF).where(messages.c.id == number)
    row = connection.execute(found).mappings().first()
    return _letter(row, row["previous"]) if row else None


def _letter(row: Mapping[Any, Any], previous: bytes | None) -> Letter:
    return Letter(
        id=row["id"],
        channel=row["channel"],
        step=row["step"],
        rank=row["rank"],
        report=to_noun(Report, row["report"]),
        due_at=to_time(row["due_at"]),
        attempt=row["attempt"],
        plain=row["plain"],
        previous=to_noun(dict[str, str], previous) if previous else {},
        written_at=to_time(row["written_at"]),
    )


def _finish(connection: Connection, ours: ColumnElement[bool], **values: Any) -> bool:
    return bool(connection.execute(update(messages).where(ours, _WAITING).values(claimed_until=0.0, **values)).rowcount)


def _held(letter: Letter) -> ColumnElement[bool]:
    """Whether our claim is the newest one on a message."""
    return and_(messages.c.id == letter.id, messages.c.attempt == letter.attempt)


def sent(connection: Connection, letter: Letter, ref: Mapping[str, str], now: datetime) -> bool:
    """Mark as accepted, whoever has taken the message over meanwhile; False where it was marked already."""
    kept = to_bytes(dict(ref)) if ref else None
    ours = messages.c.id == letter.id
    return _finish(connection, ours, state="sent", ref=kept, error=None, ended_at=to_seconds(now))


def renew(connection: Connection, held: Iterable[Letter], until: datetime) -> None:
    """Say that we still send these."""
    ours = or_(*(_held(letter) for letter in held))
    connection.execute(update(messages).where(_WAITING, ours).values(claimed_until=to_seconds(until)))


def again(connection: Connection, letter: Letter, at: datetime, reason: str, *, plain: bool) -> bool:
    """Put back to be tried at ``at``; ``plain`` asks for the minimal form then."""
    return _finish(connection, _held(letter), due_at=to_seconds(at), error=reason, plain=plain, enrich=False)


def retry_now(connection: Connection, channel: str, now: datetime) -> None:
    """The channel takes messages again: what waits for its next attempt need not. What others hold is left alone."""
    failed = and_(_WAITING, messages.c.channel == channel, messages.c.attempt > 0, messages.c.due_at > to_seconds(now))
    free = select(messages.c.id).where(failed).with_for_update(skip_locked=True)
    connection.execute(update(messages).where(messages.c.id.in_(free.scalar_subquery())).values(due_at=to_seconds(now)))


def dead(connection: Connection, letter: Letter, reason: str, now: datetime) -> bool:
    """Give up: kept, counted and shown, never sent by itself again."""
    return _finish(connection, _held(letter), state="dead", error=reason, ended_at=to_seconds(now))


def _untouched(incident: str | ColumnElement[str]) -> ColumnElement[bool]:
    """The pages of an incident that nobody has tried to send."""
    return and_(messages.c.incident == incident, _WAITING, messages.c.enrich, messages.c.attempt == 0)


def untouched(connection: Connection, incident: str) -> frozenset[str]:
    """The channels that heard nothing of an incident and whose pages wait; none leaves while the transaction lasts."""
    rows = connection.execute(select(messages.c.channel).where(_untouched(incident)).with_for_update())
    waiting = frozenset(rows.scalars())
    tried = select(messages.c.channel).where(messages.c.incident == incident, messages.c.attempt > 0)
    return waiting - frozenset(connection.execute(tried).scalars())


def withdraw(connection: Connection, incident: str, channels: Collection[str], reason: str, now: datetime) -> None:
    """Take back pages that nobody has tried to send: they stay in the table, and never leave."""
    values = {"state": "withdrawn", "error": reason, "ended_at": to_seconds(now)}
    mine = _untouched(incident) & messages.c.channel.in_(list(channels))
    connection.execute(update(messages).where(mine).values(**values))


_ENRICHED = (
    update(messages)
    .where(_untouched(bindparam("of", type_=Text)))
    .values(report=bindparam("better"), due_at=bindparam("at"), enrich=False)
    .returning(messages.c.channel)
)
_RANKED = _ENRICHED.values(rank=bindparam("now_ranks"))


def enrich(
    connection: Connection, incident: str, report: Report, now: datetime, rank: int | None = None
) -> frozenset[str]:
    """Put a better report into the pages of an incident that nobody has tried to send, and release them now.

    ``rank`` is that of the severity where it has changed. Returns the channels it reached: from the others the page has
    left, and the findings are late.
    """
    values = {"of": incident, "better": to_bytes(report), "at": to_seconds(now)}
    if rank is None:
        reached = frozenset(connection.execute(_ENRICHED, values).scalars())
    else:
        reached = frozenset(connection.execute(_RANKED, {**values, "now_ranks": rank}).scalars())
    news.tell(connection, news.MESSAGES)
    return reached


def improve(connection: Connection, report: Report) -> None:
    """Put a better report into the pages of its incident that nobody has tried to send; they leave when they would."""
    connection.execute(update(messages).where(_untouched(report.incident)).values(report=to_bytes(report)))


def last_reports(connection: Connection, of: Iterable[str]) -> dict[str, Report]:
    """The newest report of each incident: what people know, which the next message builds upon."""
    newest = select(func.max(messages.c.id)).where(messages.c.incident.in_(list(of))).group_by(messages.c.incident)
    found = select(messages.c.incident, messages.c.report).where(messages.c.id.in_(newest.scalar_subquery()))
    return {incident: to_noun(Report, report) for incident, report in connection.execute(found)}


def counts(connection: Connection) -> dict[tuple[str, str], int]:
    """How many messages each channel has in each state: (channel, state) to number. It looks at every message."""
    by = select(messages.c.channel, messages.c.state, func.count()).group_by(messages.c.channel, messages.c.state)
    return {(channel, state): count for channel, state, count in connection.execute(by)}
