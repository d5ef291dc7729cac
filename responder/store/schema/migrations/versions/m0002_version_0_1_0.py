"""The schema of version 0.1.0, whose revision was 0002."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _columns(kind: Any, names: str, **given: Any) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, **({"nullable": False} | given)) for name in names.split()]


def _text(names: str, **given: Any) -> list[sa.Column[Any]]:
    return _columns(sa.Text(), names, **given)


def _float(names: str, **given: Any) -> list[sa.Column[Any]]:
    return _columns(sa.Float(), names, **given)


def _bytes(names: str, **given: Any) -> list[sa.Column[Any]]:
    return _columns(sa.LargeBinary(), names, **given)


def _table(name: str, key: str, *columns: list[sa.Column[Any]], sqlite_autoincrement: bool = False) -> None:
    every = [column for group in columns for column in group]
    op.create_table(name, *every, sa.PrimaryKeyConstraint(*key.split()), sqlite_autoincrement=sqlite_autoincrement)


def _index(name: str, table: str, columns: str, where: str = "", *, unique: bool = False) -> None:
    only = sa.text(where) if where else None
    op.create_index(name, table, columns.split(), unique=unique, sqlite_where=only, postgresql_where=only)


def upgrade() -> None:
    _table("bodies", "delivery", _columns(ID, "delivery", autoincrement=False), _bytes("body"))
    _table(
        "deliveries",
        "id",
        _columns(ID, "id", autoincrement=True),
        _float("received_at"),
        _text("cluster state"),
        _text("incident outcome", nullable=True),
        sqlite_autoincrement=True,
    )
    _table(
        "incidents",
        "id",
        _text("id dedup_key group_key cluster"),
        _columns(sa.Boolean(), "open"),
        _text("severity rule service title runbook reason channels"),
        _float("opened_at changed_at"),
        _float("resolved_at", nullable=True),
        _columns(ID, "delivery"),
        _text("revision"),
        _bytes("alerts"),
        _columns(sa.Integer(), "flaps", server_default="0"),
        _text("hold", server_default=""),
        _float("held_until review_at reopened_at", nullable=True),
        _text("silenced", server_default=""),
        _float("gone_since", nullable=True),
        _bytes("found gathered", nullable=True),
        _text("digest", server_default=""),
    )
    _table(
        "messages",
        "id",
        _columns(ID, "id", autoincrement=True),
        _text("incident stream channel step"),
        _columns(sa.Integer(), "rank"),
        _text("state"),
        _float("due_at"),
        _columns(sa.Boolean(), "enrich plain"),
        _columns(sa.Integer(), "attempt"),
        _float("claimed_until"),
        _bytes("report"),
        _bytes("ref", nullable=True),
        _text("error", nullable=True),
        _float("written_at"),
        _float("ended_at", nullable=True),
        _text("moment", server_default=""),
        _columns(ID, "merged_into origin", nullable=True),
        sqlite_autoincrement=True,
    )
    _table(
        "rejects",
        "id",
        _columns(ID, "id", autoincrement=True),
        _float("received_at"),
        _text("remote"),
        _columns(sa.Integer(), "status"),
        _text("error"),
        _columns(sa.Integer(), "size"),
        _bytes("body"),
    )
    _table(
        "studies",
        "id",
        _columns(ID, "id", autoincrement=True),
        _text("incident state"),
        _float("due_at"),
        _bytes("work"),
        _columns(sa.Integer(), "attempt"),
        _float("claimed_until"),
        _bytes("findings", nullable=True),
        _float("written_at"),
        _float("ended_at", nullable=True),
        sqlite_autoincrement=True,
    )
    _table("tallies", "name labels", _text("name labels"), _float("value"))
    _table("timers", "name", _text("name"), _float("due_at"))
    _table("gathered_groups", "dedup_key", _text("dedup_key incident"))
    _table("heartbeats", "cluster", _text("cluster"), _float("seen_at", nullable=True), _float("since watched_at"))
    _table("lanes", "channel", _text("channel"), _float("full_at paused_until"), _float("failing_since", nullable=True))
    _table("floods", "severity", _text("severity"), _bytes("state"))
    _index("deliveries_new", "deliveries", "id", "state = 'new'")
    _index("incidents_latest", "incidents", "dedup_key opened_at")
    _index("incidents_one_open", "incidents", "dedup_key", "open", unique=True)
    _index("incidents_to_review", "incidents", "review_at", "review_at IS NOT NULL")
    _index("incidents_resolved", "incidents", "resolved_at")
    _index("incidents_unpaged", "incidents", "severity digest", "open AND digest <> '' AND channels = ''")
    _index("messages_due", "messages", "channel rank due_at id", "state = 'waiting'")
    _index("messages_of_incident", "messages", "incident channel id")
    _index("messages_order", "messages", "stream channel id", "state = 'waiting'")
    _index("messages_dead", "messages", "id", "state = 'dead'")
    _index("messages_origin", "messages", "origin", "origin IS NOT NULL", unique=True)
    _index("studies_waiting", "studies", "due_at claimed_until attempt", "state = 'waiting'")
    _index("studies_of_incident", "studies", "incident id")
    _index("gathered_groups_of_incident", "gathered_groups", "incident")
