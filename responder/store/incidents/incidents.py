"""Incidents, and the content that their messages are composed from."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    delete,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    update,
)

from responder.model.finding import NOTHING, Conclusion, Finding
from responder.model.incident import UNJUDGED, AlertState, GroupedAlert, Incident, SeverityOverride
from responder.model.report import UNHANDLED, AlertExtract, DecisionRecord, Handling, IncidentContent
from responder.store.backends.prepared import Prepared, insert_into
from responder.store.schema.serialization import from_bytes, to_bytes, to_seconds, to_time
from responder.store.schema.tables import contents, gathered_groups, incidents

_LATEST_FIRST = (incidents.c.open.desc(), incidents.c.notification.desc(), incidents.c.opened_at.desc())
_newest = (
    select(incidents, func.row_number().over(partition_by=incidents.c.dedup_key, order_by=_LATEST_FIRST).label("age"))
    .where(incidents.c.dedup_key.in_(bindparam("keys", expanding=True)))
    .subquery()
)
# Exactly as in the partial indexes: SQLite does not use them for "open = 1" or for a parameter.
_OPEN = text("incidents.open")
_UNPAGED = text("incidents.open AND incidents.digest <> '' AND incidents.channels = ''")
_self = incidents.alias()
_SIGNED = text("contents.signature <> ''")
_LATEST = Prepared(select(_newest).where(_newest.c.age == 1))
_FIND = Prepared(select(incidents).where(incidents.c.id == bindparam("one")))
_OFTEN = (
    select(incidents.c.dedup_key, func.count())
    .where(incidents.c.dedup_key.in_(bindparam("keys", expanding=True)), incidents.c.opened_at >= bindparam("since"))
    .group_by(incidents.c.dedup_key)
)
_GATHERING = Prepared(
    select(gathered_groups.c.dedup_key.label("member"), incidents)
    .join(incidents, incidents.c.id == gathered_groups.c.incident)
    .where(gathered_groups.c.dedup_key.in_(bindparam("groups", expanding=True)), incidents.c.open)
)


def latest(connection: Connection, dedup_keys: Iterable[str]) -> dict[str, Incident]:
    """Return the newest incident of each key: the open one, else the one of the last notification.

    Not by time: if a clock was set back, a new incident looks older than its predecessor.
    """
    return {row["dedup_key"]: from_row(row) for row in _LATEST.rows(connection, {"keys": list(dedup_keys)})}


def count_by_key(connection: Connection, dedup_keys: Iterable[str], since: datetime) -> dict[str, int]:
    """Return the number of incidents of each key that opened at ``since`` or later; keys with none are omitted."""
    given = {"keys": list(dedup_keys), "since": since.timestamp()}
    return {row[0]: row[1] for row in connection.execute(_OFTEN, given)}


def with_signature(connection: Connection, signature: str, of: str, since: datetime, limit: int) -> list[Incident]:
    """Return the newest incidents with the cause of incident ``of``, at most ``limit``, except those of its group."""
    if not signature:
        return []
    alike = and_(contents.c.signature == signature, _SIGNED, contents.c.changed_at >= to_seconds(since))
    newest = select(incidents).join(contents, contents.c.incident == incidents.c.id).where(alike)
    own = select(_self.c.dedup_key).where(_self.c.id == of).scalar_subquery()
    newest = newest.where(incidents.c.dedup_key != own).order_by(contents.c.changed_at.desc()).limit(limit)
    return [from_row(row) for row in connection.execute(newest).mappings()]


def find(connection: Connection, incident: str) -> Incident | None:
    """Return an incident by its id."""
    found = _FIND.rows(connection, {"one": incident})
    return from_row(found[0]) if found else None


def gathering(connection: Connection, groups: Iterable[str]) -> dict[str, Incident]:
    """Return the open incident that each of these groups was gathered into, by the group's dedup key."""
    return {row["member"]: from_row(row) for row in _GATHERING.rows(connection, {"groups": list(groups)})}


def still_open(connection: Connection, incident: str) -> bool:
    """Return True if an incident is open, and lock it until this transaction ends: a resolve waits for it."""
    found = select(incidents.c.open).where(incidents.c.id == incident).with_for_update()
    return bool(connection.execute(found).scalar())


def open_ones(connection: Connection) -> list[Incident]:
    """Return every open incident."""
    rows = connection.execute(select(incidents).where(_OPEN)).mappings()
    return [from_row(row) for row in rows]


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


def open_with_rule(connection: Connection, rule: str) -> set[str]:
    """Return the ids of the open incidents of a rule."""
    return set(connection.execute(select(incidents.c.id).where(_OPEN, incidents.c.rule == rule)).scalars())


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


_ADD = Prepared(insert(incidents))
_CHANGE = Prepared(update(incidents).where(incidents.c.id == bindparam("key")))


def save(connection: Connection, added: Collection[Incident], changed: Collection[Incident]) -> None:
    """Write changed incidents, then new ones: one may resolve for another to open with its dedup key."""
    if changed:
        _CHANGE.change(connection, [{**to_row(incident), "key": incident.id} for incident in changed])
    if added:
        _ADD.change(connection, [to_row(incident) for incident in added])
    _gather(connection, [incident for incident in (*changed, *added) if incident.gathered])


def _gather(connection: Connection, several: list[Incident]) -> None:
    """Save the groups of open incidents that gather several, and delete those of resolved ones."""
    if not several:
        return
    rows = [
        {"dedup_key": group, "incident": incident.id}
        for incident in several
        if incident.open
        for group in sorted({member.group for member in incident.gathered.values()})
    ]
    gone = gathered_groups.c.incident.in_([incident.id for incident in several])
    moved = gathered_groups.c.dedup_key.in_([row["dedup_key"] for row in rows])
    connection.execute(delete(gathered_groups).where(gone | moved))
    if rows:
        connection.execute(insert(gathered_groups), rows)


def save_contents(
    connection: Connection, changed: Iterable[IncidentContent], restarted: Iterable[str], now: datetime
) -> None:
    """Write decisions and alerts. Findings stay as diagnosis wrote them, except those of ``restarted`` incidents.

    The last content of each incident is written. A restarted incident gets a new diagnosis, so its findings are
    removed. A content that is written for the first time includes its findings and conclusion.
    """
    newest = {content.incident: content for content in changed}
    anew = set(restarted)
    for again in (False, True):
        rows = [_row(content, now) for content in newest.values() if (content.incident in anew) is again]
        if rows:
            _upsert(connection.dialect.name, findings=again).change(connection, rows)


@cache
def _upsert(dialect: str, *, findings: bool) -> Prepared:
    """Return the statement that writes contents; with ``findings`` it replaces existing findings."""
    statement = insert_into(contents, dialect)
    names = ("decision", "alerts", "handling", "changed_at", *(("findings", "conclusion") if findings else ()))
    set_ = {name: statement.excluded[name] for name in names}
    return Prepared(statement.on_conflict_do_update(index_elements=["incident"], set_=set_))


_OF = Prepared(select(contents).where(contents.c.incident.in_(bindparam("names", expanding=True))))


def contents_of(connection: Connection, incidents: Iterable[str]) -> dict[str, IncidentContent]:
    """Return the contents of incidents; those without one are omitted."""
    names = list(incidents)
    rows = _OF.rows(connection, {"names": names}) if names else ()
    return {row["incident"]: read(row["incident"], row) for row in rows}


def content_of(connection: Connection, incident: str) -> IncidentContent | None:
    """Return the content of an incident; None if it has none."""
    return contents_of(connection, [incident]).get(incident)


_DIAGNOSED = Prepared(
    update(contents)
    .where(contents.c.incident == bindparam("of"))
    .values(
        findings=bindparam("found"),
        conclusion=bindparam("concluded"),
        signature=bindparam("cause"),
        changed_at=bindparam("at"),
    )
)


def save_findings(
    connection: Connection, incident: str, findings: Sequence[Finding], conclusion: Conclusion, now: datetime
) -> None:
    """Save the findings and conclusion of a diagnosis."""
    values = {
        "of": incident,
        "found": to_bytes(findings),
        "concluded": to_bytes(replace(conclusion, checked_at=now)),
        "cause": conclusion.signature,
        "at": to_seconds(now),
    }
    _DIAGNOSED.change(connection, [values])


def read(incident: str, row: Mapping[Any, Any]) -> IncidentContent:
    """Return the content in a row."""
    return IncidentContent(
        incident=incident,
        decision=from_bytes(DecisionRecord, row["decision"]),
        alerts=from_bytes(AlertExtract, row["alerts"]),
        findings=from_bytes(tuple[Finding, ...], row["findings"]) if row["findings"] else (),
        conclusion=from_bytes(Conclusion, row["conclusion"]) if row["conclusion"] else NOTHING,
        handling=from_bytes(Handling, row["handling"]) if row["handling"] else UNHANDLED,
    )


def _row(content: IncidentContent, now: datetime) -> dict[str, Any]:
    return {
        "incident": content.incident,
        "decision": to_bytes(content.decision),
        "alerts": to_bytes(content.alerts),
        "findings": to_bytes(content.findings) if content.findings else None,
        "conclusion": to_bytes(content.conclusion) if content.conclusion != NOTHING else None,
        "handling": to_bytes(content.handling) if content.handling != UNHANDLED else None,
        "changed_at": to_seconds(now),
    }


def to_row(incident: Incident) -> dict[str, Any]:
    """Return the columns of an incident."""
    return {name: getattr(incident, name) for name in _PLAIN} | {
        "open": incident.open,
        "channels": " ".join(incident.channels),
        "opened_at": to_seconds(incident.opened_at),
        "changed_at": to_seconds(incident.changed_at),
        "resolved_at": _seconds(incident.resolved_at),
        "alerts": to_bytes(incident.alerts),
        "resolve_at": _seconds(incident.resolve_at),
        "review_at": _seconds(incident.review_at),
        "reopened_at": _seconds(incident.reopened_at),
        "gone_since": _seconds(incident.gone_since),
        "severity_override": to_bytes(incident.severity_override) if incident.severity_override else None,
        "gathered": to_bytes(incident.gathered) if incident.gathered else None,
    }


def _seconds(when: datetime | None) -> float | None:
    return to_seconds(when) if when else None


def _time(seconds: float | None) -> datetime | None:
    return to_time(seconds) if seconds is not None else None


def from_row(row: Mapping[Any, Any]) -> Incident:
    """Return the incident in a row."""
    values = {name: row[name] for name in _PLAIN}
    return Incident(
        **values,
        open=bool(row["open"]),
        channels=tuple(row["channels"].split()),
        opened_at=to_time(row["opened_at"]),
        changed_at=to_time(row["changed_at"]),
        resolved_at=_time(row["resolved_at"]),
        resolve_at=_time(row["resolve_at"]),
        review_at=_time(row["review_at"]),
        reopened_at=_time(row["reopened_at"]),
        gone_since=_time(row["gone_since"]),
        alerts=from_bytes(dict[str, AlertState], row["alerts"]),
        severity_override=from_bytes(SeverityOverride, row["severity_override"]) if row["severity_override"] else None,
        gathered=from_bytes(dict[str, GroupedAlert], row["gathered"]) if row["gathered"] else {},
    )


#: Columns that hold the value of the field.
_PLAIN = (
    "id",
    "dedup_key",
    "group_key",
    "cluster",
    "severity",
    "rule",
    "service",
    "title",
    "runbook",
    "reason",
    "notification",
    "revision",
    "flaps",
    "resolve_reason",
    "silenced",
    "digest",
    "page_number",
)
