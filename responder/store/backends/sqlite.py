"""The SQLite backend: one file, one writer at a time, retried at short intervals."""

import contextlib
import fcntl
import mmap
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import Connection, Engine, PoolProxiedConnection, Select, Table, create_engine, event, make_url
from sqlalchemy.dialects.sqlite import dialect
from sqlalchemy.exc import ArgumentError, DatabaseError
from tenacity import Retrying, retry_if_exception, stop_after_delay

from responder.store.backends.atomic_file import atomic_write
from responder.store.backends.errors import StoreError
from responder.store.backends.sqlite_files import SqliteFiles

#: Busy timeout of SQLite before responder retries: SQLite sleeps 1 ms, 2 ms, and later up to 100 ms.
_BUSY_SECONDS = 0.003
#: Steps that other writers wait for one that a person waits for; each of its attempts renews them.
FIRST_STEPS, _STEP_SECONDS = 50, 0.001
_SPELLING = "unsupported database URL: write sqlite:///FILE or postgresql://..."


def _driver() -> ModuleType:
    """Return a SQLite without the WAL-reset bug (3.7.0 to 3.51.2) if its wheel is installed, else Python's own."""
    try:
        from pysqlite3 import dbapi2
    except ImportError:
        import sqlite3 as dbapi2
    module: ModuleType = dbapi2
    return module


DRIVER = _driver()


def _busy(error: BaseException) -> bool:
    return isinstance(error, (DatabaseError, DRIVER.DatabaseError)) and "database is locked" in str(error)


@lru_cache
def _sql(statement: Select[Any]) -> str:
    """Return a statement as text, with its values in it."""
    return str(statement.compile(dialect=dialect(), compile_kwargs={"literal_binds": True}))


@contextlib.contextmanager
def _locked(path: str) -> Iterator[bool]:
    """Hold an exclusive lock on a file during the block. Yields False if another process has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)


class Precedence:
    """Precedence of writes that a person waits for, in all workers of a server: they share this memory since the fork.

    It ends by itself, since each wait of another writer uses up one of its steps: a worker that dies or is stopped
    holds no write up.
    """

    def __init__(self) -> None:
        self._steps = mmap.mmap(-1, 1)
        self._never = threading.Event()

    @property
    def taken(self) -> bool:
        """True if a person's write goes first."""
        return self._steps[0] > 0

    def take(self, steps: int = FIRST_STEPS) -> None:
        """Go first while others wait so many steps in all; 0 ends it."""
        self._steps[0] = steps

    def give_way(self) -> None:
        """Wait while a person's write goes first, FIRST_STEPS at most."""
        for _ in range(FIRST_STEPS):
            left = self._steps[0]
            if not left:
                return
            self._steps[0] = left - 1
            self._never.wait(_STEP_SECONDS)


PRECEDENCE = Precedence()


class Sqlite:
    """Backend of ``Database`` on SQLite. Errors of the driver and of SQLAlchemy are passed through."""

    def __init__(self, url: str, timeout: float, *, create: bool = True) -> None:
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise StoreError(_SPELLING) from None
        if parsed.get_backend_name() != "sqlite":
            raise StoreError(_SPELLING)
        if parsed.database in {None, "", ":memory:"}:
            raise StoreError("an in-memory database is not durable: write sqlite:///FILE")
        self.errors: tuple[type[Exception], ...] = (DRIVER.DatabaseError,)
        self.bugs: tuple[type[Exception], ...] = (DRIVER.IntegrityError,)
        self.file = str(parsed.database)
        self._patience = timeout
        self.writers = self._open(url, begin="BEGIN IMMEDIATE", timeout=_BUSY_SECONDS)
        self._workers = self._open(url, begin="BEGIN IMMEDIATE", timeout=_BUSY_SECONDS, synced=False)
        self._readers = self._open(url, begin="BEGIN", timeout=timeout)
        self._queue = threading.Lock()
        self._appending = threading.Lock()
        self._appender: PoolProxiedConnection | None = None
        self._files = SqliteFiles(self.file, DRIVER, timeout, self._close_connections, create=create)

    @staticmethod
    def _open(url: str, *, begin: str, timeout: float, synced: bool = True) -> Engine:
        engine = create_engine(
            url,
            module=DRIVER,
            pool_size=20,
            max_overflow=20,
            pool_use_lifo=True,
            connect_args={"timeout": timeout, "check_same_thread": False},
        )

        @event.listens_for(engine, "connect")
        def prepare(connection: Any, _record: Any) -> None:
            connection.isolation_level = None
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")

        @event.listens_for(engine, "begin")
        def start(connection: Connection) -> None:
            driver: Any = connection.connection.driver_connection
            driver.execute(begin)

        return engine

    @contextlib.contextmanager
    def write(self, patience: float | None = None) -> Iterator[Connection]:
        """Open a durable transaction; with ``patience`` it goes before the waiting ones of all workers."""
        try:
            with self._files.using():
                with self._transaction(self.writers, patience) as connection:
                    yield connection
                self._files.verify()
        finally:
            if patience is not None:
                PRECEDENCE.take(0)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Open a transaction of the engine. Threads of the process queue here, which leaves gaps for webhooks."""
        if not self._queue.acquire(timeout=self._patience):
            raise StoreError("database: timed out waiting to write")
        try:
            with self._files.using(), self._transaction(self._workers) as connection:
                yield connection
        finally:
            self._queue.release()

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a read-only connection; each prepared statement sees what was committed before it, as on PostgreSQL."""
        with self._files.using(), self._readers.connect() as connection:
            yield connection

    def has_row(self, looked_for: Select[Any]) -> bool:
        """Return True if such a row exists. Uses the driver: SQLAlchemy takes several times as long as the query."""
        with self._files.using(), contextlib.closing(self._readers.raw_connection()) as connection:
            driver: Any = connection.driver_connection
            return bool(driver.execute(_sql(looked_for)).fetchall())

    def append(
        self, rows: Sequence[Mapping[str, Any]], table: Table, blobs: Sequence[bytes], beside: Table
    ) -> list[int]:
        """Insert rows and blobs. Uses the driver, since SQLAlchemy takes longer than the insert."""
        columns = ", ".join(rows[0])
        sql = f"INSERT INTO {table.name} ({columns}) VALUES ({', '.join('?' * len(rows[0]))})"  # noqa: S608 - constant names
        with self._appending, self._files.using():
            if self._appender is None:
                self._appender = self.writers.raw_connection()
            driver: Any = self._appender.driver_connection
            try:
                self._begin(lambda: driver.execute("BEGIN IMMEDIATE"))
                ids = [driver.execute(sql, tuple(row.values())).lastrowid for row in rows]
                driver.executemany(f"INSERT INTO {beside.name} VALUES (?, ?)", zip(ids, blobs, strict=True))  # noqa: S608
                driver.execute("COMMIT")
            except BaseException:
                self._appender.invalidate()
                self._appender = None
                raise
            self._files.verify()
        return ids

    @contextlib.contextmanager
    def alone(self, task: str) -> Iterator[Callable[[], contextlib.AbstractContextManager[Connection]] | None]:
        """Hold an operating system lock on a file beside the database; it ends with the process."""
        with _locked(f"{self.file}-{task}") as ours:
            yield self.transaction if ours else None

    @contextlib.contextmanager
    def joining(self) -> Iterator[bool]:
        """Share a file lock with all users of the database. It ends with the last process that inherited it."""
        descriptor = os.open(f"{self.file}-serve", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
        fcntl.flock(descriptor, fcntl.LOCK_SH)

    @contextlib.contextmanager
    def migrating(self) -> Iterator[Connection]:
        """Open a write transaction: SQLite has one writer, so it is itself the lock."""
        with self.write() as connection:
            yield connection

    def compact(self) -> None:
        """Checkpoint while others write, then truncate the WAL if nothing else is writing."""
        with self._files.using(), self._readers.connect() as connection:
            driver: Any = connection.connection.driver_connection
            connection.rollback()
            driver.execute(f"PRAGMA busy_timeout = {int(_BUSY_SECONDS * 1000)}")
            for how in ("PASSIVE", "TRUNCATE"):
                driver.execute(f"PRAGMA wal_checkpoint({how})").fetchall()
            connection.invalidate()

    def exists(self) -> bool:
        """Return True if the file exists."""
        return Path(self.file).is_file()

    def files(self) -> int:
        """Return the size of the file and its WAL in bytes."""
        paths = (Path(self.file), Path(f"{self.file}-wal"))
        return sum(path.stat().st_size for path in paths if path.exists())

    def back_up(self, target: Path, _env: Mapping[str, str], _seconds: float) -> None:
        """Copy with SQLite's online backup, and check the copy.

        The copy is one read transaction: it neither blocks writers nor restarts because of them.
        """
        if not self.exists():
            raise StoreError(f"there is no database {self.file}: set RESPONDER_DATABASE_URL")
        with self._files.using(), atomic_write(target) as part:
            with contextlib.closing(DRIVER.connect(self.file)) as old, contextlib.closing(DRIVER.connect(part)) as new:
                old.backup(new)
                verdict = new.execute("PRAGMA quick_check").fetchone()[0]
            if verdict != "ok":
                raise StoreError(f"the copy of {self.file} is damaged, so the database may be damaged too: {verdict}")

    def refuse_pooler(self) -> None:
        """Do nothing: there is no server."""

    def pooler_room(self, _workers: int) -> None:
        """Return None: there is no server."""

    def verify(self) -> None:
        """Raise StoreError unless the files are the ones opened; open them if no process uses other ones."""
        with self._files.using():
            pass

    def dispose(self) -> None:
        """Close every connection."""
        self._files.close()

    def _close_connections(self) -> None:
        if self._appender is not None:
            self._appender.invalidate()
            self._appender = None
        for engine in (self.writers, self._workers, self._readers):
            engine.dispose()

    @contextlib.contextmanager
    def _transaction(self, engine: Engine, patience: float | None = None) -> Iterator[Connection]:
        """Open a write transaction: committed when the block ends, rolled back after an exception."""
        with engine.connect() as connection:
            self._begin(connection.begin, patience)
            try:
                yield connection
                connection.commit()
            except BaseException:
                connection.rollback()
                raise

    def _begin(self, begin: Callable[[], object], patience: float | None = None) -> None:
        """Begin a write transaction, retrying while another writer is active, for at most ``patience`` seconds.

        With ``patience`` a person waits, and other writers give way.
        """
        in_order = PRECEDENCE.give_way if patience is None else PRECEDENCE.take
        in_order()
        try:
            begin()
        except (DatabaseError, DRIVER.DatabaseError) as error:
            if not _busy(error):
                raise
            Retrying(
                retry=retry_if_exception(_busy),
                stop=stop_after_delay(patience or self._patience),
                before=lambda _attempt: in_order(),
                reraise=True,
            )(begin)
