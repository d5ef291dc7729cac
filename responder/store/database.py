"""The connection to SQLite or PostgreSQL: short transactions, and one name for every refusal."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, Table, text
from sqlalchemy.exc import DatabaseError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as NoneFree

from responder.model.secret import without_passwords
from responder.store.backends.errors import StoreError, first_line
from responder.store.backends.notifications import Listener
from responder.store.backends.postgres import Postgres
from responder.store.backends.sqlite import Sqlite

__all__ = ["BUSY_SECONDS", "Database", "StoreError", "TriageLock", "first_line"]

BUSY_SECONDS = 5.0
"""How long anybody waits for the database before it gives up."""


@dataclass(frozen=True, slots=True)
class TriageLock:
    """The right to decide alone. ``work`` is the transaction to write with, once: its commit may end the turn."""

    work: Callable[[], contextlib.AbstractContextManager[Connection]]


class Database:
    """One database. Open it after a fork: connections must not be shared between processes.

    ``url`` is ``sqlite:///FILE`` or whatever libpq takes after ``postgresql://``. ``read``, ``write`` and ``work`` each
    give a connection, and raise StoreError for whatever the database refuses. ``name`` is what people may read of it.
    ``create`` allows SQLite to make a new file.
    """

    def __init__(self, url: str, busy_seconds: float = BUSY_SECONDS, *, create: bool = True) -> None:
        scheme = url.partition(":")[0].partition("+")[0]
        self.is_sqlite = scheme not in {"postgresql", "postgres"}
        self._kind = Sqlite(url, busy_seconds, create=create) if self.is_sqlite else Postgres(url, busy_seconds)
        self.name = str(Path(self._kind.file).absolute()) if isinstance(self._kind, Sqlite) else without_passwords(url)
        # PostgreSQL's errors name the server themselves, SQLite's do not name the file.
        self._who = f"database {self.name}" if self.is_sqlite else "database"
        self._refused = ""
        self._closed = False

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may change things: committed when the block ends, durable when this returns."""
        with self._named(), self._kind.write() as connection:
            yield connection

    def append(
        self, rows: Sequence[Mapping[str, Any]], table: Table, blobs: Sequence[bytes], beside: Table
    ) -> list[int]:
        """Insert rows that name the same columns, each with a blob in the table ``beside``; their ids, in order.

        One durable transaction, and every webhook waits for it. ``beside`` has two columns: the row's id and the blob.
        """
        with self._named():
            return self._kind.append(rows, table, blobs, beside)

    @contextlib.contextmanager
    def work(self) -> Iterator[Connection]:
        """The same for the engine, whose work can be done again: it outlives the process, not always a power cut.

        What a power cut takes is the latest transactions, and none of them alone: a delivery is decided again, a
        message sent again. On PostgreSQL it is as durable as the others.
        """
        with self._named(), self._kind.work() as connection:
            yield connection

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Looks only."""
        with self._named(), self._kind.read() as connection:
            yield connection

    @contextlib.contextmanager
    def alone(self, task: str) -> Iterator[TriageLock | None]:
        """The turn to do ``task``, for the block, or None where another process has it. A process that dies ends it.

        Whoever has the turn may think before it writes. What it writes with ``Turn.work`` is committed only if it still
        had the turn: on PostgreSQL a broken connection ends both.
        """
        with self._named(), self._kind.alone(task) as work:
            yield TriageLock(lambda: self._refusing(work)) if work else None

    @contextlib.contextmanager
    def joining(self) -> Iterator[bool]:
        """Use the database from now on, this process and all it forks. Whether certainly nobody else does.

        Nobody joins during the block.
        """
        with self._named(), self._kind.joining() as alone:
            yield alone

    @contextlib.contextmanager
    def migrating(self) -> Iterator[Connection]:
        """A durable transaction that one process has at a time; the others wait for it."""
        with self._named(), self._kind.migrating() as connection:
            yield connection

    def listener(self, on_news: Callable[[str], None]) -> Listener | None:
        """Who hears what other processes tell; None where they cannot (SQLite), and looking has to do."""
        if isinstance(self._kind, Postgres):
            kind = self._kind
            return Listener(lambda: kind.connect(autocommit=True), on_news, self._named)
        return None

    def finds(self, looked_for: Select[Any]) -> bool:
        """Whether there is such a row now. For what is asked all the time: on SQLite it costs a fifth of ``read``."""
        with self._named():
            return self._kind.finds(looked_for)

    def tidy(self) -> None:
        """After rows were deleted: on SQLite write the log into the file and cut it, where nobody is in the way."""
        with self._named():
            self._kind.tidy()

    def exists(self) -> bool:
        """Whether there is one: SQLite would make the file."""
        return self._kind.exists()

    def files(self) -> int:
        """Bytes on the disk."""
        with self._named():
            return self._kind.files()

    def back_up(self, target: Path, env: Mapping[str, str], seconds: float) -> None:
        """Write a consistent copy to a new file, while everybody goes on. ``env`` is for the programs it takes."""
        with self._named():
            self._kind.back_up(target, env, seconds)

    def verify_files(self) -> None:
        """Raise StoreError if a file of SQLite was deleted or replaced; open the database again once that is safe."""
        with self._named():
            self._kind.verify()

    def check(self) -> None:
        """Raise StoreError unless a write transaction can be had now; that the disk is full shows in none so empty."""
        with self.write() as connection:
            connection.execute(text("SELECT 1"))

    def refuse(self, reason: str) -> None:
        """Raise StoreError with ``reason`` for everything from now on; an empty reason admits everything again."""
        self._refused = reason

    def close(self) -> None:
        """Refuse everything from now on."""
        self._closed = True
        self._kind.dispose()

    @contextlib.contextmanager
    def _refusing(self, work: Callable[[], contextlib.AbstractContextManager[Connection]]) -> Iterator[Connection]:
        with self._named(), work() as connection:
            yield connection

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        if self._closed or self._refused:
            raise StoreError("shutting down" if self._closed else self._refused)
        try:
            yield
        except (IntegrityError, ProgrammingError):
            raise
        except NoneFree:
            raise StoreError("database: no connection became free in time") from None
        except DatabaseError as error:
            raise StoreError(f"{self._who}: {first_line(error.orig)}") from error
        except self._kind.errors as error:
            raise StoreError(f"{self._who}: {first_line(error)}") from error
