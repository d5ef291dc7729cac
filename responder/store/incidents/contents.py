"""The content of incidents: what their messages are composed from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from responder.model.content import AlertExtract, DecisionRecord, IncidentContent
from responder.model.finding import NOTHING, Conclusion, Finding
from responder.store.schema.serialization import to_bytes, to_noun, to_seconds
from responder.store.schema.tables import contents

#: The columns of a content, for queries that join it.
COLUMNS = (contents.c.decision, contents.c.alerts, contents.c.findings, contents.c.conclusion)


def save(connection: Connection, changed: Iterable[IncidentContent], restarted: Iterable[str], now: datetime) -> None:
    """Write decisions and alerts. Findings stay as diagnosis wrote them, except those of ``restarted`` incidents.

    The last content of each incident counts. A restarted incident gets a new diagnosis, so its findings are removed.
    A content that is written for the first time brings its own findings and conclusion.
    """
    newest = {content.incident: content for content in changed}
    if not newest:
        return
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    rows = [_row(content, now) for content in newest.values()]
    statement = insert(contents)
    kept = {name: statement.excluded[name] for name in ("decision", "alerts", "changed_at")}
    fresh = kept | {name: statement.excluded[name] for name in ("findings", "conclusion")}
    upsert = {
        anew: statement.on_conflict_do_update(index_elements=["incident"], set_=fresh if anew else kept)
        for anew in (False, True)
    }
    anew = set(restarted)
    for again in (False, True):
        if mine := [row for row in rows if (row["incident"] in anew) is again]:
            connection.execute(upsert[again], mine)


def of(connection: Connection, incidents: Iterable[str]) -> dict[str, IncidentContent]:
    """The contents of incidents; those without one are missing."""
    found = select(contents).where(contents.c.incident.in_(list(incidents)))
    return {row["incident"]: read(row["incident"], row) for row in connection.execute(found).mappings()}


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
