"""`responder db`: what operators see of the database, and what they take home of it."""

from __future__ import annotations

import json
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from responder.cli import main
from responder.cli.db import db
from responder.model.flood import FloodCounter
from responder.store.database import Database
from responder.store.inbox import inbox
from responder.store.inbox.inbox import Inbox
from responder.store.incidents import detectors
from responder.store.schema.migrate import migrate, revision
from tests.contracts.test_retention import an_old_incident

NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=100)


def run(database_url: str, *arguments: str) -> Result:
    """The command on this database."""
    return CliRunner().invoke(db, arguments, env={"RESPONDER_DATABASE_URL": database_url})


def test_stats_shows_every_table_and_how_full_it_is(database: Database, database_url: str) -> None:
    """The numbers, ages and backlog of rows are in one table."""
    an_old_incident(database, at=LONG_AGO)
    Inbox(database).keep(b"{}", "", NOW)
    shown = run(database_url, "stats")
    assert shown.exit_code == 0
    (line,) = (line for line in shown.output.splitlines() if line.startswith("notifications"))
    assert line.split()[1] == "2"
    assert f"{LONG_AGO:%Y-%m-%d %H:%M:%S UTC}" in line
    assert "1 decided, 1 new" in line
    assert "of RESPONDER_MAX_DATABASE_BYTES (8.6 GB); retention 90 days" in shown.output


def test_stats_can_be_read_by_programs(database: Database, database_url: str) -> None:
    """A script can watch the size."""
    an_old_incident(database, at=LONG_AGO, over=False)
    with database.write() as connection:
        detectors.save_floods(connection, [FloodCounter(severity="P1", arrivals={1: 3})])
    found = json.loads(run(database_url, "stats", "--output", "json").output)
    tables = {each["table"]: each for each in found["tables"]}
    assert found["files"] > 0
    assert tables["incidents"]["states"] == {"open": 1}
    assert (tables["floods"]["rows"], tables["floods"]["states"]) == (1, {})
    assert tables["payloads"]["bytes"] >= 5000


def test_prune_shows_first_and_then_does_the_same(database: Database, database_url: str) -> None:
    """An operator sees what would go before it goes; what is needed stays."""
    an_old_incident(database, at=LONG_AGO)
    Inbox(database).keep(b"{}", "", LONG_AGO)
    first = run(database_url, "prune", "--dry-run", "--output", "json")
    second = run(database_url, "prune", "--output", "json")
    third = run(database_url, "prune", "--dry-run")
    assert json.loads(first.output) == json.loads(second.output)
    assert {each["table"]: each["rows"] for each in json.loads(first.output)}["messages"] == 3
    assert third.output == "0 rows, 0 B, would be deleted\n"
    with database.read() as connection:
        assert len(inbox.oldest_undecided(connection, 10)) == 1


def test_prune_takes_another_age(database: Database, database_url: str) -> None:
    """Another age than the configured retention can be used once."""
    an_old_incident(database, at=NOW - timedelta(days=45))
    assert "incidents            1 rows" in run(database_url, "prune", "--older-than", "30d").output


def test_prune_keeps_a_day(database_url: str) -> None:
    """Notifications of the last day cannot be pruned, since the next ones are compared with them."""
    refused = run(database_url, "prune", "--older-than", "12h")
    assert refused.exit_code == 2
    assert "must be at least 1d" in refused.output


def test_a_backup_is_whole_though_webhooks_arrive(database: Database, database_url: str, tmp_path: Path) -> None:
    """The copy opens, and holds everything that was acknowledged before it was begun."""
    box, stopping = Inbox(database), threading.Event()
    before = [box.keep(os.urandom(5000), "", NOW) for _ in range(50)]
    sender = threading.Thread(target=lambda: [box.keep(b"{}", "", NOW) for _ in iter(stopping.is_set, True)])
    sender.start()
    copied = run(database_url, "backup", str(tmp_path / "copy.db"))
    stopping.set()
    sender.join()
    assert copied.exit_code == 0, copied.output
    assert (tmp_path / "copy.db").stat().st_mode & 0o077 == 0
    copy = Database(f"sqlite:///{tmp_path / 'copy.db'}")
    with copy.read() as connection:
        assert {each.id for each in inbox.oldest_undecided(connection, 10_000)} >= set(before)
    assert Inbox(copy).keep(b"{}", "", NOW) > before[-1]
    copy.close()


@pytest.mark.usefixtures("database")
def test_a_backup_overwrites_nothing(database_url: str, tmp_path: Path) -> None:
    """Yesterday's copy is not lost to a repeated command."""
    (tmp_path / "copy.db").write_text("yesterday")
    refused = run(database_url, "backup", str(tmp_path / "copy.db"))
    assert refused.exit_code == 1
    assert "already exists" in refused.output
    assert (tmp_path / "copy.db").read_text() == "yesterday"


@pytest.mark.usefixtures("database")
def test_a_backup_to_nowhere_is_refused(database_url: str, tmp_path: Path) -> None:
    """A folder that is not there is said, and nothing is left behind."""
    refused = run(database_url, "backup", str(tmp_path / "missing" / "copy.db"))
    assert refused.exit_code == 1
    assert "No such file or directory" in refused.output


#: Every command that needs the database of a service.
LOOKS = [
    "db stats",
    "db prune",
    "db backup copy.db",
    "messages list",
    "messages show 1",
    "messages resend 1",
    "replay --list",
    "replay 1",
    "rejects list",
    "rejects show 1",
    "rules explain --incident INC-1",
    "backtest --against ./rules",
]


@pytest.mark.parametrize("command", LOOKS)
def test_a_database_that_is_not_there_is_not_made(tmp_path: Path, command: str) -> None:
    """A wrong database is an error, never an empty result, and no empty database is created."""
    env = {"RESPONDER_DATABASE_URL": f"sqlite:///{tmp_path / 'missing.db'}"}
    refused = CliRunner().invoke(main, command.split(), env=env)
    assert refused.exit_code == 1
    assert f"there is no database {tmp_path / 'missing.db'}: set RESPONDER_DATABASE_URL" in refused.output
    assert list(tmp_path.iterdir()) == []


def test_a_database_of_another_version_is_left_alone(tmp_path: Path) -> None:
    """Looking at a database never changes its schema under a running program."""
    other = Database(f"sqlite:///{tmp_path / 'other.db'}")
    other.check()
    refused = run(f"sqlite:///{tmp_path / 'other.db'}", "stats")
    assert refused.exit_code == 1
    assert "other.db has no tables of responder: set RESPONDER_DATABASE_URL" in refused.output
    migrate(other)
    with other.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    refused = run(f"sqlite:///{tmp_path / 'other.db'}", "stats")
    assert refused.exit_code == 1
    assert "other.db has schema 0001 and this version needs" in refused.output
    assert "start `responder serve`" in refused.output
    with other.read() as connection:
        assert revision(connection) == "0001"


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (
            ("CREATE TABLE alembic_version (version_num TEXT)", "INSERT INTO alembic_version VALUES ('9999')"),
            "other.db has schema 9999, which this version does not know; its own is",
        ),
        (("CREATE TABLE deliveries (parcel TEXT)",), "other.db has a table deliveries that responder did not create"),
    ],
)
def test_nobody_is_sent_to_a_start_that_is_refused(tmp_path: Path, statements: tuple[str, ...], said: str) -> None:
    """After a rollback, or with the wrong database named, commands that look say what `serve` says."""
    other = Database(f"sqlite:///{tmp_path / 'other.db'}")
    with other.write() as connection:
        for statement in statements:
            connection.execute(text(statement))
    other.close()
    refused = run(f"sqlite:///{tmp_path / 'other.db'}", "stats")
    assert refused.exit_code == 1
    assert said in refused.output
    assert "responder serve" not in refused.output
