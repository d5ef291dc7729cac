"""Received notifications read in order, for backtests and explanations, never for triage."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection, func, select

from responder.model.delivery import Notification
from responder.store.inbox.inbox import WHOLE, notification_of
from responder.store.schema.serialization import to_seconds
from responder.store.schema.tables import notifications, payloads


def count(connection: Connection, since: datetime | None) -> int:
    """Return the number of notifications with payload, since a time or in all."""
    came = select(func.count()).select_from(notifications).join(payloads, payloads.c.notification == notifications.c.id)
    if since is not None:
        came = came.where(notifications.c.received_at >= to_seconds(since))
    return int(connection.execute(came).scalar_one())


def page(connection: Connection, since: datetime | None, after: int, limit: int) -> list[Notification]:
    """Return the oldest notifications with an id above ``after``, since a time or in all, decided or not."""
    wanted = WHOLE.where(notifications.c.id > after).order_by(notifications.c.id).limit(limit)
    if since is not None:
        wanted = wanted.where(notifications.c.received_at >= to_seconds(since))
    return [notification_of(row) for row in connection.execute(wanted).mappings()]


def newest(connection: Connection, limit: int) -> list[Notification]:
    """The newest notifications whose payloads are kept."""
    wanted = WHOLE.order_by(notifications.c.id.desc()).limit(limit)
    return [notification_of(row) for row in connection.execute(wanted).mappings()]


def of_incident(connection: Connection, incident: str) -> Iterator[Notification]:
    """Return the notifications of an incident whose payloads are stored, the newest first, read one by one."""
    wanted = WHOLE.where(notifications.c.incident == incident).order_by(notifications.c.id.desc())
    return map(notification_of, connection.execute(wanted).mappings())
