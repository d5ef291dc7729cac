"""Waits that were measured by a clock which has been put back since: they would last as long again as it was moved.

Nothing here waits for a row that another transaction holds: that one may wait for a row of ours, and PostgreSQL needs a
second to see it. Such rows are passed over, and each function returns how many there were, for the caller to come back.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, func, select, update

from responder.store.schema.serialization import to_seconds
from responder.store.schema.tables import WAITING, incidents, lanes, messages, studies

_LONGEST = timedelta(minutes=10)
"""No page waits longer for its diagnosis; what waits longer by a vendor's wish is tried once too often."""
_NOISE = timedelta(seconds=2)
"""Replicas' clocks differ by less than this."""


def end(connection: Connection, now: datetime) -> int:
    """The clock was put back a moment ago: every message that waits is due, since nobody knows how long it should."""
    held = _resume(connection, now, now)
    held += _release(connection, messages.c.due_at > to_seconds(now), now)
    return held + _look_again(connection, incidents.c.review_at > to_seconds(now), now)


def end_impossible(connection: Connection, now: datetime) -> int:
    """The clock may have been put back some time ago: end the waits that no clock like ours can have set."""
    held = _resume(connection, now + _LONGEST, now)
    held += _release(connection, (messages.c.due_at > to_seconds(now + _LONGEST)) | _written_ahead(now), now)
    return held + _look_again(connection, incidents.c.review_at > to_seconds(now), now)


def end_ahead(connection: Connection, now: datetime) -> int:
    """End the waits of what was written by a clock ahead of ours, as by a transaction that it was put back in."""
    held = _resume(connection, now + _LONGEST, now)
    held += _release(connection, _written_ahead(now), now)
    changed = and_(incidents.c.changed_at > to_seconds(now + _NOISE), incidents.c.review_at > to_seconds(now))
    return held + _look_again(connection, changed, now)


def _written_ahead(now: datetime) -> ColumnElement[bool]:
    return messages.c.written_at > to_seconds(now + _NOISE)


def _look_again(connection: Connection, waiting: ColumnElement[bool], now: datetime) -> int:
    """Incidents that wait for a time are looked at now: what is not due yet is given its time anew.

    It needs no turn of triage: whatever else is written of an incident meanwhile, one look too many changes nothing.
    """
    return _correct(connection, incidents, waiting, review_at=to_seconds(now))


def _release(connection: Connection, untrue: ColumnElement[bool], now: datetime) -> int:
    later = messages.c.due_at > to_seconds(now)
    return _correct(connection, messages, and_(WAITING, later, untrue), due_at=to_seconds(now))


def _resume(connection: Connection, beyond: datetime, now: datetime) -> int:
    """Clear rate-limit pauses later than ``beyond``; clamp the times of attempts to now."""
    held = _correct(connection, lanes, lanes.c.paused_until > to_seconds(beyond), paused_until=0.0)
    for column in (lanes.c.failing_since, lanes.c.accepted_at, lanes.c.failed_at):
        held += _correct(connection, lanes, column > to_seconds(now), **{column.name: to_seconds(now)})
    return held


def shorten(
    connection: Connection, table: Table, now: datetime, longest: timedelta, channels: Collection[str] = ()
) -> int:
    """End claims on messages or studies ``longest`` from now at the latest, which is as long as anybody claims them.

    With ``channels`` given, those on messages to them.
    """
    assert table in {messages, studies}
    until = to_seconds(now + longest)
    claimed = and_(table.c.state == "waiting", table.c.claimed_until > until)
    ours = and_(claimed, table.c.channel.in_(channels)) if channels else claimed
    return _correct(connection, table, ours, claimed_until=until)


def _correct(connection: Connection, table: Table, wrong: ColumnElement[bool], **values: Any) -> int:
    """Give values to the rows that are wrong without them. Returns how many another transaction holds."""
    (key,) = table.primary_key.columns
    found: int = connection.execute(select(func.count()).select_from(table).where(wrong)).scalar_one()
    if not found:
        return 0
    free = select(key).where(wrong).with_for_update(skip_locked=True).cte("free")
    done = connection.execute(update(table).where(key.in_(select(free.c[key.name]))).values(**values)).rowcount
    return max(0, found - done)
