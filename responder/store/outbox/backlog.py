"""What waits, and what was given up: each question is answered by an index that holds nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, or_, select, text

from responder.store.outbox.claims import WORST
from responder.store.schema.serialization import to_seconds, to_time
from responder.store.schema.tables import UNFINISHED, WAITING, deliveries, incidents, messages


def undecided(connection: Connection) -> int:
    """How many deliveries nobody has decided yet."""
    return connection.execute(select(func.count()).where(deliveries.c.state == "new")).scalar_one()


def unfinished(connection: Connection) -> int:
    """How many diagnoses are not finished."""
    return connection.execute(select(func.count()).where(UNFINISHED)).scalar_one()


def open_by_severity(connection: Connection) -> dict[str, int]:
    """How many incidents of each severity are open."""
    # Said as the partial index says it: SQLite does not see that "open = 1" means the same.
    by = select(incidents.c.severity, func.count()).where(text("open")).group_by(incidents.c.severity)
    return dict(connection.execute(by).all())


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What a channel has not sent: how many wait, how many are dead, and since when the oldest could have left.

    A message could have left once it fell due; one that was tried counts from when it was written. ``urgent`` is the
    oldest of the worst severity, which no limit of a vendor holds back.
    """

    waiting: int = 0
    dead: int = 0
    oldest: datetime | None = None
    urgent: datetime | None = None


def _by_channel(
    connection: Connection, value: ColumnElement[Any], *conditions: ColumnElement[bool]
) -> dict[str, float]:
    found = select(messages.c.channel, value).where(*conditions).group_by(messages.c.channel)
    return dict(connection.execute(found).all())


def backlogs(connection: Connection, now: datetime) -> dict[str, Backlog]:
    """The backlog of each channel that has one, read from partial indexes: the sent messages are not looked at."""
    ready = or_(messages.c.due_at <= to_seconds(now), messages.c.attempt > 0)
    since = case((messages.c.attempt > 0, messages.c.written_at), else_=messages.c.due_at)
    held = _by_channel(connection, func.count(), WAITING)
    gone = _by_channel(connection, func.count(), messages.c.state == "dead")
    oldest = _by_channel(connection, func.min(since), WAITING, ready)
    urgent = _by_channel(connection, func.min(since), WAITING, ready, messages.c.rank <= WORST)
    return {
        name: Backlog(
            waiting=int(held.get(name, 0)),
            dead=int(gone.get(name, 0)),
            oldest=to_time(oldest[name]) if name in oldest else None,
            urgent=to_time(urgent[name]) if name in urgent else None,
        )
        for name in sorted({*held, *gone})
    }
