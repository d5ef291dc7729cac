"""Messages from their writing to the result of each attempt, and the state of their channels for all processes."""

import contextlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    Text,
    Update,
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
from sqlalchemy.exc import IntegrityError

from responder.model.message import ClaimedMessage, OutboxMessage, OutboxRow
from responder.model.report import MessageKind
from responder.store.backends.prepared import MESSAGES, Prepared, notify
from responder.store.database import Database
from responder.store.outbox.claims import message_of
from responder.store.schema.serialization import to_bytes, to_seconds
from responder.store.schema.tables import WAITING, channel_states, incidents, messages

_NEVER = float("inf")
#: Seconds that a refused page rests more after each attempt.
RETRY_REFUSED_SECONDS = 30.0
_PAGES = (MessageKind.START.value, MessageKind.AGAIN.value)

# A message before a more urgent one must not delay it, so it gets the same priority.
# Rows that another transaction holds are being sent or changed anyway; waiting for them could deadlock.
_BLOCKING = (
    select(messages.c.id)
    .where(
        messages.c.ordering_key == bindparam("of"),
        messages.c.channel == bindparam("to"),
        WAITING,
        # + 0 keeps SQLite from scanning all waiting messages of a lower priority.
        messages.c.priority + 0 > bindparam("best"),
    )
    .with_for_update(skip_locked=True)
    .cte("blocking")
)
_UNTRIED = and_(messages.c.enrich, messages.c.attempt == 0, messages.c.due_at > bindparam("within", type_=Float))
_LIFT = Prepared(
    update(messages)
    .where(messages.c.id.in_(select(_BLOCKING.c.id)))
    .values(
        priority=bindparam("best"), due_at=case((_UNTRIED, bindparam("within", type_=Float)), else_=messages.c.due_at)
    )
)


_ADD = Prepared(insert(messages))


def write(connection: Connection, new_messages: Iterable[OutboxMessage], now: datetime) -> None:
    """Add messages, in order. Nothing is sent before ``due_at``, and nothing is waited for after it."""
    new_messages = _not_blocking(new_messages)
    rows = [
        {
            "incident": message.incident,
            "ordering_key": message.ordering_key,
            "channel": message.channel,
            "step": message.step,
            "priority": message.priority,
            "state": "waiting",
            "due_at": to_seconds(message.due_at),
            "enrich": message.enrich,
            "minimal": False,
            "attempt": 0,
            "claimed_until": 0.0,
            "facts": to_bytes(message.facts),
            "written_at": to_seconds(now),
            "kind": message.kind.value,
            "replaces": message.replaces,
            "channel_kind": message.channel_kind,
        }
        for message in new_messages
    ]
    if rows:
        _LIFT.change(connection, _lifts(new_messages))
        _ADD.change(connection, rows)
        notify(connection, MESSAGES)


def _not_blocking(new_messages: Iterable[OutboxMessage]) -> list[OutboxMessage]:
    """Return the messages, each at least as urgent as a later one with its ordering key and channel."""
    worst: dict[tuple[str, str], OutboxMessage] = {}
    found = []
    for message in reversed(list(new_messages)):
        key = message.ordering_key, message.channel
        behind = worst.get(key)
        if behind is not None and behind.priority < message.priority:
            due_at = min(message.due_at, behind.within) if message.enrich and behind.within else message.due_at
            found.append(replace(message, priority=behind.priority, due_at=due_at))
        else:
            worst[key] = message
            found.append(message)
    return found[::-1]


def _lifts(new_messages: Iterable[OutboxMessage]) -> list[dict[str, Any]]:
    """Return the worst priority and the earliest ``within`` of each ordering key and channel, for earlier messages."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for message in new_messages:
        own = {"best": message.priority, "within": to_seconds(message.within) if message.within else _NEVER}
        known = found.setdefault(
            (message.ordering_key, message.channel), {"of": message.ordering_key, "to": message.channel, **own}
        )
        known |= {name: min(value, known[name]) for name, value in own.items()}
    return list(found.values())


def _untouched(incident: str | ColumnElement[str]) -> ColumnElement[bool]:
    """The pages of an incident that were never attempted."""
    return and_(messages.c.incident == incident, WAITING, messages.c.enrich, messages.c.attempt == 0)


def untouched(connection: Connection, incident: str) -> frozenset[str]:
    """Return and lock the channels that were sent nothing about an incident and whose pages wait."""
    rows = connection.execute(select(messages.c.channel).where(_untouched(incident)).with_for_update())
    waiting = frozenset(rows.scalars())
    tried = select(messages.c.channel).where(messages.c.incident == incident, messages.c.attempt > 0)
    return waiting - frozenset(connection.execute(tried).scalars())


def withdraw(connection: Connection, incident: str, channels: Collection[str], reason: str, now: datetime) -> None:
    """Withdraw pages that were never attempted: they stay in the table and are never sent."""
    values = {"state": "withdrawn", "error": reason, "ended_at": to_seconds(now)}
    mine = _untouched(incident) & messages.c.channel.in_(list(channels))
    connection.execute(update(messages).where(mine).values(**values))


_release = (
    update(messages)
    .where(_untouched(bindparam("of", type_=Text)))
    .values(due_at=bindparam("at"), enrich=False)
    .returning(messages.c.channel)
)
_RELEASED = Prepared(_release)
_RELEASED_AS = Prepared(_release.values(priority=bindparam("new_priority")))


def release(connection: Connection, incident: str, now: datetime, priority: int | None = None) -> frozenset[str]:
    """Make the pages of an incident that wait for its diagnosis due now.

    ``priority`` is that of a changed severity. Returns the channels of these pages; on the others the page is already
    sent, and the findings are late.
    """
    values: dict[str, Any] = {"of": incident, "at": to_seconds(now)}
    if priority is None:
        rows = _RELEASED.rows(connection, values)
    else:
        rows = _RELEASED_AS.rows(connection, {**values, "new_priority": priority})
    notify(connection, MESSAGES)
    return frozenset(row["channel"] for row in rows)


def _owns_claim(message: ClaimedMessage | OutboxRow) -> ColumnElement[bool]:
    """The condition that the claim of ``message`` is the newest one on its message."""
    return and_(messages.c.id == message.id, messages.c.attempt == message.attempt)


def _failed(connection: Connection, message: ClaimedMessage, **values: Any) -> bool:
    """Record an attempt with the report as composed for it; never the request, which contains keys."""
    values |= {"claimed_until": 0.0, "report": to_bytes(message.report)}
    return bool(connection.execute(update(messages).where(_owns_claim(message), WAITING).values(**values)).rowcount)


_SENT = Prepared(
    update(messages)
    .where(messages.c.id == bindparam("key"), WAITING)
    .values(
        claimed_until=0.0,
        state="sent",
        ref=bindparam("returned"),
        error=None,
        report=bindparam("composed"),
        ended_at=bindparam("at"),
    )
)


def sent(connection: Connection, message: ClaimedMessage, ref: Mapping[str, str], now: datetime) -> bool:
    """Mark as accepted, even if another process has claimed the message. Returns False if it already was marked."""
    kept = to_bytes(dict(ref)) if ref else None
    values = {"key": message.id, "returned": kept, "composed": to_bytes(message.report), "at": to_seconds(now)}
    return bool(_SENT.change(connection, [values]))


def without_link(
    connection: Connection, incident: str, channel: str, steps: Collection[str], url: str, learnt_at: datetime
) -> OutboxMessage | None:
    """Return the newest message with one of the steps if it was sent without a link that was learnt since.

    None while a message waits: it is composed when it is sent.
    """
    mine = and_(messages.c.incident == incident, messages.c.channel == channel, messages.c.step.in_(sorted(steps)))
    known = mine & messages.c.state.in_(["waiting", "sent", "dead"])
    row = connection.execute(select(messages).where(known).order_by(messages.c.id.desc()).limit(1)).mappings().first()
    if row is None or row["state"] != "sent" or row["written_at"] >= to_seconds(learnt_at):
        return None
    return None if url.encode() in (row["report"] or b"") else message_of(row)


def forget_refs(connection: Connection, message: ClaimedMessage) -> None:
    """Remove the references that earlier messages of the incident on this channel returned."""
    mine = and_(messages.c.incident == message.report.incident, messages.c.channel == message.channel)
    connection.execute(update(messages).where(mine, messages.c.id < message.id).values(ref=None))


def renew(connection: Connection, held: Iterable[OutboxRow], until: datetime) -> frozenset[int]:
    """Renew the leases. Returns the ids of those that no other sender has claimed since."""
    ours = or_(*(_owns_claim(message) for message in held))
    renewed = update(messages).where(WAITING, ours).values(claimed_until=to_seconds(until)).returning(messages.c.id)
    return frozenset(connection.execute(renewed).scalars())


def schedule_retry(
    connection: Connection, message: ClaimedMessage, at: datetime, reason: str, *, minimal: bool
) -> bool:
    """Schedule a retry at ``at``; ``minimal`` selects the minimal form."""
    return _failed(connection, message, due_at=to_seconds(at), error=reason, minimal=minimal, enrich=False)


def retry_now(connection: Connection, channel: str, now: datetime) -> None:
    """Make pending retries of a channel due: it accepts messages again. Skips rows that others hold."""
    failed = and_(WAITING, messages.c.channel == channel, messages.c.attempt > 0, messages.c.due_at > to_seconds(now))
    free = select(messages.c.id).where(failed).with_for_update(skip_locked=True)
    connection.execute(update(messages).where(messages.c.id.in_(free.scalar_subquery())).values(due_at=to_seconds(now)))


def resolve_again(connection: Connection, message: ClaimedMessage, now: datetime) -> bool:
    """Put back the accepted resolve of a message's key, if there is one. Returns True if it is sent again."""
    resolve = and_(
        messages.c.incident == message.report.incident,
        messages.c.channel == message.channel,
        messages.c.ordering_key == message.report.dedup_key,
        messages.c.kind == MessageKind.RESOLUTION.value,
        messages.c.state == "sent",
        messages.c.id > message.id,
    )
    values = {"state": "waiting", "due_at": to_seconds(now), "ended_at": None}
    return bool(connection.execute(update(messages).where(resolve).values(**values)).rowcount)


def _requeue_statement() -> Update:
    later = messages.alias("later")
    paged = exists().where(
        later.c.incident == messages.c.incident,
        later.c.channel == messages.c.channel,
        later.c.ordering_key == messages.c.ordering_key,
        later.c.id > messages.c.id,
        later.c.state == "sent",
    )
    still_fires = exists().where(
        incidents.c.id == messages.c.incident, incidents.c.open, incidents.c.resolve_reason == ""
    )
    now = bindparam("now", type_=Float)
    rested = messages.c.ended_at + RETRY_REFUSED_SECONDS * (messages.c.attempt - 2) <= now
    page = and_(messages.c.channel == bindparam("of"), messages.c.state == "dead", messages.c.kind.in_(_PAGES))
    values = {"state": "waiting", "due_at": now, "minimal": False, "error": None, "ended_at": None}
    return update(messages).where(page, rested, still_fires, ~paged).values(**values)


_REQUEUE = Prepared(_requeue_statement())


def requeue_refused(connection: Connection, channel: str, now: datetime) -> None:
    """Put back the pages of open incidents that a channel refused: it accepts messages again.

    A page that is refused once more waits RETRY_REFUSED_SECONDS longer each time, since the page may be the reason.
    """
    _REQUEUE.change(connection, [{"of": channel, "now": to_seconds(now)}])


def give_up(connection: Connection, message: ClaimedMessage, reason: str, now: datetime) -> bool:
    """Give up: the message is kept, counted and listed, and only an operator can resend it."""
    return _failed(connection, message, state="dead", error=reason, ended_at=to_seconds(now))


@dataclass(frozen=True, slots=True)
class ChannelState:
    """The state of a channel, in seconds since the epoch. ``full_at`` is its token bucket (see notify/contract.py).

    Nothing is sent before ``paused_until``. ``failing_since`` is the first failure after which nothing was accepted.
    ``accepted_at`` and ``failed_at`` are the newest attempts that were and were not accepted.
    """

    full_at: float = 0.0
    paused_until: float = 0.0
    failing_since: float | None = None
    accepted_at: float | None = None
    failed_at: float | None = None


_COLUMNS = (
    channel_states.c.full_at,
    channel_states.c.paused_until,
    channel_states.c.failing_since,
    channel_states.c.accepted_at,
    channel_states.c.failed_at,
)
_OURS = channel_states.c.channel == bindparam("name")
_state = select(*_COLUMNS).where(_OURS)
_SELECT = Prepared(_state)
_LOCK = Prepared(_state.with_for_update())
_SAVE_FULL_AT = Prepared(update(channel_states).where(_OURS).values(full_at=bindparam("full")))
_CLEAR_FAILING = Prepared(
    update(channel_states).where(_OURS, channel_states.c.failing_since.is_not(None)).values(failing_since=None)
)
_ATTEMPTED = Prepared(
    update(channel_states)
    .where(_OURS)
    .values(
        accepted_at=func.coalesce(bindparam("accepted", type_=Float), channel_states.c.accepted_at),
        failed_at=func.coalesce(bindparam("failed", type_=Float), channel_states.c.failed_at),
    )
)


def prepare_states(database: Database, channels: Iterable[str]) -> None:
    """Insert the row of each channel. Several processes may do so at once. Raises StoreError."""
    with database.read() as connection:
        known = set(connection.execute(select(channel_states.c.channel)).scalars())
    for channel in set(channels) - known:
        # Another process may be faster.
        with contextlib.suppress(IntegrityError), database.transaction() as connection:
            connection.execute(insert(channel_states).values(channel=channel, full_at=0.0, paused_until=0.0))


def state_of(connection: Connection, channel: str) -> ChannelState:
    """Return the channel's state; the default state if it has no row."""
    return _read(_SELECT.rows(connection, {"name": channel}))


def lock_state(connection: Connection, channel: str) -> ChannelState:
    """Return the same, and lock the channel for other claims until this transaction ends."""
    return _read(_LOCK.rows(connection, {"name": channel}))


def _read(rows: Sequence[Mapping[str, Any]]) -> ChannelState:
    return ChannelState(**rows[0]) if rows else ChannelState()


def save_full_at(connection: Connection, channel: str, full_at: float) -> None:
    """Save the token bucket after a claim."""
    _SAVE_FULL_AT.change(connection, [{"name": channel, "full": full_at}])


def record_failing(connection: Connection, channel: str, now: datetime) -> None:
    """Record the time of the first failure."""
    ours = and_(channel_states.c.channel == channel, channel_states.c.failing_since.is_(None))
    connection.execute(update(channel_states).where(ours).values(failing_since=to_seconds(now)))


def pause_channel(connection: Connection, channel: str, until: float, full_at: float) -> None:
    """Send nothing before ``until``, and then what the bucket allows. Both are seconds since the epoch."""
    connection.execute(
        update(channel_states).where(channel_states.c.channel == channel).values(paused_until=until, full_at=full_at)
    )


def record_attempts(connection: Connection, channel: str, now: datetime, *, accepted: bool, failed: bool) -> None:
    """Record when attempts were accepted and when they failed."""
    at = to_seconds(now)
    values = {"name": channel, "accepted": at if accepted else None, "failed": at if failed else None}
    _ATTEMPTED.change(connection, [values])


def clear_failing(connection: Connection, channel: str) -> bool:
    """Clear ``failing_since``: the channel works, or rejects single messages. Returns True if it was set."""
    return bool(_CLEAR_FAILING.change(connection, [{"name": channel}]))


def states_by_channel(connection: Connection) -> dict[str, ChannelState]:
    """Return the state of every channel."""
    rows = connection.execute(select(channel_states.c.channel, *_COLUMNS))
    return {channel: ChannelState(*rest) for channel, *rest in rows}
