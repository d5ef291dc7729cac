"""Updates that wait become the newest one before they are sent: in a flood people read one line and not twenty."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, select, update

from responder.model.report import Moment
from responder.store.schema.serialization import to_seconds
from responder.store.schema.tables import WAITING, messages

UPDATE = Moment.UPDATE.value
"""The one moment that a newer one replaces. What begins, ends or adds to an incident is always sent."""


def older(connection: Connection, chosen: Iterable[Row[Any]], now: datetime) -> int:
    """Mark each chosen update as merged where a newer one of its incident, channel and step waits; how many were.

    The newer one takes over the rank where that is worse. Order is kept: it stays where it was written.
    """
    return sum(_one(connection, row, now) for row in chosen if row.moment == UPDATE)


def _one(connection: Connection, row: Row[Any], now: datetime) -> int:
    moment = to_seconds(now)
    waiting = and_(
        messages.c.incident == row.incident,
        messages.c.channel == row.channel,
        messages.c.step == row.step,
        messages.c.moment == UPDATE,
        WAITING,
        messages.c.due_at <= moment,
        messages.c.claimed_until <= moment,
    )
    # Those that another transaction holds are left alone: it may be about to send them.
    found = select(messages.c.id, messages.c.rank).where(waiting).order_by(messages.c.id)
    rows = connection.execute(found.with_for_update(skip_locked=True)).all()
    if len(rows) < 2 or rows[-1].id <= row.id:
        return 0
    newest, rank = rows[-1].id, min(each.rank for each in rows)
    connection.execute(update(messages).where(messages.c.id == newest).values(rank=rank))
    taken_over = {"state": "merged", "merged_into": newest, "ended_at": moment}
    gone = messages.c.id.in_([each.id for each in rows[:-1]])
    return int(connection.execute(update(messages).where(gone).values(**taken_over)).rowcount)
