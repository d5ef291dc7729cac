"""A PostgreSQL database that version 0.1.0 left behind is taken over, too."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import count

import psycopg
import pytest

from tests.contracts.test_upgrade import (  # noqa: F401 - the same tests
    FIXTURE,
    in_memory,
    test_an_older_version_refuses_a_newer_database,
    test_each_migration_keeps_every_row,
    test_nothing_open_is_lost,
    theatre,
)
from tests.support.postgres import Postgres

pytestmark = pytest.mark.real
_number = count()


@pytest.fixture
def url(server: Postgres) -> Iterator[str]:
    """The schema of 0.1.0 on PostgreSQL with the rows of the SQLite fixture: both have the same columns."""
    name = f"old{next(_number)}"
    address = server.create(name)
    with closing(in_memory()) as rows, psycopg.connect(address) as target:
        target.execute((FIXTURE / "postgres.sql").read_bytes())
        for (table,) in rows.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"):
            _copy(rows, target, table)
        for table, last in rows.execute("SELECT name, seq FROM sqlite_sequence"):
            target.execute("SELECT setval(%s, %s)", (f"public.{table}_id_seq", last))
    yield address
    server.drop(name)


def _copy(rows: sqlite3.Connection, target: psycopg.Connection[tuple[object, ...]], table: str) -> None:
    found = rows.execute(f"SELECT * FROM {table}")
    columns = [each[0] for each in found.description]
    flags = {"open", "enrich", "plain"}
    for row in found:
        values = [bool(value) if name in flags else value for name, value in zip(columns, row, strict=True)]
        marks = ", ".join(["%s"] * len(values))
        target.execute(f"INSERT INTO public.{table} ({', '.join(columns)}) VALUES ({marks})".encode(), values)
