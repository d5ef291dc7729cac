"""Incidents for operators: a filtered list, and every stored record of one incident."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, RowMapping, not_, select, text, tuple_

from responder.model.incident import Incident
from responder.model.report import Handling, IncidentContent, MessageFacts, MessageKind
from responder.model.transcript import StepRecord
from responder.store.incidents import actions, transcripts
from responder.store.incidents.incidents import content_of, find, from_row, with_signature
from responder.store.schema.serialization import from_bytes, to_seconds, to_time
from responder.store.schema.tables import contents, diagnoses, incidents, messages, notifications

#: Notifications, and messages, of one incident that are read, the oldest first.
MOST_RECORDS = 1000
#: Incidents that one page looks at for a condition that no index holds.
SCANNED = 2000
#: Related incidents of each kind.
MOST_RELATED = 6
#: Seconds between the starts of two incidents at about the same time.
BESIDE_SECONDS = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Conditions of a list of incidents; an empty one admits every incident. ``text`` is part of the id or title."""

    is_open: bool | None = None
    severity: str = ""
    service: str = ""
    rule: str = ""
    team: str = ""
    text: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class ListedIncident:
    """An incident with its teams and the name of the person who acknowledged it, or an empty one.

    ``level`` is PagerDuty's word for its severity: critical, error, warning or info.
    """

    incident: Incident
    teams: tuple[str, ...]
    acknowledged_by: str
    level: str = "info"

    @property
    def state(self) -> str:
        """``resolved``, ``acknowledged`` or ``open``."""
        return state_of(self.incident, self.acknowledged_by)


def state_of(incident: Incident, acknowledged_by: str) -> str:
    """Return ``resolved``, ``acknowledged`` or ``open``."""
    if not incident.open:
        return "resolved"
    return "acknowledged" if acknowledged_by else "open"


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place of an incident in lists: the start in seconds since the epoch, and the id."""

    opened_at: float
    id: str


@dataclass(frozen=True, slots=True)
class IncidentPage:
    """A page of a list; the next one begins below ``next``, which is None at the end."""

    rows: tuple[ListedIncident, ...]
    next: Cursor | None


@dataclass(frozen=True, slots=True)
class Related:
    """Incidents around one: those that opened at about the same time, earlier ones of its group, and of its cause."""

    beside: tuple[ListedIncident, ...]
    before: tuple[ListedIncident, ...]
    alike: tuple[ListedIncident, ...]


@dataclass(frozen=True, slots=True)
class NotificationRecord:
    """A notification of an incident, with the outcome of its triage."""

    id: int
    received_at: datetime
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRecord:
    """A message of an incident. ``ended_at`` is when it was accepted, given up or merged; None while it waits.

    ``reason`` is the text of a reminder, empty for other kinds.
    """

    id: int
    channel: str
    kind: str
    state: str
    error: str
    written_at: datetime
    ended_at: datetime | None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentRecords:
    """Every stored record of an incident.

    ``diagnoses`` are the times of their starts and ends, ``steps`` those of runbooks that were run or ticked.
    """

    incident: Incident
    content: IncidentContent | None
    notifications: tuple[NotificationRecord, ...]
    messages: tuple[MessageRecord, ...]
    diagnoses: tuple[tuple[datetime, datetime | None], ...]
    actions: tuple[actions.ActionRow, ...]
    steps: tuple[StepRecord, ...] = ()


def listed(connection: Connection, wanted: Filter, limit: int) -> list[ListedIncident]:
    """Return the newest incidents that match, at most ``limit``."""
    return list(page(connection, wanted, limit, most_scanned=None).rows)


def page(
    connection: Connection,
    wanted: Filter,
    limit: int,
    after: Cursor | None = None,
    *,
    most_scanned: int | None = SCANNED,
) -> IncidentPage:
    """Return the next incidents that match, the newest first, from below ``after``.

    No index holds texts and teams: where the filter names one, at most ``most_scanned`` incidents are looked at, and
    the page may be shorter than ``limit`` although more follow.
    """
    by_content = bool(wanted.text or wanted.team)
    columns = [incidents.c.id, incidents.c.opened_at]
    if by_content:
        columns += [incidents.c.title, contents.c.decision]
    found = select(*columns)
    if by_content:
        found = found.join(contents, contents.c.incident == incidents.c.id, isouter=True)
    found = found.where(*_conditions(wanted))
    if after is not None:
        found = found.where(tuple_(incidents.c.opened_at, incidents.c.id) < (after.opened_at, after.id))
    bound = most_scanned if by_content else limit + 1
    ordered = found.order_by(incidents.c.opened_at.desc(), incidents.c.id.desc()).limit(bound)
    keys: list[Cursor] = []
    last, scanned = None, 0
    for row in connection.execute(ordered):
        if len(keys) == limit:  # one more than fits: there is a next page
            return IncidentPage(_rows(connection, keys), keys[-1])
        scanned, last = scanned + 1, Cursor(row.opened_at, row.id)
        if not by_content or _matches(wanted, row):
            keys.append(last)
    return IncidentPage(_rows(connection, keys), last if by_content and scanned == bound else None)


def resolved_lately(connection: Connection, limit: int) -> tuple[ListedIncident, ...]:
    """Return the incidents that were resolved last, the last one first."""
    found = select(incidents.c.opened_at, incidents.c.id).where(incidents.c.resolved_at.is_not(None))
    found = found.where(not_(incidents.c.open)).order_by(incidents.c.resolved_at.desc()).limit(limit)
    return _rows(connection, [Cursor(*row) for row in connection.execute(found)])


def _conditions(wanted: Filter) -> Iterator[ColumnElement[bool]]:
    if wanted.is_open is not None:
        # As in the partial indexes: SQLite uses none of them for "open = 1".
        yield text("incidents.open") if wanted.is_open else not_(incidents.c.open)  # type: ignore[misc]
    if wanted.severity:
        yield incidents.c.severity == wanted.severity
    if wanted.service:
        yield incidents.c.service == wanted.service
    if wanted.rule:
        yield incidents.c.rule == wanted.rule
    if wanted.since:
        yield incidents.c.opened_at >= to_seconds(wanted.since)


@dataclass(frozen=True, slots=True)
class _Listed:
    """The part of a decision record that lists and filters read."""

    teams: tuple[str, ...] = ()
    pagerduty_severity: str = "info"


def _matches(wanted: Filter, row: Row[Any]) -> bool:
    if wanted.text.casefold() not in f"{row.id} {row.title}".casefold():
        return False
    return not wanted.team or (row.decision is not None and wanted.team in from_bytes(_Listed, row.decision).teams)


def _rows(connection: Connection, keys: Sequence[Cursor]) -> tuple[ListedIncident, ...]:
    """Read the incidents of ``keys``, in their order."""
    found = select(incidents, contents.c.decision, contents.c.handling)
    found = found.join(contents, contents.c.incident == incidents.c.id, isouter=True)
    found = found.where(incidents.c.id.in_([each.id for each in keys]))
    rows = {row["id"]: row for row in connection.execute(found).mappings()} if keys else {}
    return tuple(_listed(rows[each.id]) for each in keys if each.id in rows)


def _listed(row: RowMapping) -> ListedIncident:
    shown = from_bytes(_Listed, row["decision"]) if row["decision"] else _Listed()
    by = from_bytes(Handling, row["handling"]).acknowledged_by if row["handling"] else ""
    return ListedIncident(from_row(row), shown.teams, by, shown.pagerduty_severity)


def related(connection: Connection, of: Incident, signature: str) -> Related:
    """Return the incidents to compare one with."""
    start = to_seconds(of.opened_at)
    keys = select(incidents.c.opened_at, incidents.c.id).where(incidents.c.id != of.id).limit(MOST_RELATED)
    newest = incidents.c.opened_at.desc()
    beside = keys.where(incidents.c.opened_at.between(start - BESIDE_SECONDS, start + BESIDE_SECONDS)).order_by(newest)
    before = keys.where(incidents.c.dedup_key == of.dedup_key).order_by(newest)
    alike = with_signature(connection, signature, of.id, to_time(0.0), MOST_RELATED)
    return Related(
        beside=_rows(connection, [Cursor(*row) for row in connection.execute(beside)]),
        before=_rows(connection, [Cursor(*row) for row in connection.execute(before)]),
        alike=_rows(connection, [Cursor(to_seconds(each.opened_at), each.id) for each in alike]),
    )


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
        content=content_of(connection, incident),
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
        steps=transcripts.of_incident(connection, incident),
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
        reason=from_bytes(MessageFacts, row.facts).update if row.kind == MessageKind.REMINDER else "",
    )
