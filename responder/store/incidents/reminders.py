"""Incidents that may be late with a response or an update, and what their reminders depend on."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, func, or_, select, text

from responder.model.report import UNHANDLED, Handling, MessageKind
from responder.store.schema.serialization import from_bytes, to_seconds, to_time
from responder.store.schema.tables import contents, incidents, messages

_OPEN = text("incidents.open")
_PAGES = [kind.value for kind in (MessageKind.START, MessageKind.AGAIN, MessageKind.FALLBACK)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An open incident that has been open for longer than its severity's first deadline."""

    incident: str
    severity: str
    rule: str
    since: datetime
    handling: Handling


def candidates(connection: Connection, before: Mapping[str, datetime]) -> list[Candidate]:
    """Return open, firing and notified incidents that opened ``before`` the time of their severity; oldest first.

    Excludes silenced incidents.
    """
    late = [and_(incidents.c.severity == name, incidents.c.opened_at <= to_seconds(at)) for name, at in before.items()]
    if not late:
        return []
    names = ("id", "severity", "rule", "opened_at", "reopened_at")
    found = select(*(incidents.c[name] for name in names), contents.c.handling)
    found = found.join(contents, contents.c.incident == incidents.c.id, isouter=True)
    announced = incidents.c.silenced == "", incidents.c.resolve_reason == "", incidents.c.channels != ""
    rows = connection.execute(found.where(_OPEN, *announced, or_(*late)).order_by(incidents.c.opened_at)).mappings()
    return [
        Candidate(
            incident=row["id"],
            severity=row["severity"],
            rule=row["rule"],
            since=to_time(max(row["opened_at"], row["reopened_at"] or 0.0)),
            handling=from_bytes(Handling, row["handling"]) if row["handling"] else UNHANDLED,
        )
        for row in rows
    ]


def last_messages(connection: Connection, incidents_: Collection[str]) -> dict[str, datetime]:
    """Return when the last message of each incident was written, except reminders and messages that were given up."""
    posted = messages.c.kind != MessageKind.REMINDER.value, messages.c.state.not_in(["dead", "withdrawn"])
    newest = select(messages.c.incident, func.max(messages.c.written_at)).group_by(messages.c.incident)
    rows = connection.execute(newest.where(messages.c.incident.in_(sorted(incidents_)), *posted))
    return {row[0]: to_time(row[1]) for row in rows}


def paged(connection: Connection, incidents_: Collection[str], pagers: Collection[str]) -> dict[str, datetime]:
    """Return when the last page that a pager accepted was written, by incident."""
    accepted = messages.c.state == "sent", messages.c.kind.in_(_PAGES), messages.c.channel.in_(sorted(pagers))
    newest = select(messages.c.incident, func.max(messages.c.written_at)).group_by(messages.c.incident)
    rows = connection.execute(newest.where(messages.c.incident.in_(sorted(incidents_)), *accepted))
    return {row[0]: to_time(row[1]) for row in rows}
