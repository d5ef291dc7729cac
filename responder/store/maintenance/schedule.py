"""Schedules of jobs that run at an interval, in one process of all that share the database."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from responder.store.schema.serialization import to_seconds
from responder.store.schema.tables import timers

#: Difference of two processes' clocks, in seconds, that is no clock set back: one reads its own, waits for the
#: database's lock, and finds the claim of another that has read its clock later.
_SKEW = timedelta(seconds=10)


def next_due(connection: Connection, name: str, now: datetime, every: timedelta) -> float:
    """Return the seconds until ``claim`` may succeed, 0 for now.

    A run further away than ``every``, beyond small differences, was scheduled before the clock was set back: it is due.
    """
    at = connection.execute(select(timers.c.due_at).where(timers.c.name == name)).scalar()
    left = 0.0 if at is None else at - to_seconds(now)
    return left if 0 < left <= (every + _SKEW).total_seconds() else 0.0


def claim(connection: Connection, name: str, now: datetime, every: timedelta) -> bool:
    """Claim the due run and schedule the next. Returns False if none is due or another process claimed it."""
    moment, following = to_seconds(now), to_seconds(now + every)
    ours = (timers.c.due_at <= moment) | (timers.c.due_at > to_seconds(now + every + _SKEW))
    taken = connection.execute(update(timers).where(timers.c.name == name, ours).values(due_at=following))
    if taken.rowcount:
        return True
    known = connection.execute(select(timers.c.name).where(timers.c.name == name)).first()
    return known is None and _first(connection, name, following)


def forget(connection: Connection, name: str) -> None:
    """Remove the schedule of work that is done."""
    connection.execute(delete(timers).where(timers.c.name == name))


def _first(connection: Connection, name: str, due_at: float) -> bool:
    """Write the first schedule of a job. Returns False if another process has just done so."""
    try:
        with connection.begin_nested():
            connection.execute(insert(timers).values(name=name, due_at=due_at))
    except IntegrityError:
        return False
    return True
