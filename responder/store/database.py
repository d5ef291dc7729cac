"""The connection to SQLite or PostgreSQL: short transactions, and one exception for every database error."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, Table, text
from sqlalchemy.exc import DatabaseError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from responder.model.secret import without_passwords
from responder.store.backends.errors import StoreError, first_line
from responder.store.backends.postgres import Listener, Postgres
from responder.store.backends.sqlite import Sqlite

__all__ = ["BUSY_SECONDS", "Database", "StoreError", "TriageLock", "first_line"]

#: Seconds that a caller waits for the database before it fails.
BUSY_SECONDS = 5.0


#: SQLITE_CORRUPT and SQLITE_NOTADB, in SQLite's own words.
_DAMAGE = ("malformed", "file is not a database")
_INSUFFICIENT_PRIVILEGE = "42501"
#: Advice for missing rights.
RIGHTS = "the role in RESPONDER_DATABASE_URL has to own responder's tables and may create tables in its schema"
_RESTORE = "stop responder and restore a backup (guide, Backup and restore)"


@dataclass(frozen=True, slots=True)
class TriageLock:
    """The held triage lock. ``transaction`` is the transaction to write with, once; its commit may release the lock."""

    transaction: Callable[[], contextlib.AbstractContextManager[Connection]]


class Database:
    """A database. Open it after a fork: connections must not be shared between processes.

    ``url`` is ``sqlite:///FILE`` or what libpq accepts after ``postgresql://``. ``read``, ``write`` and ``transaction``
    each give a connection, and raise StoreError for every database error. ``name`` is the URL without passwords, or the
    file. ``create`` allows SQLite to create a new file.
    """

    def __init__(self, url: str, busy_seconds: float = BUSY_SECONDS, *, create: bool = True) -> None:
        scheme = url.partition(":")[0].partition("+")[0]
        self.is_sqlite = scheme not in {"postgresql", "postgres"}
        self._backend = Sqlite(url, busy_seconds, create=create) if self.is_sqlite else Postgres(url, busy_seconds)
        self.name = (
            str(Path(self._backend.file).absolute()) if isinstance(self._backend, Sqlite) else without_passwords(url)
        )
        # PostgreSQL's errors name the server themselves, SQLite's do not name the file.
        self._subject = f"database {self.name}" if self.is_sqlite else "database"
        self._refused = ""
        self._closed = False
        #: A sentence about damage that was found in the file of SQLite, empty if none was.
        self.damage = ""

    @contextlib.contextmanager
    def write(self, patience: float | None = None) -> Iterator[Connection]:
        """Open a write transaction, committed and durable when the block ends.

        SQLite's other writers are waited for as long as any caller waits. With ``patience`` a person waits: it goes
        before other waiting transactions, and fails after these seconds.
        """
        with self._store_errors(), self._backend.write(patience) as connection:
            yield connection

    def append(
        self, rows: Sequence[Mapping[str, Any]], table: Table, blobs: Sequence[bytes], beside: Table
    ) -> list[int]:
        """Insert rows with the same columns, each with a blob in the table ``beside``; return their ids, in order.

        One durable transaction, which every webhook waits for. ``beside`` has two columns: the row's id and the blob.
        """
        with self._store_errors():
            return self._backend.append(rows, table, blobs, beside)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Open a write transaction for repeatable work: it survives the process, but not always a power failure.

        A power failure undoes the latest transactions, always from the last one back: a notification is decided again,
        a message sent again. On PostgreSQL it is as durable as ``write``.
        """
        with self._store_errors(), self._backend.transaction() as connection:
            yield connection

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a read-only connection."""
        with self._store_errors(), self._backend.read() as connection:
            yield connection

    @contextlib.contextmanager
    def alone(self, task: str) -> Iterator[TriageLock | None]:
        """Hold the lock for ``task`` during the block; None if another process has it. It ends with the process.

        The holder may compute before it writes. What it writes with ``TriageLock.transaction`` is committed only if it
        still holds the lock: on PostgreSQL a broken connection ends both.
        """
        with self._store_errors(), self._backend.alone(task) as transaction:
            yield TriageLock(lambda: self._locked_transaction(transaction)) if transaction else None

    @contextlib.contextmanager
    def joining(self) -> Iterator[bool]:
        """Register this process and its forks as users. Yields True if certainly no other process uses the database.

        No other process can register during the block.
        """
        with self._store_errors(), self._backend.joining() as alone:
            yield alone

    @contextlib.contextmanager
    def migrating(self) -> Iterator[Connection]:
        """Open a durable transaction that one process has at a time; the others wait for it."""
        with self._store_errors(), self._backend.migrating() as connection:
            yield connection

    def listener(self, on_news: Callable[[str], None]) -> Listener | None:
        """Return a listener for the commits of other processes; None on SQLite, where polling has to do."""
        if isinstance(self._backend, Postgres):
            backend = self._backend
            return Listener(lambda: backend.connect(autocommit=True), on_news, self._store_errors)
        return None

    def has_row(self, looked_for: Select[Any]) -> bool:
        """Return True if such a row exists. For frequent polls: on SQLite it costs a fifth of ``read``."""
        with self._store_errors():
            return self._backend.has_row(looked_for)

    def compact(self) -> None:
        """After deletions on SQLite, write the WAL into the file and truncate it, unless it is in use."""
        with self._store_errors():
            self._backend.compact()

    def exists(self) -> bool:
        """Return True if the database exists: SQLite would create the file."""
        return self._backend.exists()

    def files(self) -> int:
        """Return its size on the disk in bytes."""
        with self._store_errors():
            return self._backend.files()

    def back_up(self, target: Path, env: Mapping[str, str], seconds: float) -> None:
        """Write a consistent copy to a new file while writes continue. ``env`` is passed to child processes."""
        with self._store_errors():
            self._backend.back_up(target, env, seconds)

    def refuse_pooler(self) -> None:
        """Raise StoreError if a pooler in transaction mode is between this process and PostgreSQL."""
        with self._store_errors():
            self._backend.refuse_pooler()

    def pooler_room(self, workers: int) -> tuple[int, int] | None:
        """Return the connections that a pooler gives now and those that ``workers`` hold; None without a pooler."""
        with self._store_errors():
            return self._backend.pooler_room(workers)

    def verify_files(self) -> None:
        """Raise StoreError if a file of SQLite was deleted or replaced; open the database again once that is safe."""
        with self._store_errors():
            self._backend.verify()

    def quick_check(self, table: str) -> None:
        """Set ``damage`` if pages of a table of SQLite are damaged. Raises StoreError if it cannot be checked."""
        try:
            with self.read() as connection:
                found = str(connection.exec_driver_sql(f"PRAGMA quick_check('{table}')").scalar())
        except StoreError as error:
            if not self.damage:
                raise
            found = str(error)
        if found != "ok":
            self.damage = f"{self._subject}: table {table} is damaged: {' '.join(found.split())[:200]}; {_RESTORE}"

    def check(self) -> None:
        """Raise StoreError unless a write transaction can be opened; too small to detect a full disk."""
        with self.write() as connection:
            connection.execute(text("SELECT 1"))

    def refuse(self, reason: str) -> None:
        """Raise StoreError with ``reason`` for every call from now on; an empty reason ends that."""
        self._refused = reason

    def close(self) -> None:
        """Close every connection and raise StoreError for every call from now on."""
        self._closed = True
        self._backend.dispose()

    @contextlib.contextmanager
    def _locked_transaction(
        self, transaction: Callable[[], contextlib.AbstractContextManager[Connection]]
    ) -> Iterator[Connection]:
        """Open a transaction of the lock's holder, with the same errors."""
        with self._store_errors(), transaction() as connection:
            yield connection

    @contextlib.contextmanager
    def _store_errors(self) -> Iterator[None]:
        """Raise StoreError for an error of the database; errors of responder's own statements are passed through."""
        if self._closed or self._refused:
            raise StoreError("shutting down" if self._closed else self._refused)
        try:
            yield
        except (IntegrityError, ProgrammingError) as error:
            if getattr(error.orig, "sqlstate", None) == _INSUFFICIENT_PRIVILEGE:
                raise StoreError(f"database: {first_line(error.orig)}; {RIGHTS}") from error
            raise
        except PoolTimeout:
            raise StoreError("database: no free connection in the pool") from None
        except DatabaseError as error:
            raise self._error(first_line(error.orig)) from error
        except self._backend.bugs:
            raise
        except self._backend.errors as error:
            raise self._error(first_line(error)) from error

    def _error(self, text: str) -> StoreError:
        reason = f"{self._subject}: {text}"
        if self.is_sqlite and any(words in text for words in _DAMAGE):
            self.damage = self.damage or f"{reason}; {_RESTORE}"
        return StoreError(reason)
