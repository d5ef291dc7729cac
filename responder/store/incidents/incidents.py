"""Incidents, the content that their messages are composed from, and their diagnoses.

A diagnosis is work that survives the process that started it, under short leases that the worker renews.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Float,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    update,
)

from responder.model.delivery import DiagnosisJob, DiagnosisRequest
from responder.model.finding import NOTHING, Conclusion, Finding
from responder.model.incident import AlertState, GroupedAlert, Incident, SeverityOverride
from responder.model.report import UNHANDLED, AlertExtract, DecisionRecord, Handling, IncidentContent
from responder.store.backends.prepared import NEW_DIAGNOSES, Prepared, insert_into, notify
from responder.store.schema.serialization import from_bytes, to_bytes, to_seconds, to_time
from responder.store.schema.tables import UNFINISHED, contents, diagnoses, gathered_groups, incidents

_LATEST_FIRST = (incidents.c.open.desc(), incidents.c.notification.desc(), incidents.c.opened_at.desc())
_newest = (
    select(incidents, func.row_number().over(partition_by=incidents.c.dedup_key, order_by=_LATEST_FIRST).label("age"))
    .where(incidents.c.dedup_key.in_(bindparam("keys", expanding=True)))
    .subquery()
)
# Exactly as in the partial indexes: SQLite does not use them for "open = 1" or for a parameter.
_OPEN = text("incidents.open")
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


def open_with_rule(connection: Connection, rule: str) -> set[str]:
    """Return the ids of the open incidents of a rule."""
    return set(connection.execute(select(incidents.c.id).where(_OPEN, incidents.c.rule == rule)).scalars())


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


_FINISHED = Prepared(
    update(diagnoses)
    .where(diagnoses.c.id == bindparam("key"), diagnoses.c.attempt == bindparam("fence"), UNFINISHED)
    .values(state="done", ended_at=bindparam("at"), claimed_until=0.0)
)
_WRITE_DIAGNOSIS = Prepared(insert(diagnoses).returning(diagnoses.c.id))

#: Attempts, by workers that died or failed, before a diagnosis is given up; its page is sent all the same.
DIAGNOSIS_ATTEMPTS = 3


_FREE_DIAGNOSIS = and_(
    UNFINISHED, diagnoses.c.claimed_until <= bindparam("now", type_=Float), diagnoses.c.attempt < DIAGNOSIS_ATTEMPTS
)
_ANY_FREE = Prepared(select(diagnoses.c.id).where(_FREE_DIAGNOSIS).limit(1))


def write_diagnoses(
    connection: Connection,
    due: Iterable[tuple[DiagnosisRequest, datetime]],
    now: datetime,
    until: datetime,
    claims: int = 1,
) -> list[DiagnosisJob]:
    """Add diagnoses with the page's due time. Claims the first ``claims`` due until ``until``, and returns these."""
    pairs = sorted(due, key=lambda pair: pair[1])
    rows = [
        {
            "incident": work.incident,
            "state": "waiting",
            "due_at": to_seconds(due_at),
            "request": to_bytes(work),
            "attempt": 1 if place < claims else 0,
            "claimed_until": to_seconds(until) if place < claims else 0.0,
            "written_at": to_seconds(now),
        }
        for place, (work, due_at) in enumerate(pairs)
    ]
    if not rows:
        return []
    numbers = [_WRITE_DIAGNOSIS.rows(connection, row)[0]["id"] for row in rows]
    if len(pairs) > claims:
        notify(connection, NEW_DIAGNOSES)
    return [
        DiagnosisJob(id=number, attempt=1, due_at=due_at, request=work)
        for number, (work, due_at) in zip(numbers[:claims], pairs[:claims], strict=True)
    ]


def claim_diagnoses(connection: Connection, now: datetime, until: datetime, limit: int) -> list[DiagnosisJob]:
    """Claim diagnoses whose lease has expired."""
    free = select(diagnoses.c.id).where(_FREE_DIAGNOSIS).order_by(diagnoses.c.due_at).limit(limit)
    found = free.with_for_update(skip_locked=True).cte("severity_override")
    taken = (
        update(diagnoses)
        .where(diagnoses.c.id.in_(select(found.c.id)))
        .values(claimed_until=to_seconds(until), attempt=diagnoses.c.attempt + 1)
        .returning(diagnoses.c.id, diagnoses.c.attempt, diagnoses.c.due_at, diagnoses.c.request)
    )
    return [
        DiagnosisJob(id=number, attempt=attempt, due_at=to_time(due_at), request=from_bytes(DiagnosisRequest, work))
        for number, attempt, due_at, work in connection.execute(taken, {"now": to_seconds(now)})
    ]


def any_free_diagnosis(connection: Connection, now: datetime) -> bool:
    """Return True if a diagnosis waits without a lease."""
    return bool(_ANY_FREE.rows(connection, {"now": to_seconds(now)}))


def renew_diagnoses(connection: Connection, held: Iterable[DiagnosisJob], until: datetime) -> None:
    """Renew the leases."""
    ours = or_(*(and_(diagnoses.c.id == job.id, diagnoses.c.attempt == job.attempt) for job in held))
    connection.execute(update(diagnoses).where(UNFINISHED, ours).values(claimed_until=to_seconds(until)))


def release_diagnoses(connection: Connection, held: Iterable[DiagnosisJob]) -> None:
    """Release diagnoses that this process will not finish, so that another worker starts them at once."""
    ours = or_(*(and_(diagnoses.c.id == job.id, diagnoses.c.attempt == job.attempt) for job in held))
    connection.execute(update(diagnoses).where(UNFINISHED, ours).values(claimed_until=0.0))
    notify(connection, NEW_DIAGNOSES)


def finish_diagnosis(connection: Connection, job: DiagnosisJob, now: datetime) -> bool:
    """Mark as done. Returns False if another worker has claimed the diagnosis meanwhile."""
    values = {"key": job.id, "fence": job.attempt, "at": to_seconds(now)}
    return bool(_FINISHED.change(connection, [values]))
