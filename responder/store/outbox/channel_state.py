"""What all replicas know of a channel together: how much was sent lately, and since when it does not take messages."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from responder.store.database import Database
from responder.store.schema.serialization import to_seconds
from responder.store.schema.tables import lanes


@dataclass(frozen=True, slots=True)
class Standing:
    """Seconds since the epoch. ``full_at`` is the state of the bucket (see notify/rate_limit.py).

    Nothing leaves before ``paused_until``. ``failing_since`` is the first failure after which nothing was accepted.
    ``accepted_at`` and ``failed_at`` are the newest attempts that were and were not accepted.
    """

    full_at: float = 0.0
    paused_until: float = 0.0
    failing_since: float | None = None
    accepted_at: float | None = None
    failed_at: float | None = None


_COLUMNS = (lanes.c.full_at, lanes.c.paused_until, lanes.c.failing_since, lanes.c.accepted_at, lanes.c.failed_at)
_OURS = lanes.c.channel == bindparam("name")
_LOOK = select(*_COLUMNS).where(_OURS)
_HOLD = _LOOK.with_for_update()
_SPENT = update(lanes).where(_OURS).values(full_at=bindparam("full"))
_WELL = update(lanes).where(_OURS, lanes.c.failing_since.is_not(None)).values(failing_since=None)


def prepare(database: Database, channels: Iterable[str]) -> None:
    """Give each channel its row. Several processes may do so at once. Raises CannotStore."""
    with database.read() as connection:
        known = set(connection.execute(select(lanes.c.channel)).scalars())
    for channel in set(channels) - known:
        with contextlib.suppress(IntegrityError), database.work() as connection:  # unless another process was faster
            connection.execute(insert(lanes).values(channel=channel, full_at=0.0, paused_until=0.0))


def look(connection: Connection, channel: str) -> Standing:
    """The channel's standing, as one who knows nothing where it has no row."""
    row = connection.execute(_LOOK, {"name": channel}).first()
    return Standing(*row) if row else Standing()


def hold(connection: Connection, channel: str) -> Standing:
    """The same, and nobody else claims on this channel until our transaction ends."""
    row = connection.execute(_HOLD, {"name": channel}).first()
    return Standing(*row) if row else Standing()


def spend(connection: Connection, channel: str, full_at: float) -> None:
    """Remember what was claimed."""
    connection.execute(_SPENT, {"name": channel, "full": full_at})


def failed(connection: Connection, channel: str, now: datetime) -> None:
    """An attempt was not accepted."""
    ours = and_(lanes.c.channel == channel, lanes.c.failing_since.is_(None))
    connection.execute(update(lanes).where(ours).values(failing_since=to_seconds(now)))


def pause(connection: Connection, channel: str, until: float, full_at: float) -> None:
    """Nothing more leaves before ``until``, and then only what the bucket holds. Both are seconds since the epoch."""
    connection.execute(update(lanes).where(lanes.c.channel == channel).values(paused_until=until, full_at=full_at))


def tried(connection: Connection, channel: str, now: datetime, *, accepted: bool, failed: bool) -> None:
    """Remember when attempts were accepted and when they failed."""
    moments = {lanes.c.accepted_at: accepted, lanes.c.failed_at: failed}
    values = {column: to_seconds(now) for column, happened in moments.items() if happened}
    connection.execute(update(lanes).where(lanes.c.channel == channel).values(values))


def answered(connection: Connection, channel: str) -> bool:
    """The channel takes messages, or says why not one of them. Whether that is news."""
    return bool(connection.execute(_WELL, {"name": channel}).rowcount)


def standings(connection: Connection) -> dict[str, Standing]:
    """Every channel's."""
    rows = connection.execute(select(lanes.c.channel, *_COLUMNS))
    return {channel: Standing(*rest) for channel, *rest in rows}
