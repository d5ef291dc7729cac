"""Files of an open database that are deleted or replaced, and who may read them."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from responder.store.backends.sqlite_files import SUFFIXES
from responder.store.database import Database, StoreError
from responder.store.inbox.inbox import Inbox
from responder.store.schema.migrate import migrate
from tests.support.builders import NOW


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Path of the database."""
    return tmp_path / "responder.db"


@pytest.fixture
def database(file: Path) -> Iterator[Database]:
    """A database as a worker opens it, with one notification."""
    made = Database(f"sqlite:///{file}")
    migrate(made)
    made.close()
    found = Database(f"sqlite:///{file}", create=False)
    Inbox(found).keep(b"first", "", NOW)
    yield found
    found.close()


def beside(file: Path, suffix: str) -> Path:
    """Name of one of the three files."""
    return file.with_name(f"{file.name}{suffix}")


def delete(path: Path) -> None:
    """Delete it, as an operator who takes it for a temporary file."""
    path.unlink()


def replace(path: Path) -> None:
    """Replace it, as a backup program that restores it."""
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    copy.replace(path)


def payloads(file: Path) -> list[bytes]:
    """The payloads another process finds in the file."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return [body for (body,) in connection.execute("SELECT body FROM payloads ORDER BY notification")]


def test_the_files_are_private_from_the_first_moment(file: Path) -> None:
    """No other user of the machine can read a payload, whatever the umask."""
    before = os.umask(0)
    try:
        database = Database(f"sqlite:///{file}")
        migrate(database)
        modes = {suffix: beside(file, suffix).stat().st_mode & 0o777 for suffix in (*SUFFIXES, "-open")}
        database.close()
    finally:
        os.umask(before)
    assert modes == {"": 0o600, "-wal": 0o600, "-shm": 0o600, "-open": 0o600}


@pytest.mark.parametrize("change", [delete, replace])
@pytest.mark.parametrize("suffix", SUFFIXES[1:])
def test_a_log_that_is_deleted_or_replaced_loses_no_notification(
    database: Database, file: Path, suffix: str, change: Callable[[Path], None]
) -> None:
    """The next notification is refused with the reason, and what was accepted before is in the file."""
    change(beside(file, suffix))
    with pytest.raises(StoreError, match=f"{file.name}{suffix} was {change.__name__}d while it was in use"):
        Inbox(database).keep(b"refused", "", NOW)
    assert payloads(file) == [b"first"]
    Inbox(database).keep(b"second", "", NOW)
    assert payloads(file) == [b"first", b"second"]


def test_no_notification_is_accepted_while_another_process_uses_the_deleted_log(database: Database, file: Path) -> None:
    """Two processes never write to two logs of one database, which would damage it."""
    other = Database(f"sqlite:///{file}", create=False)
    Inbox(other).keep(b"second", "", NOW)
    beside(file, "-wal").unlink()
    for _ in range(3):
        with pytest.raises(StoreError, match="deleted while it was in use"):
            Inbox(database).keep(b"refused", "", NOW)
    with pytest.raises(StoreError, match="deleted while it was in use"):
        other.verify_files()
    Inbox(database).keep(b"third", "", NOW)
    Inbox(other).keep(b"fourth", "", NOW)
    other.close()
    assert payloads(file) == [b"first", b"second", b"third", b"fourth"]
    with contextlib.closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_commit_into_a_deleted_file_is_not_acknowledged(database: Database, file: Path) -> None:
    """A notification whose file disappears during its transaction is answered with 503, and so sent again."""
    with pytest.raises(StoreError, match="deleted while it was in use"), database.write():
        file.unlink()


def test_a_deleted_database_is_not_made_anew(database: Database, file: Path) -> None:
    """A worker refuses everything until the file is back, and an empty one never takes its place."""
    aside = file.with_name("aside")
    file.rename(aside)
    with pytest.raises(StoreError, match="was deleted while it was in use"):
        database.verify_files()
    for _ in range(2):
        with pytest.raises(StoreError, match="the file does not exist; put it back or restart responder"):
            Inbox(database).keep(b"refused", "", NOW)
    aside.rename(file)
    Inbox(database).keep(b"second", "", NOW)
    assert payloads(file) == [b"first", b"second"]


def test_a_replaced_database_is_noticed_and_opened(database: Database, file: Path) -> None:
    """A restored copy is used from then on; nothing goes into the old file unnoticed."""
    copy = file.with_name("backup")
    database.back_up(copy, {}, 10.0)
    Inbox(database).keep(b"second", "", NOW)
    copy.replace(file)
    with pytest.raises(StoreError, match="was replaced while it was in use"):
        Inbox(database).keep(b"refused", "", NOW)
    Inbox(database).keep(b"third", "", NOW)
    assert payloads(file) == [b"first", b"third"]
    assert beside(file, "-wal.stale").exists()


def test_a_deleted_log_that_cannot_be_written_back_yet_is_kept(database: Database, file: Path) -> None:
    """Nothing is accepted, and nothing given up, until what was accepted before is in the file."""
    with database.read() as reader:  # a reader in the way of the checkpoint
        reader.exec_driver_sql("SELECT * FROM payloads").fetchall()
        Inbox(database).keep(b"second", "", NOW)
        beside(file, "-wal").unlink()
        for _ in range(2):
            with pytest.raises(StoreError, match="deleted while it was in use"):
                database.verify_files()
    with pytest.raises(StoreError, match="deleted while it was in use"):
        database.verify_files()
    Inbox(database).keep(b"third", "", NOW)
    assert payloads(file) == [b"first", b"second", b"third"]


def test_a_lock_left_by_a_killed_process_is_no_obstacle(database: Database, file: Path) -> None:
    """A start after SIGKILL opens the files as they are, whatever the lock file says."""
    database.close()
    beside(file, "-open").write_text("[[1, 2], null, null]")
    again = Database(f"sqlite:///{file}")
    Inbox(again).keep(b"second", "", NOW)
    again.close()
    assert payloads(file) == [b"first", b"second"]
