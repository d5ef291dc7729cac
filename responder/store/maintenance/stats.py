"""Statistics: rows, bytes and ages of every table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, Table, Text, case, func, literal, select

from responder.store.maintenance.retention import POLICIES, row_bytes
from responder.store.schema.serialization import to_time
from responder.store.schema.tables import incidents, metadata

_BEGAN = {name: policy.at for name, policy in POLICIES.items()} | {"incidents": incidents.c.opened_at}


@dataclass(frozen=True, slots=True, kw_only=True)
class TableStats:
    """Statistics of a table. ``bytes`` is the size of its rows; ``states`` is empty for a table without states."""

    table: str
    rows: int
    bytes: int
    oldest: datetime | None = None
    newest: datetime | None = None
    states: Mapping[str, int] = field(default_factory=dict)


def table_stats(connection: Connection) -> list[TableStats]:
    """Return every table in alphabetical order. Reads all rows, but no payload."""
    return [_count(connection, table) for _, table in sorted(metadata.tables.items())]


def _count(connection: Connection, table: Table) -> TableStats:
    at = _BEGAN.get(table.name)
    size = func.coalesce(func.sum(row_bytes(table, connection.dialect.name)), 0)
    ages = (func.min(at), func.max(at)) if at is not None else (literal(None), literal(None))
    rows, total, oldest, newest = connection.execute(select(func.count(), size, *ages).select_from(table)).one()
    return TableStats(
        table=table.name,
        rows=rows,
        bytes=int(total),
        oldest=None if oldest is None else to_time(oldest),
        newest=None if newest is None else to_time(newest),
        states=_states(connection, table),
    )


def _states(connection: Connection, table: Table) -> dict[str, int]:
    named = "state" in table.c and isinstance(table.c.state.type, Text)  # the state of a flood is a record
    if table is not incidents and not named:
        return {}
    state = case((incidents.c.open, "open"), else_="resolved") if table is incidents else table.c.state
    by = select(state.label("state"), func.count()).group_by("state").order_by("state")
    return {name: rows for name, rows in connection.execute(by)}  # noqa: C416 - mypy knows the types this way
