"""Claims on messages: due messages in order, the worst severity first, and only the newest of waiting updates."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    update,
)

from responder.model.message import OutboxMessage, OutboxRow
from responder.model.report import IncidentContent, MessageFacts, MessageKind
from responder.store.backends.prepared import Prepared
from responder.store.database import Database
from responder.store.incidents import incidents
from responder.store.schema.serialization import from_bytes, to_seconds, to_time
from responder.store.schema.tables import WAITING, channel_states, messages, vendor_incidents

_earlier = messages.alias("earlier")
#: Priority of the worst severity, which is sent first and may use the whole rate limit of a channel.
WORST = 1
#: Why a resolve is withdrawn.
NOTHING_TO_RESOLVE = "nothing to resolve: the channel accepted no page with this key"

# A message is blocked while one with the same ordering key and channel that was written before it still waits.
_BLOCKED = exists().where(
    and_(
        _earlier.c.ordering_key == messages.c.ordering_key,
        _earlier.c.channel == messages.c.channel,
        _earlier.c.state == "waiting",
        _earlier.c.id < messages.c.id,
    )
)


@dataclass(frozen=True, slots=True)
class ChannelQueue:
    """The messages of one sender: those of one channel, or with ``rest`` those of every channel except these.

    A message is not claimed until ``grace`` after it was due.
    """

    channels: tuple[str, ...]
    rest: bool = False
    grace: timedelta = timedelta()

    def has(self, channel: str) -> bool:
        """Return True if messages of a channel are in the queue."""
        return (channel in self.channels) is not self.rest

    def condition(self) -> ColumnElement[bool]:
        """Return the condition on the table."""
        if self.rest:
            return messages.c.channel.not_in(self.channels)
        if len(self.channels) == 1:
            return messages.c.channel == self.channels[0]
        return messages.c.channel.in_(self.channels)


#: A due message with its references, as it was before the claim.
_Chosen = Mapping[Any, Any]
_WORST_FIRST = (messages.c.priority, messages.c.due_at, messages.c.id)
_NOW = bindparam("now", type_=Float)


def _claimable(queue: ChannelQueue) -> ColumnElement[bool]:
    return and_(WAITING, queue.condition(), messages.c.due_at <= _NOW, messages.c.claimed_until <= _NOW, ~_BLOCKED)


@lru_cache
def _first_claimable(queue: ChannelQueue) -> Prepared:
    first = select(messages.c.due_at, messages.c.priority).where(_claimable(queue)).order_by(*_WORST_FIRST).limit(1)
    return Prepared(first)


@lru_cache
def _first_later(queue: ChannelQueue) -> Prepared:
    earliest = func.min(messages.c.due_at).label("due_at")
    return Prepared(select(earliest).where(WAITING, queue.condition(), messages.c.due_at > _NOW))


_accepted = messages.alias("accepted")
# Reference returned for the first accepted message of the same incident and channel. A companion that sends pictures
# into the threads of a channel has the name of that channel with an end (COMPANION_SUFFIX), and gets its references.
_REF = (
    select(_accepted.c.ref)
    .where(
        _accepted.c.incident == messages.c.incident,
        # Two values rather than an OR, so that the index of incident and channel is used.
        _accepted.c.channel.in_([messages.c.channel, func.replace(messages.c.channel, ".pictures", "")]),
        _accepted.c.ref.is_not(None),
    )
    .order_by(_accepted.c.id)
    .limit(1)
    .scalar_subquery()
    .label("previous")
)
# Id and address of a vendor's incident: the newest when the message was written, or else the first that was learnt, so
# that all attempts of a message are about the same one. An incident that pages again has a further one.
_BY_THEN = vendor_incidents.c.seen_at <= messages.c.written_at
_VENDOR = (
    select(vendor_incidents.c.id + " " + vendor_incidents.c.url)
    .where(vendor_incidents.c.incident == messages.c.incident)
    .order_by(
        case((_BY_THEN, 0), else_=1), case((_BY_THEN, -vendor_incidents.c.seen_at), else_=vendor_incidents.c.seen_at)
    )
    .limit(1)
    .scalar_subquery()
    .label("vendor")
)


@dataclass(frozen=True, slots=True)
class StepRoom:
    """Messages with one of ``steps`` that may be sent now: ``urgent`` in all, ``other`` below the worst severity."""

    steps: frozenset[str]
    urgent: int
    other: int


@lru_cache(maxsize=1024)
def _candidates(
    queue: ChannelQueue, most: int, none: frozenset[str] = frozenset(), worst_only: frozenset[str] = frozenset()
) -> Prepared:
    columns = (
        *(messages.c[name] for name in ("id", "incident", "ordering_key", "channel", "step", "kind", "priority")),
        *(messages.c.claimed_until, messages.c.error, messages.c.attempt),
        _REF,
        _VENDOR,
    )
    where = [_claimable(queue)]
    if none:
        where.append(messages.c.step.not_in(sorted(none)))
    if worst_only:
        where.append(or_(messages.c.step.not_in(sorted(worst_only)), messages.c.priority <= WORST))
    chosen = select(*columns).where(*where).order_by(*_WORST_FIRST).limit(most)
    return Prepared(chosen.with_for_update(skip_locked=True))


@lru_cache
def _claim_rows() -> Prepared:
    return Prepared(
        update(messages)
        .where(messages.c.id.in_(bindparam("ids", expanding=True)))
        .values(claimed_until=bindparam("until"), attempt=messages.c.attempt + 1)
        .returning(*(messages.c[name] for name in _OF_A_ROW))
    )


@dataclass(frozen=True, slots=True)
class NextDue:
    """The next message: when it may be sent, in epoch seconds; ``worst`` is True for the worst severity."""

    at: float
    worst: bool = False


_ANY_WAITING = select(messages.c.id).where(WAITING).limit(1)
# Each row of the recursion is the next channel in the index: a backlog of many messages costs no more than one of few.
_channels = select(func.min(messages.c.channel).label("name")).where(WAITING).cte("channels", recursive=True)
_channels = _channels.union_all(
    select(
        select(func.min(messages.c.channel)).where(WAITING, messages.c.channel > _channels.c.name).scalar_subquery()
    ).where(_channels.c.name.is_not(None))
)
_OF_CHANNELS = Prepared(select(_channels.c.name).where(_channels.c.name.is_not(None)))


def waiting_channels(database: Database) -> frozenset[str]:
    """Return the channels for which messages wait, due or not. Cheap if there are none, as at most polls."""
    if not database.has_row(_ANY_WAITING):
        return frozenset()
    with database.read() as connection:
        return frozenset(row["name"] for row in _OF_CHANNELS.rows(connection, {}))


def next_due(connection: Connection, queue: ChannelQueue, now: datetime) -> NextDue | None:
    """Return when ``claim`` may find a message: ``now`` or earlier if it would now; None if no message waits."""
    moment = {"now": to_seconds(now)}
    for row in _first_claimable(queue).rows(connection, moment):
        return NextDue(row["due_at"], row["priority"] <= WORST)
    later: float | None = _first_later(queue).rows(connection, moment)[0]["due_at"]
    return None if later is None else NextDue(later)


def claim(
    connection: Connection,
    queue: ChannelQueue,
    now: datetime,
    until: datetime,
    most: int,
    spare: int | None = None,
    *,
    keeps_open: bool = False,
    limits: Sequence[StepRoom] = (),
) -> list[OutboxRow]:
    """Claim due messages until ``until``, the worst severity first; ``attempt`` is the fence of the claim.

    At most ``most`` messages, of which at most ``spare`` below the worst severity. Of several waiting updates of one
    incident the newest is claimed; the others are marked as merged into it. If the channel ``keeps_open`` incidents, a
    resolve is withdrawn if the channel has accepted nothing with its key. ``limits`` are those of sets of steps.
    """
    spare = most if spare is None else min(spare, most)
    chosen = _chosen(connection, queue, now, most, spare, limits)
    while merge_older(connection, chosen, now) or (keeps_open and _withdrawn(connection, chosen, now)):
        chosen = _chosen(connection, queue, now, most, spare, limits)
    if not chosen:
        return []
    values = {"ids": [row["id"] for row in chosen], "until": to_seconds(until)}
    rows = _claim_rows().rows(connection, values)
    known = incidents.contents_of(connection, {row["incident"] for row in rows})
    of = {row["id"]: row for row in chosen}
    return [
        _claimed(row, known.get(row["incident"]), of[row["id"]]) for row in sorted(rows, key=lambda each: each["id"])
    ]


def _claimed(row: Mapping[Any, Any], content: IncidentContent | None, chosen: Mapping[Any, Any]) -> OutboxRow:
    """Return a row as claimed. ``chosen`` is what it was before, with what other tables say."""
    before = None if chosen["attempt"] and chosen["claimed_until"] else chosen["error"] or ""
    return replace(_outbox_row(row, content, chosen["previous"], chosen["vendor"]), before=before)


def _withdrawn(connection: Connection, chosen: Iterable[_Chosen], now: datetime) -> int:
    """Withdraw the chosen resolves of keys that the channel does not know. Returns their number."""
    resolves = [row["id"] for row in chosen if row["kind"] == MessageKind.RESOLUTION.value]
    if not resolves:
        return 0
    accepted = exists().where(
        _accepted.c.incident == messages.c.incident,
        _accepted.c.channel == messages.c.channel,
        _accepted.c.ordering_key == messages.c.ordering_key,
        _accepted.c.kind != MessageKind.RESOLUTION.value,
        _accepted.c.state == "sent",
    )
    unknown = and_(messages.c.id.in_(resolves), ~accepted)
    values = {"state": "withdrawn", "error": NOTHING_TO_RESOLVE, "ended_at": to_seconds(now)}
    return int(connection.execute(update(messages).where(unknown).values(**values)).rowcount)


def is_sending(connection: Connection, channel: str, now: datetime) -> bool:
    """Return True while any process sends a message of the channel."""
    claimed = and_(WAITING, messages.c.channel == channel, messages.c.claimed_until > to_seconds(now))
    return bool(connection.scalar(select(exists().where(claimed))))


def _chosen(
    connection: Connection,
    queue: ChannelQueue,
    now: datetime,
    most: int,
    spare: int,
    limits: Sequence[StepRoom],
) -> list[_Chosen]:
    if most <= 0:
        return []
    none = frozenset[str]().union(*(each.steps for each in limits if each.urgent <= 0))
    worst_only = frozenset[str]().union(*(each.steps for each in limits if each.other <= 0 < each.urgent))
    found = _candidates(queue, most, none, worst_only).rows(connection, {"now": to_seconds(now)})
    rows = [row for place, row in enumerate(found) if row["priority"] <= WORST or place < spare]
    for each in limits:
        same = [row for row in rows if row["step"] in each.steps]
        kept = [
            row for place, row in enumerate(same) if place < (each.urgent if row["priority"] <= WORST else each.other)
        ]
        rows = [row for row in rows if row["step"] not in each.steps or row in kept]
    return rows


_OF_A_ROW = (
    *("id", "incident", "ordering_key", "channel", "step", "kind", "priority", "facts"),
    *("due_at", "enrich", "replaces", "attempt", "minimal", "written_at", "channel_kind"),
)


def peek(connection: Connection, number: int) -> OutboxRow | None:
    """Return a message as a sender would get it, without claiming it."""
    found = select(*(messages.c[name] for name in _OF_A_ROW), _REF, _VENDOR).where(messages.c.id == number)
    row = connection.execute(found).mappings().first()
    if row is None:
        return None
    content = incidents.content_of(connection, row["incident"])
    return _outbox_row(row, content, row["previous"], row["vendor"])


#: Columns that hold the value of the message's field.
_OF_A_MESSAGE = ("incident", "ordering_key", "channel", "channel_kind", "step", "priority", "replaces")


def message_of(row: Mapping[Any, Any]) -> OutboxMessage:
    """Return the message in a row."""
    return OutboxMessage(
        **{name: row[name] for name in _OF_A_MESSAGE},
        enrich=bool(row["enrich"]),
        kind=MessageKind(row["kind"]),
        due_at=to_time(row["due_at"]),
        facts=from_bytes(MessageFacts, row["facts"]),
    )


def _outbox_row(
    row: Mapping[Any, Any], content: IncidentContent | None, previous: bytes | None, vendor: str | None
) -> OutboxRow:
    return OutboxRow(
        id=row["id"],
        message=message_of(row),
        content=content,
        attempt=row["attempt"],
        minimal=bool(row["minimal"]),
        written_at=to_time(row["written_at"]),
        previous=from_bytes(dict[str, str], previous) if previous else {},
        vendor_incident=(vendor or "").partition(" ")[0],
        vendor_url=(vendor or "").partition(" ")[2],
    )


#: The only kind of message that a newer one replaces. Opening, resolving and additional messages are always sent.
UPDATE = MessageKind.UPDATE.value


def merge_older(connection: Connection, chosen: Iterable[_Chosen], now: datetime) -> int:
    """Mark each chosen update as merged if a newer one of its incident, channel and step waits; return the number.

    The newer one takes over a worse priority. Its position in the order does not change.
    """
    return sum(_merged(connection, row, now) for row in chosen if row["kind"] == UPDATE)


def _merged(connection: Connection, row: _Chosen, now: datetime) -> int:
    moment = to_seconds(now)
    waiting = and_(
        messages.c.incident == row["incident"],
        messages.c.channel == row["channel"],
        messages.c.step == row["step"],
        messages.c.kind == UPDATE,
        WAITING,
        messages.c.due_at <= moment,
        messages.c.claimed_until <= moment,
    )
    # Skips rows that another transaction holds: it may be about to send them.
    found = select(messages.c.id, messages.c.priority).where(waiting).order_by(messages.c.id)
    rows = connection.execute(found.with_for_update(skip_locked=True)).all()
    if len(rows) < 2 or rows[-1].id <= row["id"]:
        return 0
    newest, priority = rows[-1].id, min(each.priority for each in rows)
    connection.execute(update(messages).where(messages.c.id == newest).values(priority=priority))
    taken_over = {"state": "merged", "merged_into": newest, "ended_at": moment}
    gone = messages.c.id.in_([each.id for each in rows[:-1]])
    return int(connection.execute(update(messages).where(gone).values(**taken_over)).rowcount)


def untried(connection: Connection, now: datetime, overdue: timedelta) -> tuple[str, datetime] | None:
    """Channel and due time of the oldest page of the worst severity that no process tries to send, None if none.

    It has been due for ``overdue``, and so long its channel has not been tried, was not paused and was not failing:
    the vendor is not the reason.
    """
    moment, before = to_seconds(now), to_seconds(now - overdue)
    page = and_(WAITING, messages.c.priority <= WORST, messages.c.kind == MessageKind.START.value)
    free = and_(messages.c.attempt == 0, messages.c.claimed_until <= moment, ~_BLOCKED)
    moments = (channel_states.c.paused_until, channel_states.c.accepted_at, channel_states.c.failed_at)
    busy = or_(channel_states.c.failing_since.is_not(None), *(column > before for column in moments))
    held = exists().where(channel_states.c.channel == messages.c.channel, busy)
    oldest = select(messages.c.channel, messages.c.due_at).where(page, free, messages.c.due_at <= before, ~held)
    row = connection.execute(oldest.order_by(messages.c.due_at).limit(1)).first()
    return None if row is None else (row.channel, to_time(row.due_at))
