"""Incidents that jobs look for: due for review, late with a response or an update, not paged yet."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, and_, false, func, literal, or_, select, text

from responder.model.incident import UNJUDGED, Incident
from responder.model.report import UNHANDLED, Handling, MessageKind
from responder.store.incidents.incidents import from_row
from responder.store.schema.serialization import from_bytes, to_seconds, to_time
from responder.store.schema.tables import contents, incidents, messages

# Exactly as in the partial indexes: SQLite does not use them for "open = 1" or for a parameter.
_OPEN = text("incidents.open")
_UNPAGED = text("incidents.open AND incidents.digest <> '' AND incidents.channels = ''")
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
    return _last_written(connection, incidents_, *posted)


def paged(connection: Connection, incidents_: Collection[str], pagers: Collection[str]) -> dict[str, datetime]:
    """Return when the last page that a pager accepted was written, by incident."""
    accepted = messages.c.state == "sent", messages.c.kind.in_(_PAGES), messages.c.channel.in_(sorted(pagers))
    return _last_written(connection, incidents_, *accepted)


def _last_written(
    connection: Connection, incidents_: Collection[str], *conditions: ColumnElement[bool]
) -> dict[str, datetime]:
    newest = select(messages.c.incident, func.max(messages.c.written_at)).group_by(messages.c.incident)
    rows = connection.execute(newest.where(messages.c.incident.in_(sorted(incidents_)), *conditions))
    return {incident: to_time(at) for incident, at in rows}


def to_review(connection: Connection, now: datetime, limit: int) -> list[Incident]:
    """Return incidents that are due for review, the longest due first."""
    due = select(incidents).where(incidents.c.review_at <= to_seconds(now)).order_by(incidents.c.review_at)
    return [from_row(row) for row in connection.execute(due.limit(limit)).mappings()]


def unpaged(connection: Connection, severity: str, current: str, limit: int) -> list[Incident]:
    """Return open incidents that only the digest of a flood mentions, except the ``current`` one; oldest first.

    Excludes silenced incidents: on-call knows of these.
    """
    mine = and_(_UNPAGED, incidents.c.severity == severity, incidents.c.silenced == "", incidents.c.digest != current)
    waiting = select(incidents).where(mine).order_by(incidents.c.opened_at).limit(limit)
    return [from_row(row) for row in connection.execute(waiting).mappings()]


def _names(channels: Collection[str]) -> ColumnElement[bool]:
    """True for incidents that one of the channels was notified of: names are whole words of the column."""
    words = literal(" ") + incidents.c.channels + literal(" ")
    return or_(false(), *(words.contains(f" {name} ", autoescape=True) for name in sorted(channels)))


def unpaged_kinds(connection: Connection, pagers: Collection[str]) -> list[tuple[str, str]]:
    """Return the rules and severities of open, firing incidents that were notified but not to ``pagers``."""
    return [(row.rule, row.severity) for row in connection.execute(_kinds(pagers))]


def unpaged_incidents(
    connection: Connection, pagers: Collection[str], kinds: Iterable[tuple[str, str]]
) -> Iterator[Incident]:
    """Yield those of the given rules and severities, in the order of these, then the oldest first."""
    for rule, severity in kinds:
        mine = and_(_unpaged(pagers), incidents.c.rule == rule, incidents.c.severity == severity)
        oldest = select(incidents).where(mine).order_by(incidents.c.opened_at)
        yield from map(from_row, connection.execute(oldest).mappings())


def _kinds(pagers: Collection[str]) -> Select[tuple[str, str]]:
    return select(incidents.c.rule, incidents.c.severity).where(_unpaged(pagers)).distinct()


def _unpaged(pagers: Collection[str]) -> ColumnElement[bool]:
    """Exclude silenced incidents, incidents not opened by a notification, and those about triage failures.

    The latter were sent to every channel.
    """
    others = and_(incidents.c.channels != "", ~_names(pagers), incidents.c.rule != UNJUDGED)
    return and_(
        _OPEN, others, incidents.c.silenced == "", incidents.c.resolve_reason == "", incidents.c.notification > 0
    )


def open_in(connection: Connection, severity: str, digest: str) -> int:
    """Return the number of open incidents that only this digest mentions."""
    mine = and_(_UNPAGED, incidents.c.severity == severity, incidents.c.digest == digest)
    return int(connection.execute(select(func.count()).where(mine)).scalar_one())
