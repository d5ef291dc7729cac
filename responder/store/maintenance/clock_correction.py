"""Correction of times written by a clock that was set back since: they would delay work by the size of the step.

No function waits for rows that another transaction holds, since that could deadlock and PostgreSQL needs a second to
detect it. Such rows are skipped, and each function returns their number, so that the caller can try again.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, func, select, update

from responder.store.schema.serialization import to_seconds
from responder.store.schema.tables import WAITING, channel_states, diagnoses, incidents, messages

#: Longest plausible wait: no page waits longer for its diagnosis, and a longer Retry-After costs one extra attempt.
_LONGEST = timedelta(minutes=10)
#: Largest difference between the clocks of replicas.
_NOISE = timedelta(seconds=2)


def end_waits(connection: Connection, now: datetime) -> int:
    """Make every waiting message due: the clock was just set back, so the remaining time is unknown."""
    skipped = _resume(connection, now, now)
    skipped += _make_due(connection, messages.c.due_at > to_seconds(now), now)
    return skipped + _review_again(connection, incidents.c.review_at > to_seconds(now), now)


def end_long_waits(connection: Connection, now: datetime) -> int:
    """End waits that are implausibly long: the clock may have been set back some time ago."""
    skipped = _resume(connection, now + _LONGEST, now)
    skipped += _make_due(connection, (messages.c.due_at > to_seconds(now + _LONGEST)) | _written_ahead(now), now)
    return skipped + _review_again(connection, incidents.c.review_at > to_seconds(now), now)


def end_waits_written_ahead(connection: Connection, now: datetime) -> int:
    """End the waits of rows written by a clock ahead of this one, as by a transaction during the step back."""
    skipped = _resume(connection, now + _LONGEST, now)
    skipped += _make_due(connection, _written_ahead(now), now)
    changed = and_(incidents.c.changed_at > to_seconds(now + _NOISE), incidents.c.review_at > to_seconds(now))
    return skipped + _review_again(connection, changed, now)


def _written_ahead(now: datetime) -> ColumnElement[bool]:
    return messages.c.written_at > to_seconds(now + _NOISE)


def _review_again(connection: Connection, waiting: ColumnElement[bool], now: datetime) -> int:
    """Make waiting incidents due for review, which recomputes the time of those that are not due.

    Needs no triage lock: a superfluous review changes nothing.
    """
    return _correct(connection, incidents, waiting, review_at=to_seconds(now))


def _make_due(connection: Connection, wrong: ColumnElement[bool], now: datetime) -> int:
    later = messages.c.due_at > to_seconds(now)
    return _correct(connection, messages, and_(WAITING, later, wrong), due_at=to_seconds(now))


def _resume(connection: Connection, beyond: datetime, now: datetime) -> int:
    """Clear rate-limit pauses later than ``beyond``; clamp the times of attempts to now."""
    skipped = _correct(connection, channel_states, channel_states.c.paused_until > to_seconds(beyond), paused_until=0.0)
    for column in (channel_states.c.failing_since, channel_states.c.accepted_at, channel_states.c.failed_at):
        skipped += _correct(connection, channel_states, column > to_seconds(now), **{column.name: to_seconds(now)})
    return skipped


def shorten(
    connection: Connection, table: Table, now: datetime, longest: timedelta, channels: Collection[str] = ()
) -> int:
    """Shorten leases on messages or diagnoses to at most ``longest`` from now, the longest lease that is given.

    With ``channels``, only leases on their messages.
    """
    assert table in {messages, diagnoses}
    until = to_seconds(now + longest)
    claimed = and_(table.c.state == "waiting", table.c.claimed_until > until)
    ours = and_(claimed, table.c.channel.in_(channels)) if channels else claimed
    return _correct(connection, table, ours, claimed_until=until)


def _correct(connection: Connection, table: Table, wrong: ColumnElement[bool], **values: Any) -> int:
    """Set values in the rows that are wrong. Returns the number of rows that another transaction holds."""
    (key,) = table.primary_key.columns
    found: int = connection.execute(select(func.count()).select_from(table).where(wrong)).scalar_one()
    if not found:
        return 0
    free = select(key).where(wrong).with_for_update(skip_locked=True).cte("free")
    done = connection.execute(update(table).where(key.in_(select(free.c[key.name]))).values(**values)).rowcount
    return max(0, found - done)
