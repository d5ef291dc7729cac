"""Overviews: a change number, rules by use and alert names, all from indexes; the sizes of tables, from every row."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, Table, Text, case, func, literal, select

from responder.store.maintenance.retention import POLICIES, row_bytes
from responder.store.schema.serialization import from_bytes, to_seconds, to_time
from responder.store.schema.tables import (
    actions,
    channel_states,
    contents,
    diagnoses,
    heartbeats,
    incidents,
    kept_rules,
    messages,
    metadata,
    notifications,
    rejects,
)

#: Incidents of a rule whose alert names are counted.
MOST_NAMED = 2000
_NEWEST = select(
    *(
        select(func.max(column)).scalar_subquery()
        for column in (
            contents.c.changed_at,
            notifications.c.id,
            messages.c.id,
            actions.c.id,
            diagnoses.c.id,
            rejects.c.id,
            channel_states.c.accepted_at,
            channel_states.c.failed_at,
            kept_rules.c.kept_at,
        )
    ),
    select(func.count()).where(actions.c.state == "new").scalar_subquery(),
    select(func.count()).where(messages.c.state == "waiting").scalar_subquery(),
    select(func.count()).where(messages.c.state == "dead").scalar_subquery(),
)


@dataclass(frozen=True, slots=True)
class RuleUse:
    """Incidents that a rule decided, and the start of the newest."""

    count: int
    last: datetime


@dataclass(frozen=True, slots=True)
class _Named:
    alertname: str = ""


def change_number(connection: Connection) -> str:
    """Return a text that changes with what pages show; each part of it is one row of an index."""
    return "-".join(str(each) for each in connection.execute(_NEWEST).one())


def use_of_rules(connection: Connection, since: datetime) -> dict[str, RuleUse]:
    """Return the rules of incidents that opened at ``since`` or later."""
    found = select(incidents.c.rule, func.count(), func.max(incidents.c.opened_at))
    found = found.where(incidents.c.opened_at >= to_seconds(since)).group_by(incidents.c.rule)
    return {rule: RuleUse(count, to_time(last)) for rule, count, last in connection.execute(found)}


def names_of(connection: Connection, rules: Iterable[str], since: datetime) -> dict[str, RuleUse]:
    """Return the alert names of the newest incidents of some rules, the most frequent first."""
    found = select(incidents.c.opened_at, contents.c.decision)
    found = found.join(contents, contents.c.incident == incidents.c.id)
    found = found.where(incidents.c.rule.in_(list(rules)), incidents.c.opened_at >= to_seconds(since))
    counted: dict[str, RuleUse] = {}
    for opened_at, decision in connection.execute(found.order_by(incidents.c.opened_at.desc()).limit(MOST_NAMED)):
        name = from_bytes(_Named, decision).alertname
        known = counted.get(name)
        counted[name] = RuleUse(known.count + 1, known.last) if known else RuleUse(1, to_time(opened_at))
    return dict(sorted(counted.items(), key=lambda each: -each[1].count))


def seen_heartbeats(connection: Connection) -> dict[str, datetime | None]:
    """Return when the Watchdog of each cluster was seen last, None if it never was."""
    rows = connection.execute(select(heartbeats.c.cluster, heartbeats.c.seen_at).order_by(heartbeats.c.cluster))
    return {cluster: to_time(at) if at is not None else None for cluster, at in rows}


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
