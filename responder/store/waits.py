"""Waits that were measured by a clock which has been put back since: they would last as long again as it was moved.

Lanes come before messages, as a courier locks them: whoever has the one must not wait for the other.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Table, and_, update

from responder.store.codec import to_seconds
from responder.store.tables import incidents, lanes, messages, studies

_LONGEST = timedelta(minutes=10)
"""No page waits longer for its diagnosis; what waits longer by a vendor's wish is tried once too often."""
_NOISE = timedelta(seconds=2)
"""Replicas' clocks differ by less than this."""


def end(connection: Connection, now: datetime) -> None:
    """The clock was put back a moment ago: every message that waits is due, since nobody knows how long it should."""
    _resume(connection, now, now)
    _release(connection, messages.c.due_at > to_seconds(now), now)
    _look_again(connection, now)


def end_impossible(connection: Connection, now: datetime) -> None:
    """The clock may have been put back some time ago: end the waits that no clock like ours can have set."""
    ahead = messages.c.written_at > to_seconds(now + _NOISE)
    _resume(connection, now + _LONGEST, now)
    _release(connection, (messages.c.due_at > to_seconds(now + _LONGEST)) | ahead, now)
    _look_again(connection, now)


def _look_again(connection: Connection, now: datetime) -> None:
    """Every incident that waits for a time is looked at now: what is not due yet is given its time anew.

    It needs no turn of triage: whatever else is written of an incident meanwhile, one look too many changes nothing.
    """
    waiting = incidents.c.review_at > to_seconds(now)
    connection.execute(update(incidents).where(waiting).values(review_at=to_seconds(now)))


def _release(connection: Connection, untrue: ColumnElement[bool], now: datetime) -> None:
    waiting = messages.c.state == "waiting"
    connection.execute(
        update(messages).where(waiting, messages.c.due_at > to_seconds(now), untrue).values(due_at=to_seconds(now))
    )


def _resume(connection: Connection, beyond: datetime, now: datetime) -> None:
    """End the vendors' pauses that last beyond a moment; what fails, fails since now at the latest."""
    paused, failing = lanes.c.paused_until > to_seconds(beyond), lanes.c.failing_since > to_seconds(now)
    connection.execute(update(lanes).where(paused).values(paused_until=0.0))
    connection.execute(update(lanes).where(failing).values(failing_since=to_seconds(now)))


def shorten(
    connection: Connection, table: Table, now: datetime, longest: timedelta, channels: Collection[str] = ()
) -> None:
    """End claims on messages or studies ``longest`` from now at the latest, which is as long as anybody claims them.

    With ``channels`` given, those on messages to them.
    """
    assert table in {messages, studies}
    until = to_seconds(now + longest)
    held = and_(table.c.state == "waiting", table.c.claimed_until > until)
    ours = and_(held, table.c.channel.in_(channels)) if channels else held
    connection.execute(update(table).where(ours).values(claimed_until=until))
