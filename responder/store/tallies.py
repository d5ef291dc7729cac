"""Counts that outlive processes and are the same for all replicas: each process adds its own every few seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, case, select

from responder.store.tables import tallies
from responder.tally import Counts, is_latest

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
    from sqlalchemy.dialects.sqlite import Insert as SqliteInsert

_SEPARATOR = "\x1f"


def add(connection: Connection, counts: Counts) -> None:
    """Add to the sums, in one order everywhere, so that two who add at a time never wait for each other in a circle."""
    statement = _insert(connection)
    given = statement.excluded.value
    summed = statement.on_conflict_do_update(
        index_elements=[tallies.c.name, tallies.c.labels], set_={"value": tallies.c.value + given}
    )
    newest = statement.on_conflict_do_update(
        index_elements=[tallies.c.name, tallies.c.labels],
        set_={"value": case((given > tallies.c.value, given), else_=tallies.c.value)},
    )
    for (name, labels), value in sorted(counts.items()):
        row = {"name": name, "labels": _SEPARATOR.join(labels), "value": value}
        connection.execute(newest if is_latest(name) else summed, row)


def _insert(connection: Connection) -> SqliteInsert | PostgresInsert:
    """An insert that can say what to do where the row is there. The other database's words are not even imported."""
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(tallies)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(tallies)


def read(connection: Connection) -> dict[tuple[str, tuple[str, ...]], float]:
    """Every sum: (name, label values) to value."""
    rows = connection.execute(select(tallies.c.name, tallies.c.labels, tallies.c.value))
    return {(name, tuple(labels.split(_SEPARATOR)) if labels else ()): value for name, labels, value in rows}
