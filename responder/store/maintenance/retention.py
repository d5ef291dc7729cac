"""Deletion of old rows that nothing needs, the oldest first, in batches that hold the write lock briefly; row sizes."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    exists,
    func,
    literal,
    not_,
    or_,
    select,
    text,
    true,
)

from responder.store.incidents import detectors
from responder.store.incidents.incidents import DIAGNOSIS_ATTEMPTS
from responder.store.schema.serialization import to_seconds
from responder.store.schema.tables import (
    UNFINISHED,
    WAITING,
    actions,
    contents,
    diagnoses,
    incidents,
    messages,
    notifications,
    payloads,
    rejects,
    vendor_incidents,
)


def free(connection: Connection) -> int | None:
    """Return the free bytes on the disk; None if the database is on another machine."""
    if connection.dialect.name != "sqlite":
        return None
    return shutil.disk_usage(Path(str(connection.engine.url.database)).parent).free


#: Overhead per row beside its values, including its share of the indexes.
_ROW_BYTES = 40
#: Bytes of a value that is no text and no blob.
_VALUE_BYTES = 8


def row_bytes(table: Table, dialect: str) -> ColumnElement[int]:
    """Return an expression for the bytes of a row. It reads no long value: both databases know its length."""
    measure = func.pg_column_size if dialect == "postgresql" else func.length
    long = [column for column in table.c if isinstance(column.type, (LargeBinary, Text))]
    plain = _ROW_BYTES + _VALUE_BYTES * (len(table.c) - len(long))
    parts = [func.coalesce(measure(column, type_=Integer), 0) for column in long]
    return reduce(add, parts, literal(plain, Integer))


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPolicy:
    """A table that grows, and the condition for deleting its rows.

    ``key`` ascends with time; ``at`` is the age of a row, in epoch seconds. ``free`` is True for rows that nothing
    needs. ``floor`` is the shortest time that a row is kept. ``beside`` is a table with a blob for each row.
    """

    table: Table
    key: ColumnElement[Any]
    at: ColumnElement[float]
    free: ColumnElement[bool]
    floor: timedelta
    beside: Table | None = None


@dataclass(frozen=True, slots=True)
class PruneResult:
    """The rows of a table and their bytes: deletable, or deleted."""

    table: str
    rows: int = 0
    bytes: int = 0

    def plus(self, other: "PruneResult") -> "PruneResult":
        """Return the sum of both."""
        return PruneResult(self.table, self.rows + other.rows, self.bytes + other.bytes)


#: The digests of active floods. A flood is stored as one value that no query can read: see ``_known``.
_DIGESTS: ColumnElement[str] = bindparam("digests", expanding=True)


def _open(incident: ColumnElement[str]) -> ColumnElement[bool]:
    return exists().where(incidents.c.id == incident, incidents.c.open)


def _of_messages() -> ColumnElement[bool]:
    """Sent and dead messages; of open or unsent incidents not the first, which the next message refers to."""
    first, unsent = messages.alias(), messages.alias()
    waits = exists().where(unsent.c.incident == messages.c.incident, unsent.c.state == "waiting")
    on = or_(_open(messages.c.incident), messages.c.incident.in_(_DIGESTS), waits)
    answered = exists().where(
        first.c.incident == messages.c.incident,
        first.c.channel == messages.c.channel,
        first.c.ordering_key == messages.c.ordering_key,
        first.c.id < messages.c.id,
        first.c.ref.is_not(None),
    )
    spare = or_(messages.c.ref.is_(None), answered)
    return and_(not_(WAITING), or_(not_(on), spare))


def _of_diagnoses() -> ColumnElement[bool]:
    """Finished and given-up diagnoses."""
    return or_(not_(UNFINISHED), diagnoses.c.attempt >= DIAGNOSIS_ATTEMPTS)


def _of_contents() -> ColumnElement[bool]:
    """Contents of digests without messages; the content of an incident is deleted with it."""
    known = exists().where(incidents.c.id == contents.c.incident)
    mentioned = exists().where(messages.c.incident == contents.c.incident)
    return not_(or_(known, mentioned, contents.c.incident.in_(_DIGESTS)))


def _of_incidents() -> ColumnElement[bool]:
    """Resolved incidents whose messages are all sent."""
    unsent = exists().where(messages.c.incident == incidents.c.id, WAITING)
    return and_(not_(incidents.c.open), incidents.c.review_at.is_(None), not_(unsent))


def _of_actions() -> ColumnElement[bool]:
    """Applied actions of incidents that are not open."""
    return and_(actions.c.state != "new", not_(_open(actions.c.incident)))


_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)

POLICIES: Mapping[str, RetentionPolicy] = {
    policy.table.name: policy
    for policy in (  # the most dispensable first
        RetentionPolicy(table=rejects, key=rejects.c.id, at=rejects.c.received_at, free=true(), floor=_HOUR),
        RetentionPolicy(
            table=notifications,
            key=notifications.c.id,
            at=notifications.c.received_at,
            free=notifications.c.state != "new",
            floor=_HOUR,
            beside=payloads,
        ),
        RetentionPolicy(
            table=diagnoses, key=diagnoses.c.id, at=diagnoses.c.written_at, free=_of_diagnoses(), floor=_DAY
        ),
        RetentionPolicy(table=messages, key=messages.c.id, at=messages.c.written_at, free=_of_messages(), floor=_DAY),
        RetentionPolicy(table=actions, key=actions.c.id, at=actions.c.stored_at, free=_of_actions(), floor=_DAY),
        RetentionPolicy(
            table=vendor_incidents,
            key=vendor_incidents.c.seen_at,
            at=vendor_incidents.c.seen_at,
            free=not_(_open(vendor_incidents.c.incident)),
            floor=_DAY,
        ),
        # A day, since the next notification of a group is compared with its latest incident, also a resolved one.
        RetentionPolicy(
            table=incidents,
            key=incidents.c.resolved_at,
            at=incidents.c.resolved_at,
            free=_of_incidents(),
            floor=_DAY,
            beside=contents,
        ),
        RetentionPolicy(
            table=contents,
            key=contents.c.changed_at,
            at=contents.c.changed_at,
            free=_of_contents(),
            floor=_DAY,
        ),
    )
}
#: Tables that do not grow with time: a row per severity, cluster, channel, job or open group.
SMALL = frozenset({"floods", "gathered_groups", "heartbeats", "kept_rules", "channel_states", "timers"})


def _known(connection: Connection) -> dict[str, list[str]]:
    """Return the parameters of the conditions: digests of active floods, which are not incidents."""
    return {"digests": [flood.digest for flood in detectors.flood_counters(connection).values() if flood.digest]}


def count_prunable(connection: Connection, policy: RetentionPolicy, before: datetime) -> PruneResult:
    """Return what ``clear`` would delete of everything older than ``before``."""
    old = and_(policy.at < to_seconds(before), policy.free)
    sizes = _sized(connection, policy, old).subquery()
    total = select(func.count(), func.coalesce(func.sum(sizes.c.size), 0))
    rows, size = connection.execute(total, _known(connection)).one()
    return PruneResult(policy.table.name, rows, int(size))


def page(
    connection: Connection, policy: RetentionPolicy, after: float, before: datetime, limit: int
) -> tuple[Sequence[Any], float]:
    """Return the next rows after the key ``after`` that are older than ``before``, and the key to continue with.

    No rows mean the end: rows are written in the order of time, so no old row follows a page without one.
    """
    own = policy.table.primary_key.columns[0]
    found = select(own, policy.key, policy.at).where(policy.key > after).order_by(policy.key).limit(limit)
    rows = connection.execute(found).all()
    return [key for key, _, at in rows if at < to_seconds(before)], rows[-1][1] if rows else after


def clear(connection: Connection, policy: RetentionPolicy, keys: Iterable[Any]) -> PruneResult:
    """Delete those of the rows that nothing needs."""
    own = policy.table.primary_key.columns[0]
    wanted, known = and_(own.in_(list(keys)), policy.free), _known(connection)
    sizes: dict[Any, int] = dict(connection.execute(_sized(connection, policy, wanted), known).all())
    gone = connection.execute(delete(policy.table).where(wanted).returning(own), known).scalars().all()
    if policy.beside is not None and gone:
        beside = policy.beside.primary_key.columns[0]
        connection.execute(delete(policy.beside).where(beside.in_(gone)))
    return PruneResult(policy.table.name, len(gone), sum(sizes.get(key, 0) for key in gone))


def _sized(connection: Connection, policy: RetentionPolicy, which: ColumnElement[bool]) -> Any:
    """Return a query for primary key and size in bytes."""
    dialect, own = connection.dialect.name, policy.table.primary_key.columns[0]
    size = row_bytes(policy.table, dialect)
    if policy.beside is None:
        return select(own, size.label("size")).where(which)
    beside = policy.beside.primary_key.columns[0]
    joined = policy.table.outerjoin(policy.beside, beside == own)
    return select(own, (size + row_bytes(policy.beside, dialect)).label("size")).select_from(joined).where(which)


def used(connection: Connection, at_most: int) -> int:
    """Return the bytes that rows take; on PostgreSQL the rows are summed only if the files exceed ``at_most``.

    Deleted rows leave space in the files for new ones; the files do not shrink.
    """
    if connection.dialect.name == "sqlite":
        pages, free, size = (
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)
    files = int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
    if files <= at_most:
        return files
    tables = [*(policy.table for policy in POLICIES.values()), payloads]
    # One statement per table, since each must finish within the statement timeout.
    sums = (select(func.coalesce(func.sum(row_bytes(table, "postgresql")), 0)) for table in tables)
    return sum(int(connection.execute(each).scalar_one()) for each in sums)
