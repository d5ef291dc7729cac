"""Received notifications read in order, for backtests and explanations, never for triage."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, func, select

from responder.model.delivery import Notification
from responder.store.inbox.inbox import WHOLE, delivery_of
from responder.store.schema.serialization import to_seconds
from responder.store.schema.tables import bodies, deliveries


def count(connection: Connection, since: datetime | None) -> int:
    """Return the number of notifications with payload, since a time or in all."""
    came = select(func.count()).select_from(deliveries).join(bodies, bodies.c.delivery == deliveries.c.id)
    if since is not None:
        came = came.where(deliveries.c.received_at >= to_seconds(since))
    return int(connection.execute(came).scalar_one())


def page(connection: Connection, since: datetime | None, after: int, limit: int) -> list[Notification]:
    """Return the oldest notifications with an id above ``after``, since a time or in all, decided or not."""
    wanted = WHOLE.where(deliveries.c.id > after).order_by(deliveries.c.id).limit(limit)
    if since is not None:
        wanted = wanted.where(deliveries.c.received_at >= to_seconds(since))
    return [delivery_of(row) for row in connection.execute(wanted).mappings()]


def newest(connection: Connection, limit: int) -> list[Notification]:
    """The newest notifications whose payloads are kept."""
    wanted = WHOLE.order_by(deliveries.c.id.desc()).limit(limit)
    return [delivery_of(row) for row in connection.execute(wanted).mappings()]


def of_incident(connection: Connection, incident: str) -> Iterator[Notification]:
    """Return the notifications of an incident whose payloads are stored, the newest first, read one by one."""
    wanted = WHOLE.where(deliveries.c.incident == incident).order_by(deliveries.c.id.desc())
    return map(delivery_of, connection.execute(wanted).mappings())
