"""A scrape costs what waits, never what is done: the numbers come from indexes that hold nothing else."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event

from responder.standins.builders import NOW
from responder.store import backlog, inbox
from responder.store.database import Database


def test_no_question_of_a_scrape_looks_at_finished_rows(database: Database) -> None:
    """After a year of alerts `/metrics` answers as quickly as on the first day."""
    if not database.is_sqlite:
        return  # PostgreSQL plans by the size of the tables; the same partial indexes are there
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        asked.append((statement, parameters))

    with database.read() as connection:
        event.listen(connection, "before_cursor_execute", note)
        backlog.undecided(connection)
        inbox.oldest_new(connection)
        backlog.unfinished(connection)
        backlog.open_by_severity(connection)
        backlog.backlogs(connection, NOW)
        questions = [each for each in asked if each[0].startswith("SELECT")]
        plans = [
            " ".join(str(step[3]) for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters))
            for statement, parameters in questions
        ]
    assert len(plans) == 8
    assert [plan for plan in plans if "USING" not in plan or "INDEX" not in plan] == []
