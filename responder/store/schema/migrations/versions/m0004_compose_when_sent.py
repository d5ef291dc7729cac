"""Messages composed when they are sent: the outbox holds facts, and each incident its content."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_RECORD = (
    *("severity", "severity_reason", "pagerduty_severity", "pages", "service", "environment", "namespace"),
    *("alertname", "impact", "first_step", "owner", "lead", "escalation", "room", "runbook", "links", "rule"),
    *("made_by", "note", "history"),
)


def upgrade() -> None:
    op.create_table(
        "contents",
        sa.Column("incident", sa.Text(), nullable=False),
        sa.Column("decision", sa.LargeBinary(), nullable=False),
        sa.Column("alerts", sa.LargeBinary(), nullable=False),
        sa.Column("findings", sa.LargeBinary(), nullable=True),
        sa.Column("conclusion", sa.LargeBinary(), nullable=True),
        sa.Column("changed_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("incident"),
    )
    op.create_index("contents_changed", "contents", ["changed_at"])
    empty = "x'7b7d'" if op.get_bind().dialect.name == "sqlite" else r"'\x7b7d'"  # {}
    op.add_column("messages", sa.Column("facts", sa.LargeBinary(), nullable=False, server_default=sa.text(empty)))
    _fill(op.get_bind())
    # SQLite cannot make a column nullable: a new one takes its place.
    op.add_column("messages", sa.Column("composed", sa.LargeBinary(), nullable=True))
    op.execute("UPDATE messages SET composed = report")
    op.drop_column("messages", "report")
    op.alter_column("messages", "composed", new_column_name="report")
    op.drop_column("studies", "findings")


def _fill(connection: sa.Connection) -> None:
    """Give each incident with messages its content, and each message that waits its facts."""
    newest = """
        SELECT incident, report, written_at FROM messages WHERE id IN (SELECT max(id) FROM messages GROUP BY incident)
    """
    insert = """
        INSERT INTO contents (incident, decision, alerts, findings, conclusion, changed_at)
        VALUES (:incident, :decision, :alerts, :findings, :conclusion, :changed_at)
    """
    for row in connection.execute(sa.text(newest)).all():
        values = {"incident": row.incident, "changed_at": row.written_at, **_content(json.loads(row.report))}
        connection.execute(sa.text(insert), values)
    waiting = "SELECT id, report FROM messages WHERE state IN ('waiting', 'dead')"
    for row in connection.execute(sa.text(waiting)).all():
        facts = {"id": row.id, "facts": _facts(json.loads(row.report))}
        connection.execute(sa.text("UPDATE messages SET facts = :facts WHERE id = :id"), facts)


def _content(old: dict[str, Any]) -> dict[str, bytes | None]:
    environment = f" ({old['environment']})"
    stem = old["title"].removesuffix(environment).partition(" \u2014 ")[0]
    record = {name: old[name] for name in _RECORD if name in old}
    record |= {"title": stem, "respond_from": old["started_at"], "next_update": _seconds(old), "probes": ()}
    record |= {"response": (old.get("clock") or "").partition(": ")[2]}
    alerts = {"summary": old["what"], "counted": False, "started_at": old["started_at"]}
    alerts |= {name: old[name] for name in ("truncated", "related", "labels") if name in old}
    found = {"findings": old.get("findings") or None, "conclusion": old.get("conclusion")}
    return {
        "decision": json.dumps(record).encode(),
        "alerts": json.dumps(alerts).encode(),
        **{name: json.dumps(value).encode() if value else None for name, value in found.items()},
    }


def _seconds(old: dict[str, Any]) -> float:
    """Return the seconds between a message and its announced next update."""
    from datetime import datetime

    if not old.get("next_update"):
        return 0.0
    ends = (datetime.fromisoformat(old[name]) for name in ("next_update", "written_at"))
    return float((next(ends) - next(ends)).total_seconds())


def _facts(old: dict[str, Any]) -> bytes:
    facts = {"update": old.get("update", ""), "firing": old["firing"], "resolved": old.get("resolved", 0)}
    facts |= {"fallback_reason": old.get("detour", ""), "reaches_on_call": old["pages"]}
    facts |= {"easing": old["status"] == "Monitoring", "resolution": old.get("resolution", "")}
    if old.get("ended_at"):
        facts["ended_at"] = old["ended_at"]
    return json.dumps(facts).encode()
