"""Incidents of a vendor, such as PagerDuty, and the incidents here that they stand for."""

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, and_, case, exists, func, select

from responder.model.report import MessageKind
from responder.store.backends.prepared import insert_into
from responder.store.database import Database
from responder.store.incidents import incidents
from responder.store.schema.serialization import to_seconds, to_time
from responder.store.schema.tables import incidents as incident_table
from responder.store.schema.tables import messages, vendor_incidents

#: The number that a further page of an incident adds to its key (``Incident.page_keys``).
_NUMBER = re.compile(r"-[0-9]{1,6}$")


def with_page_key(connection: Connection, keys: Iterable[str]) -> tuple[str, ...]:
    """Return the ids of the newest incidents that were paged with these dedup keys."""
    bases = {_NUMBER.sub("", key) for key in keys}
    return tuple(sorted(each.id for each in incidents.latest(connection, bases).values()))


def known(connection: Connection, vendor_incident: str) -> tuple[str, ...]:
    """Return the ids of the incidents that a vendor's incident stands for, as far as that was learnt."""
    found = select(vendor_incidents.c.incident).where(vendor_incidents.c.id == vendor_incident)
    return tuple(connection.execute(found.order_by(vendor_incidents.c.incident)).scalars())


def unknown_pages(
    connection: Connection, kinds: Collection[str], after: datetime, before: datetime, limit: int
) -> list[tuple[str, str, datetime]]:
    """Return incident, dedup key and time of the pages that channels of these kinds accepted between two times.

    Only of open incidents of which the vendor's incident was not learnt since the page was written.
    """
    learnt = exists().where(
        vendor_incidents.c.incident == messages.c.incident, vendor_incidents.c.seen_at >= messages.c.written_at
    )
    page = and_(
        messages.c.kind.in_([MessageKind.START.value, MessageKind.AGAIN.value, MessageKind.FALLBACK.value]),
        messages.c.state == "sent",
        messages.c.channel_kind.in_(sorted(kinds)),
        messages.c.ended_at.between(to_seconds(after), to_seconds(before)),
    )
    found = select(messages.c.incident, messages.c.ordering_key, messages.c.ended_at)
    found = found.join(incident_table, incident_table.c.id == messages.c.incident).where(
        incident_table.c.open, page, ~learnt
    )
    rows = connection.execute(found.order_by(messages.c.id).limit(limit))
    return [(row.incident, row.ordering_key, to_time(row.ended_at)) for row in rows]


def states_of(connection: Connection, keys: Collection[str]) -> dict[str, bool]:
    """Return for each dedup key that was paged with whether it is open here; keys that are unknown are left out.

    An incident holds its keys open, a message those of what is no incident, such as the digest of a flood.
    """
    found: dict[str, bool] = {}
    for part in (list(keys)[first : first + 500] for first in range(0, len(keys), 500)):
        resolved = messages.c.kind == MessageKind.RESOLUTION.value
        rows = select(messages.c.ordering_key, func.max(case((resolved, 1), else_=0))).group_by(messages.c.ordering_key)
        found |= {key: not over for key, over in connection.execute(rows.where(messages.c.ordering_key.in_(part)))}
        bases = {_NUMBER.sub("", key) for key in part}
        newest = incidents.latest(connection, bases)
        for key in part:
            if latest := newest.get(_NUMBER.sub("", key)):
                found[key] = latest.open and key in latest.page_keys
    return found


def channel_of(connection: Connection, incident: str, kinds: Collection[str]) -> str:
    """Return the channel of these kinds that was notified of an incident first; empty for none."""
    wanted = messages.c.incident == incident, messages.c.channel_kind.in_(sorted(kinds))
    first = select(messages.c.channel).where(*wanted).order_by(messages.c.id).limit(1)
    return str(connection.execute(first).scalar() or "")


def link_of(connection: Connection, incident: str) -> str:
    """Return the address of a vendor's incident that stands for this one; empty while none is known."""
    mine = select(vendor_incidents.c.url).where(vendor_incidents.c.incident == incident, vendor_incidents.c.url != "")
    return str(connection.execute(mine.order_by(vendor_incidents.c.seen_at.desc()).limit(1)).scalar() or "")


def learnt(connection: Connection, after: datetime, limit: int) -> list[tuple[str, str, datetime]]:
    """Return open incident, address and time of the vendor's incidents that were learnt after a time."""
    recent = and_(vendor_incidents.c.seen_at >= to_seconds(after), vendor_incidents.c.url != "", incident_table.c.open)
    found = select(vendor_incidents).join(incident_table, incident_table.c.id == vendor_incidents.c.incident)
    rows = connection.execute(found.where(recent).order_by(vendor_incidents.c.seen_at).limit(limit))
    return [(row.incident, row.url, to_time(row.seen_at)) for row in rows]


def save(database: Database, vendor_incident: str, ours: Iterable[str], url: str, now: datetime) -> None:
    """Remember what a vendor's incident stands for. Raises StoreError."""
    with database.write() as connection:
        record(connection, vendor_incident, ours, url, now)


def record(connection: Connection, vendor_incident: str, ours: Iterable[str], url: str, now: datetime) -> None:
    """Remember the same within a transaction."""
    rows = [
        {"id": vendor_incident, "incident": incident, "url": url, "seen_at": to_seconds(now)}
        for incident in ours
        if vendor_incident
    ]
    if rows:
        connection.execute(insert_into(vendor_incidents, connection.dialect.name).on_conflict_do_nothing(), rows)


def learn(connection: Connection, incident: str, ref: Mapping[str, str], now: datetime) -> None:
    """Remember the vendor's incident that the answer to a message named (``Continue.ref``), if it named one."""
    record(connection, ref.get("vendor_incident", ""), [incident], ref.get("vendor_url", ""), now)
