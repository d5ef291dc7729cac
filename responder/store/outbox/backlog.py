"""Waiting and dead messages; every query uses a partial index."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, or_, select, text

from responder.store.outbox.claims import WORST
from responder.store.schema.serialization import to_seconds, to_time
from responder.store.schema.tables import UNFINISHED, WAITING, incidents, messages, notifications


def undecided(connection: Connection) -> int:
    """Return the number of undecided notifications."""
    return connection.execute(select(func.count()).where(notifications.c.state == "new")).scalar_one()


def unfinished(connection: Connection) -> int:
    """Return the number of unfinished diagnoses."""
    return connection.execute(select(func.count()).where(UNFINISHED)).scalar_one()


def open_by_severity(connection: Connection) -> dict[str, int]:
    """Return the number of open incidents by severity."""
    # Exactly as in the partial index: SQLite does not use it for "open = 1".
    by = select(incidents.c.severity, func.count()).where(text("open")).group_by(incidents.c.severity)
    return dict(connection.execute(by).all())


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """The unsent messages of a channel; ``oldest`` is since when the oldest waiting message could have been sent.

    A message can be sent once it is due; one that was tried counts from when it was written. ``urgent`` is the oldest
    of the worst severity, which no rate limit delays.
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
    """Return the backlog of each channel that has one, from partial indexes without sent messages."""
    ready = or_(messages.c.due_at <= to_seconds(now), messages.c.attempt > 0)
    since = case((messages.c.attempt > 0, messages.c.written_at), else_=messages.c.due_at)
    held = _by_channel(connection, func.count(), WAITING)
    gone = _by_channel(connection, func.count(), messages.c.state == "dead")
    oldest = _by_channel(connection, func.min(since), WAITING, ready)
    urgent = _by_channel(connection, func.min(since), WAITING, ready, messages.c.priority <= WORST)
    return {
        name: Backlog(
            waiting=int(held.get(name, 0)),
            dead=int(gone.get(name, 0)),
            oldest=to_time(oldest[name]) if name in oldest else None,
            urgent=to_time(urgent[name]) if name in urgent else None,
        )
        for name in sorted({*held, *gone})
    }
