"""Recently refused requests, by sender and status."""

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from responder.store.schema.serialization import to_seconds, to_time
from responder.store.schema.tables import notifications, rejects

#: Statuses of requests without valid credentials or with a wrong path; recorded at most once a minute.
OUTSIDE = frozenset({401, 404, 405})
#: Requests that are searched for an alert's name.
_NEWEST = 3
_ALERT_NAME = re.compile(rb'"alertname"\s*:\s*("(?:[^"\\]|\\.){1,200}")')


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """Refused requests of one sender with one status. ``error`` is that of the newest, ``alert`` the newest name."""

    remote: str
    status: int
    count: int
    first_at: datetime
    last_at: datetime
    error: str
    alert: str


def refusals(connection: Connection, since: datetime, statuses: Collection[int] | None = None) -> list[Refusals]:
    """Return the refusals since a time, the oldest first; without ``statuses`` all except those of OUTSIDE."""
    status, at = rejects.c.status, rejects.c.received_at
    wanted = status.in_(statuses) if statuses else status.not_in(OUTSIDE)
    newest = func.max(rejects.c.id).label("newest")
    grouped = (
        select(rejects.c.remote, status, func.count(), func.min(at), func.max(at), newest)
        .where(at >= to_seconds(since), wanted, rejects.c.id > 0)
        .group_by(rejects.c.remote, status)
        .order_by(func.min(at))
    )
    found = []
    for remote, code, count, first, last, number in connection.execute(grouped).all():
        ours = select(rejects.c.error, rejects.c.body).where(rejects.c.remote == remote, status == code)
        rows = connection.execute(ours.where(rejects.c.id <= number).order_by(rejects.c.id.desc()).limit(_NEWEST)).all()
        times = {"first_at": to_time(first), "last_at": to_time(last)}
        alert = next(filter(None, (_alert_name(bytes(row.body)) for row in rows)), "")
        found.append(Refusals(remote=remote, status=code, count=count, error=rows[0].error, alert=alert, **times))
    return found


def last_valid(connection: Connection) -> datetime | None:
    """Return when the newest notification arrived."""
    newest = select(notifications.c.received_at).order_by(notifications.c.id.desc()).limit(1)
    found = connection.execute(newest).scalar()
    return None if found is None else to_time(found)


def _alert_name(body: bytes) -> str:
    """Return the first alert name in a payload, empty if none can be read."""
    if found := _ALERT_NAME.search(body):
        try:
            return str(json.loads(found[1]))
        except ValueError:
            return ""
    return ""
