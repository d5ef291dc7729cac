"""Counts that outlive processes and are the same for all replicas: each process adds its own every few seconds."""

from __future__ import annotations

from sqlalchemy import Connection, case, select
from sqlalchemy.dialects import postgresql, sqlite

from responder.store.tables import tallies
from responder.tally import Counts, is_latest

_SEPARATOR = "\x1f"


def add(connection: Connection, counts: Counts) -> None:
    """Add to the sums, in one order everywhere, so that two who add at a time never wait for each other in a circle."""
    upsert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = upsert(tallies)
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


def read(connection: Connection) -> dict[tuple[str, tuple[str, ...]], float]:
    """Every sum: (name, label values) to value."""
    rows = connection.execute(select(tallies.c.name, tallies.c.labels, tallies.c.value))
    return {(name, tuple(labels.split(_SEPARATOR)) if labels else ()): value for name, labels, value in rows}
