"""The content of incidents: what their messages are composed from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from responder.model.content import AlertExtract, DecisionRecord, IncidentContent
from responder.model.finding import NOTHING, Conclusion, Finding
from responder.store.schema.serialization import to_bytes, to_noun, to_seconds
from responder.store.schema.tables import contents


def save(connection: Connection, changed: Iterable[IncidentContent], restarted: Iterable[str], now: datetime) -> None:
    """Write decisions and alerts. Findings stay as diagnosis wrote them, except those of ``restarted`` incidents.

    The last content of each incident counts. A restarted incident gets a new diagnosis, so its findings are removed.
    A content that is written for the first time brings its own findings and conclusion.
    """
    newest = {content.incident: content for content in changed}
    anew = set(restarted)
    for again in (False, True):
        rows = [_row(content, now) for content in newest.values() if (content.incident in anew) is again]
        if rows:
            connection.execute(_upsert(connection.dialect.name, findings=again), rows)


@cache
def _upsert(dialect: str, *, findings: bool) -> Any:
    """The statement that writes contents; with ``findings`` it replaces those of a content that is there already."""
    statement = (sqlite.insert if dialect == "sqlite" else postgresql.insert)(contents)
    names = ("decision", "alerts", "changed_at", *(("findings", "conclusion") if findings else ()))
    return statement.on_conflict_do_update(
        index_elements=["incident"], set_={name: statement.excluded[name] for name in names}
    )


_OF = select(contents).where(contents.c.incident.in_(bindparam("names", expanding=True)))


def of(connection: Connection, incidents: Iterable[str]) -> dict[str, IncidentContent]:
    """The contents of incidents; those without one are missing."""
    found = connection.execute(_OF, {"names": list(incidents)})
    return {row["incident"]: read(row["incident"], row) for row in found.mappings()}


_DIAGNOSED = (
    update(contents)
    .where(contents.c.incident == bindparam("of"))
    .values(findings=bindparam("found"), conclusion=bindparam("concluded"), changed_at=bindparam("at"))
)


def diagnosed(
    connection: Connection, incident: str, findings: Sequence[Finding], conclusion: Conclusion, now: datetime
) -> None:
    """Add what a diagnosis found."""
    values = {"of": incident, "found": to_bytes(findings), "concluded": to_bytes(conclusion), "at": to_seconds(now)}
    connection.execute(_DIAGNOSED, values)


def read(incident: str, row: Mapping[Any, Any]) -> IncidentContent:
    """The content that a row holds."""
    return IncidentContent(
        incident=incident,
        decision=to_noun(DecisionRecord, row["decision"]),
        alerts=to_noun(AlertExtract, row["alerts"]),
        findings=to_noun(tuple[Finding, ...], row["findings"]) if row["findings"] else (),
        conclusion=to_noun(Conclusion, row["conclusion"]) if row["conclusion"] else NOTHING,
    )


def _row(content: IncidentContent, now: datetime) -> dict[str, Any]:
    return {
        "incident": content.incident,
        "decision": to_bytes(content.decision),
        "alerts": to_bytes(content.alerts),
        "findings": to_bytes(content.findings) if content.findings else None,
        "conclusion": to_bytes(content.conclusion) if content.conclusion != NOTHING else None,
        "changed_at": to_seconds(now),
    }
