"""A scrape costs what waits, never what is done: the numbers come from indexes that hold nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, event

from responder.store.database import Database
from responder.store.inbox import inbox
from responder.store.incidents import incidents
from responder.store.outbox import backlog
from tests.support.builders import NOW


def plans(database: Database, question: Callable[[Connection], object]) -> list[str]:
    """SQLite's plan for each query that ``question`` runs."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        asked.append((statement, parameters))

    with database.read() as connection:
        event.listen(connection, "before_cursor_execute", note)
        question(connection)
        event.remove(connection, "before_cursor_execute", note)
        return [
            " ".join(str(step[3]) for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters))
            for statement, parameters in asked
            if statement.startswith("SELECT")
        ]


def scrape(connection: Connection) -> None:
    """The queries of `/metrics`."""
    backlog.undecided(connection)
    inbox.oldest_new(connection)
    backlog.unfinished(connection)
    backlog.open_by_severity(connection)
    backlog.backlogs(connection, NOW)


def test_no_question_of_a_scrape_looks_at_finished_rows(database: Database) -> None:
    """After a year of alerts `/metrics` answers as quickly as on the first day."""
    if not database.is_sqlite:
        return  # PostgreSQL plans by the size of the tables; the same partial indexes are there
    found = plans(database, scrape)
    assert len(found) == 8
    assert [plan for plan in found if "USING" not in plan or "INDEX" not in plan] == []


def test_comparing_with_alertmanager_looks_at_open_incidents_only(database: Database) -> None:
    """The comparison of every minute does not read a year of resolved incidents."""
    if not database.is_sqlite:
        return
    [plan] = plans(database, incidents.open_ones)
    assert "INDEX incidents_one_open" in plan
