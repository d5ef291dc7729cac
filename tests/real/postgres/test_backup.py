"""A copy of a PostgreSQL that is in use, and what it is worth: it is restored, and goes on where it was made."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from responder.cli.db import db
from responder.store.database import Database
from responder.store.inbox import inbox
from responder.store.inbox.inbox import Inbox
from tests.support.builders import NOW
from tests.support.postgres import Postgres, programs
from tests.unit.cli.test_db import run

pytestmark = pytest.mark.real


def test_a_restored_backup_goes_on_where_it_was_made(
    database: Database, database_url: str, server: Postgres, tmp_path: Path
) -> None:
    """A restored backup holds every notification, undecided ones first in the queue."""
    box = Inbox(database)
    kept = [box.keep(os.urandom(5000), "", NOW) for _ in range(20)]
    copied = run(database_url, "backup", str(tmp_path / "copy.dump"))
    assert copied.exit_code == 0, copied.output
    folder = programs()
    assert folder is not None
    fresh = server.create(f"restored{os.getpid()}")
    password = fresh.split(":")[2].partition("@")[0]
    done = subprocess.run(
        [
            *(folder / "pg_restore", "--no-owner", "--exit-on-error", "--single-transaction"),
            *(f"--dbname={fresh.replace(':' + password, '')}", tmp_path / "copy.dump"),
        ],
        env={**os.environ, "PGPASSWORD": password},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    restored = Database(fresh)
    with restored.read() as connection:
        assert [each.id for each in inbox.oldest_undecided(connection, 100)] == kept
    assert Inbox(restored).keep(b"{}", "", NOW) > kept[-1]
    restored.close()
    server.drop(fresh.rpartition("/")[2])


def test_a_backup_that_fails_says_why_without_the_password(database_url: str, tmp_path: Path) -> None:
    """A wrong password is named as such, and is not shown."""
    password = database_url.split(":")[2].partition("@")[0]
    wrong = database_url.replace(password, "wr0ng")
    failed = CliRunner().invoke(db, ["backup", str(tmp_path / "copy.dump")], env={"RESPONDER_DATABASE_URL": wrong})
    assert failed.exit_code == 1
    assert "password authentication failed" in failed.output
    assert "wr0ng" not in failed.output
    assert list(tmp_path.iterdir()) == []
