"""Failures of a database file on a disk."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from responder.store.backends.sqlite import PRECEDENCE, _sql
from responder.store.database import Database, StoreError
from responder.store.inbox.inbox import Inbox
from responder.store.incidents import pending
from responder.store.outbox import claims, outbox
from responder.store.schema.migrate import migrate
from tests.support.builders import NOW


def _schema(path: Path) -> list[tuple[str, str]]:
    with contextlib.closing(sqlite3.connect(path)) as file:
        return file.execute("SELECT name, sql FROM sqlite_master").fetchall()


def test_a_vanished_database_refuses_with_a_reason(tmp_path: Path) -> None:
    """A database that is gone is a 503 and not a traceback."""
    with pytest.raises(StoreError, match="unable to open"):
        migrate(Database(f"sqlite:///{tmp_path / 'missing' / 'responder.db'}"))


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (
            ("CREATE TABLE alembic_version (version_num TEXT)", "INSERT INTO alembic_version VALUES ('9999')"),
            "has schema 9999, which this version does not know; its own is",
        ),
        (("CREATE TABLE deliveries (parcel TEXT)",), "has a table deliveries that responder did not create"),
    ],
)
def test_a_database_of_another_version_or_program_is_left_alone(
    tmp_path: Path, statements: tuple[str, ...], said: str
) -> None:
    """After a rollback, or with the wrong database named, the start says so in one line and changes nothing."""
    path = tmp_path / "other.db"
    with contextlib.closing(sqlite3.connect(path)) as other:
        for statement in statements:
            other.execute(statement)
        other.commit()
    before = _schema(path)
    found = Database(f"sqlite:///{path}")
    with pytest.raises(StoreError, match=f"^the database {path} {said}"):
        migrate(found)
    found.close()
    assert _schema(path) == before


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """The error for a database that cannot be opened names the file and the needed rights."""
    path = tmp_path / "notes.txt"
    path.write_text("these are notes, and no database at all" * 100)
    for url, said in (
        (f"sqlite:///{path}", f"database {path}: file is not a database"),
        (f"sqlite:///{path.parent}/none/x.db", f"database {path.parent}/none/x.db: unable to open database file"),
    ):
        with pytest.raises(StoreError, match=f"^{said}"):
            migrate(Database(url))


def test_a_full_disk_refuses_and_recovers(database: Database) -> None:
    """On a full disk nothing is acknowledged; with free space again everything is."""
    box = Inbox(database)
    with database.write() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
    small = Database(str(database._backend.writers.url))
    with small._backend.writers.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}")
        connection.rollback()
    box = Inbox(small)
    with pytest.raises(StoreError, match="full"):
        box.keep(b"x" * 100_000, "", NOW)
    with small._backend.writers.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2000}")
        connection.rollback()
    assert box.keep(b"x" * 100_000, "", NOW) > 0
    small.close()


def test_a_locked_database_refuses_within_its_patience(database: Database, database_url: str) -> None:
    """A stuck neighbour costs a 503 after some seconds, never a request that hangs."""
    impatient = Database(database_url, busy_seconds=0.2)
    with database.write(), pytest.raises(StoreError, match="locked"):
        Inbox(impatient).keep(b"{}", "", NOW)
    impatient.close()


def test_other_writers_give_way_to_the_write_of_a_person(database: Database) -> None:
    """From its first attempt to its commit, webhooks and the engine do not compete for the one writer."""
    with database.write():
        pass
    assert not PRECEDENCE.taken
    with database.write(1.0):
        assert PRECEDENCE.taken
    assert not PRECEDENCE.taken


@pytest.mark.parametrize("how", ["transaction", "write"])
def test_a_person_whose_worker_died_holds_no_writer_up(database: Database, how: str) -> None:
    """Its precedence is used up by those that wait for it, in all 50 ms; then nothing is left of it."""
    PRECEDENCE.take()
    with getattr(database, how)() as connection:
        connection.execute(text("SELECT 1"))
    assert not PRECEDENCE.taken


def test_presses_without_end_stop_no_writer(database: Database) -> None:
    """Each transaction waits 50 ms at most, however many people press."""
    ended = threading.Event()

    def presses() -> None:
        while not ended.wait(0.0005):
            PRECEDENCE.take()

    pressing = threading.Thread(target=presses)
    pressing.start()
    try:
        with database.transaction() as connection:
            connection.execute(text("SELECT 1"))
    finally:
        ended.set()
        pressing.join()
        PRECEDENCE.take(0)


def test_workers_share_the_precedence() -> None:
    """A press in one worker goes before the webhooks of all others: they were forked from one process."""
    child = os.fork()
    if child == 0:
        PRECEDENCE.take()
        os._exit(0)
    os.waitpid(child, 0)
    assert PRECEDENCE.taken
    PRECEDENCE.take(0)


def test_incidents_nobody_was_woken_for_are_looked_for_among_the_open_alone(database: Database) -> None:
    """With a hundred thousand incidents that are over the look costs no more: it reads the open ones' index."""
    with database.read() as connection:
        statement = pending._kinds(("pagerduty",)).compile(connection, compile_kwargs={"literal_binds": True})
        plan = connection.execute(text(f"EXPLAIN QUERY PLAN {statement}")).all()
    assert "incidents_one_open" in str(plan)


def test_an_alert_in_a_storm_looks_at_its_own_messages_alone(database: Database) -> None:
    """With thousands of messages waiting a new one costs no more: those before it are found by their ordering key."""
    values = {"of": "key", "to": "slack", "best": 1, "within": 0.0}
    with database.read() as connection:
        statement = outbox._LIFT.statement.compile(connection)
        asked = [(statement.params | values)[name] for name in statement.positiontup or ()]
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(asked)).all()
    assert "messages_order (ordering_key=? AND channel=?)" in str(plan)


def test_an_idle_look_reads_what_waits_alone(database: Database) -> None:
    """A look that finds nothing costs the same with a hundred thousand sent messages in the table as with none."""
    with database.read() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {_sql(claims._ANY_WAITING)}").all()
    assert "USING COVERING INDEX" in str(plan)  # only those that hold nothing but what waits know its state


def test_what_a_letter_follows_is_looked_for_in_its_incident_alone(database: Database) -> None:
    """With a hundred thousand messages in the table a sender is as fast as with ten."""
    values = {"now": 0.0}
    with database.read() as connection:
        statement = claims._candidates(claims.ChannelQueue(("slack",)), 4).statement.compile(connection)
        asked = [(statement.params | values)[name] for name in statement.positiontup or ()]
        plan = str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(asked)).all())
    assert "accepted USING INDEX messages_of_incident (incident=? AND channel=?)" in plan
    assert "SCAN" not in plan


def test_the_channels_with_waiting_messages_are_found_in_an_index_alone(database: Database) -> None:
    """With a hundred thousand messages waiting, finding their channels costs a search for each channel."""
    with database.read() as connection:
        statement = claims._OF_CHANNELS.statement.compile(connection)
        asked = [statement.params[name] for name in statement.positiontup or ()]
        plan = str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(asked)).all())
    assert "messages USING COVERING INDEX messages_due (channel>?)" in plan
    assert "SCAN messages" not in plan
