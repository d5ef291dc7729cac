"""State of each channel: its rate limit, pauses and failures, shared by all processes."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Float, and_, bindparam, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from responder.store.backends.prepared import Prepared
from responder.store.database import Database
from responder.store.schema.serialization import to_seconds
from responder.store.schema.tables import channel_states


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


def prepare(database: Database, channels: Iterable[str]) -> None:
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


def failed(connection: Connection, channel: str, now: datetime) -> None:
    """Record the time of the first failure."""
    ours = and_(channel_states.c.channel == channel, channel_states.c.failing_since.is_(None))
    connection.execute(update(channel_states).where(ours).values(failing_since=to_seconds(now)))


def pause(connection: Connection, channel: str, until: float, full_at: float) -> None:
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
