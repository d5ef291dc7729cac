"""Incidents of a vendor, such as PagerDuty, and the incidents here that they stand for."""

import re
from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from responder.store.database import Database
from responder.store.incidents import incidents
from responder.store.schema.serialization import to_seconds
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


def channel_of(connection: Connection, incident: str, kinds: Collection[str]) -> str:
    """Return the channel of these kinds that was notified of an incident first; empty for none."""
    wanted = messages.c.incident == incident, messages.c.channel_kind.in_(sorted(kinds))
    first = select(messages.c.channel).where(*wanted).order_by(messages.c.id).limit(1)
    return str(connection.execute(first).scalar() or "")


def link_of(connection: Connection, incident: str) -> str:
    """Return the address of a vendor's incident that stands for this one; empty while none is known."""
    mine = select(vendor_incidents.c.url).where(vendor_incidents.c.incident == incident, vendor_incidents.c.url != "")
    return str(connection.execute(mine.order_by(vendor_incidents.c.seen_at.desc()).limit(1)).scalar() or "")


def save(database: Database, vendor_incident: str, ours: Iterable[str], url: str, now: datetime) -> None:
    """Remember what a vendor's incident stands for. Raises StoreError."""
    rows = [
        {"id": vendor_incident, "incident": incident, "url": url, "seen_at": to_seconds(now)}
        for incident in ours
        if vendor_incident
    ]
    if not rows:
        return
    with database.write() as connection:
        writing = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        connection.execute(writing(vendor_incidents).on_conflict_do_nothing(), rows)
