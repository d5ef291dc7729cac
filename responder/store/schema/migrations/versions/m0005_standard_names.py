"""Tables, columns and stored values take the names of the glossary; no value changes."""

import json
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_TABLES = {"deliveries": "notifications", "bodies": "payloads", "studies": "diagnoses", "lanes": "channel_states"}
_COLUMNS = {
    "payloads": {"delivery": "notification"},
    "incidents": {
        "delivery": "notification",
        "hold": "resolve_reason",
        "held_until": "resolve_at",
        "found": "severity_override",
    },
    "messages": {
        "stream": "ordering_key",
        "rank": "priority",
        "plain": "minimal",
        "moment": "kind",
        "origin": "replaces",
    },
    "diagnoses": {"work": "request"},
}
_REQUEST = {"stream": "ordering_key", "rank": "priority", "turns": "adjustments", "wished": "requested_channels"}
_REPORT = {"moment": "kind", "detour": "fallback_reason"}
_FLOOD = {"held": "in_digest", "told": "notified", "told_at": "notified_at", "told_held": "notified_held"}


def upgrade() -> None:
    for index, table in (
        ("deliveries_new", "deliveries"),
        ("studies_of_incident", "studies"),
        ("studies_waiting", "studies"),
        ("messages_origin", "messages"),
    ):
        op.drop_index(index, table_name=table)
    for old, new in _TABLES.items():
        op.rename_table(old, new)
    for table, columns in _COLUMNS.items():
        for old, new in columns.items():
            op.alter_column(table, old, new_column_name=new)
    _create_indexes()
    _rewrite("diagnoses", "id", "request", _request)
    _rewrite("messages", "id", "report", _report)
    _rewrite("contents", "incident", "findings", _findings)
    _rewrite("floods", "severity", "state", lambda old: _renamed(old, _FLOOD))


def _create_indexes() -> None:
    new, waiting, replaces = sa.text("state = 'new'"), sa.text("state = 'waiting'"), sa.text("replaces IS NOT NULL")
    op.create_index("notifications_new", "notifications", ["id"], sqlite_where=new, postgresql_where=new)
    op.create_index("diagnoses_of_incident", "diagnoses", ["incident", "id"])
    op.create_index(
        "diagnoses_waiting",
        "diagnoses",
        ["due_at", "claimed_until", "attempt"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    op.create_index(
        "messages_replaces", "messages", ["replaces"], unique=True, sqlite_where=replaces, postgresql_where=replaces
    )


def _rewrite(table: str, key: str, column: str, change: Callable[[Any], Any]) -> None:
    """Replace the JSON of a column, row by row."""
    connection = op.get_bind()
    rows = sa.table(table, sa.column(key), sa.column(column, sa.LargeBinary()))
    stored = sa.select(rows.c[key], rows.c[column]).where(rows.c[column].is_not(None))
    for number, data in connection.execute(stored).all():
        changed = json.dumps(change(json.loads(data))).encode()
        connection.execute(sa.update(rows).where(rows.c[key] == number).values({column: changed}))


def _renamed(old: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in old.items()}


def _request(old: dict[str, Any]) -> dict[str, Any]:
    request = _renamed(old, _REQUEST)
    adjustments = [_renamed(each, {"held": "suppressed_by"}) for each in request.get("adjustments", ())]
    for each in adjustments:
        each["severity"] = _renamed(each["severity"], {"rank": "priority"})
    return request | {"adjustments": adjustments}


def _report(old: dict[str, Any]) -> dict[str, Any]:
    report = _renamed(old, _REPORT)
    return report | {"findings": _findings(report.get("findings", ()))}


def _findings(old: Any) -> list[dict[str, Any]]:
    return [_renamed(each, {"question": "query"}) for each in old]
