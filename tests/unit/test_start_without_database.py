"""Workers start without the database, and use it as soon as it is there."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from responder.bootstrap.workers import DatabaseOpener
from responder.settings import read
from responder.store.database import Database, StoreError
from responder.store.inbox.inbox import check_write


def test_everything_is_refused_until_the_database_is_ready(tmp_path: Path) -> None:
    """Before the tables are there nothing reads or writes; afterwards everything does, without a restart."""
    settings = read({"RESPONDER_DATABASE_URL": f"sqlite:///{tmp_path}/responder.db"})
    database = Database(settings.database_url.reveal())
    opening = DatabaseOpener(settings, database, "database: connection refused")
    with pytest.raises(StoreError, match="connection refused"):
        check_write(database)
    opening.step()
    check_write(database)
    database.close()


def test_a_database_of_another_program_is_named(tmp_path: Path) -> None:
    """A database that cannot be used stays refused, with the reason, and is tried again."""
    with sqlite3.connect(tmp_path / "theirs.db") as theirs:
        theirs.execute("CREATE TABLE incidents (id text)")
    theirs.close()
    settings = read({"RESPONDER_DATABASE_URL": f"sqlite:///{tmp_path}/theirs.db"})
    database = Database(settings.database_url.reveal())
    opening = DatabaseOpener(settings, database, "database: connection refused")
    for _ in range(2):
        with pytest.raises(StoreError, match="incidents that responder did not create"):
            opening.step()
    with pytest.raises(StoreError, match="incidents that responder did not create"):
        check_write(database)
    database.close()
