"""Incidents for operators: a filtered list, and every stored record of one incident."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, select

from responder.model.action import Handling
from responder.model.content import DecisionRecord, IncidentContent
from responder.model.incident import Incident
from responder.store.incidents import actions
from responder.store.incidents.incidents import contents_of, find, from_row
from responder.store.schema.serialization import from_bytes, to_seconds, to_time
from responder.store.schema.tables import contents, diagnoses, incidents, messages, notifications

#: Notifications, and messages, of one incident that are read, the oldest first.
MOST_RECORDS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Conditions of a list of incidents; an empty one admits every incident. ``text`` is part of the id or title."""

    is_open: bool | None = None
    severity: str = ""
    service: str = ""
    team: str = ""
    text: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class ListedIncident:
    """An incident with its teams and the name of the person who acknowledged it, or an empty one."""

    incident: Incident
    teams: tuple[str, ...]
    acknowledged_by: str


@dataclass(frozen=True, slots=True)
class NotificationRecord:
    """A notification of an incident, with the outcome of its triage."""

    id: int
    received_at: datetime
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRecord:
    """A message of an incident. ``ended_at`` is when it was accepted, given up or merged; None while it waits."""

    id: int
    channel: str
    kind: str
    state: str
    error: str
    written_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentRecords:
    """Every stored record of an incident. ``diagnoses`` are the times of their starts and ends."""

    incident: Incident
    content: IncidentContent | None
    notifications: tuple[NotificationRecord, ...]
    messages: tuple[MessageRecord, ...]
    diagnoses: tuple[tuple[datetime, datetime | None], ...]
    actions: tuple[actions.ActionRow, ...]


def listed(connection: Connection, wanted: Filter, limit: int) -> list[ListedIncident]:
    """Return the newest incidents that match, at most ``limit``."""
    found = select(incidents, contents.c.decision, contents.c.handling)
    found = found.join(contents, contents.c.incident == incidents.c.id, isouter=True)
    if wanted.is_open is not None:
        found = found.where(incidents.c.open == wanted.is_open)
    if wanted.severity:
        found = found.where(incidents.c.severity == wanted.severity)
    if wanted.service:
        found = found.where(incidents.c.service == wanted.service)
    if wanted.since:
        found = found.where(incidents.c.opened_at >= to_seconds(wanted.since))
    rows: list[ListedIncident] = []
    for row in connection.execute(found.order_by(incidents.c.opened_at.desc())).mappings():
        teams = from_bytes(DecisionRecord, row["decision"]).teams if row["decision"] else ()
        text = f"{row['id']} {row['title']}".casefold()
        if (not wanted.team or wanted.team in teams) and wanted.text.casefold() in text:
            by = from_bytes(Handling, row["handling"]).acknowledged_by if row["handling"] else ""
            rows.append(ListedIncident(from_row(row), teams, by))
        if len(rows) == limit:
            break
    return rows


def of_incident(connection: Connection, incident: str) -> IncidentRecords | None:
    """Return the records of an incident; None if there is no such incident."""
    found = find(connection, incident)
    if found is None:
        return None
    received = select(notifications.c.id, notifications.c.received_at, notifications.c.outcome)
    received = received.where(notifications.c.incident == incident).order_by(notifications.c.id).limit(MOST_RECORDS)
    probed = select(diagnoses.c.written_at, diagnoses.c.ended_at).where(diagnoses.c.incident == incident)
    return IncidentRecords(
        incident=found,
        content=contents_of(connection, [incident]).get(incident),
        notifications=tuple(
            NotificationRecord(row.id, to_time(row.received_at), row.outcome or "")
            for row in connection.execute(received)
        ),
        messages=tuple(_messages(connection, incident)),
        diagnoses=tuple(
            (to_time(row.written_at), to_time(row.ended_at) if row.ended_at is not None else None)
            for row in connection.execute(probed.order_by(diagnoses.c.id))
        ),
        actions=tuple(actions.of_incident(connection, incident)),
    )


def _messages(connection: Connection, incident: str) -> Iterator[MessageRecord]:
    rows = select(messages).where(messages.c.incident == incident).order_by(messages.c.id).limit(MOST_RECORDS)
    for row in connection.execute(rows):
        yield _message(row)


def _message(row: Row[tuple[object, ...]]) -> MessageRecord:
    return MessageRecord(
        id=row.id,
        channel=row.channel,
        kind=row.kind,
        state=row.state,
        error=row.error or "",
        written_at=to_time(row.written_at),
        ended_at=to_time(row.ended_at) if row.ended_at is not None else None,
    )
