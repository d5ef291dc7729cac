"""The connection to SQLite or PostgreSQL: short transactions, one writer at a time, and one name for every refusal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from types import ModuleType
from typing import Any

from sqlalchemy import Connection, Engine, PoolProxiedConnection, Table, create_engine, event, insert, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError, ProgrammingError
from tenacity import Retrying, retry_if_exception, stop_after_delay

BUSY_SECONDS = 5.0
"""How long a writer waits for its turn on SQLite before it gives up."""
_LOOK_SECONDS = 0.003
"""How long SQLite itself waits before we look again: it sleeps 1 ms, then 2 ms, and only later as long as 100 ms."""


class CannotStore(Exception):
    """The database took nothing: full, locked, gone or closed. The text is one line that holds no secret."""


def _sqlite() -> ModuleType:
    """A SQLite without the WAL-reset bug (3.7.0 to 3.51.2) where the platform has the wheel, else Python's own."""
    try:
        from pysqlite3 import dbapi2
    except ImportError:
        import sqlite3 as dbapi2
    module: ModuleType = dbapi2
    return module


def _busy(error: BaseException) -> bool:
    return isinstance(error, (DatabaseError, _DRIVER.DatabaseError)) and "database is locked" in str(error)


_DRIVER = _sqlite()


@contextlib.contextmanager
def _locked(path: str) -> Iterator[bool]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)


class Database:
    """One database. Open it after a fork: connections must not be shared between processes.

    ``url`` is an SQLAlchemy URL; ``postgresql://`` takes psycopg. ``read`` and ``write`` each give a connection inside
    one transaction and raise CannotStore for whatever the database refuses.
    """

    def __init__(self, url: str, busy_seconds: float = BUSY_SECONDS) -> None:
        self._busy_seconds = busy_seconds
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise CannotStore("the database URL is not one: write sqlite:///FILE or postgresql://...") from None
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite and parsed.database in {None, "", ":memory:"}:
            raise CannotStore("a database in memory keeps nothing: write sqlite:///FILE")
        if self.is_sqlite:
            self._writers = self._open_sqlite(url, begin="BEGIN IMMEDIATE", timeout=_LOOK_SECONDS)
            self._workers = self._open_sqlite(url, begin="BEGIN IMMEDIATE", timeout=_LOOK_SECONDS, synced=False)
            self._readers = self._open_sqlite(url, begin="BEGIN", timeout=busy_seconds)
        else:
            drivername = "postgresql+psycopg" if parsed.drivername == "postgresql" else parsed.drivername
            self._writers = create_engine(parsed.set(drivername=drivername), pool_pre_ping=True, pool_size=10)
            self._readers = self._workers = self._writers
        self._file = parsed.database
        self._line = threading.Lock()
        self._appending = threading.Lock()
        self._appender: PoolProxiedConnection | None = None
        self._closed = False

    @staticmethod
    def _open_sqlite(url: str, *, begin: str, timeout: float, synced: bool = True) -> Engine:
        engine = create_engine(
            url,
            module=_DRIVER,
            pool_size=20,
            max_overflow=20,
            connect_args={"timeout": timeout, "check_same_thread": False},
        )

        @event.listens_for(engine, "connect")
        def prepare(connection: Any, _record: Any) -> None:
            connection.isolation_level = None
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {'FULL' if synced else 'NORMAL'}")

        @event.listens_for(engine, "begin")
        def start(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

        return engine

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may change things: committed when the block ends, durable when this returns."""
        with self._named(), self._begun(self._writers) as connection:
            yield connection

    def append(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> list[int]:
        """Insert rows that name the same columns, durably and in a transaction of their own; their ids, in order.

        Every webhook waits for this. On SQLite it is said to the driver, since SQLAlchemy takes longer than the insert.
        """
        if not self.is_sqlite:
            statement = insert(table).returning(table.c.id, sort_by_parameter_order=True)
            with self.write() as connection:
                return list(connection.execute(statement, rows).scalars())
        columns = ", ".join(rows[0])
        sql = f"INSERT INTO {table.name} ({columns}) VALUES ({', '.join('?' * len(rows[0]))})"  # noqa: S608 - our own names
        with self._named(), self._appending:
            if self._appender is None:
                self._appender = self._writers.raw_connection()
            driver: Any = self._appender.driver_connection
            try:
                self._patiently(lambda: driver.execute("BEGIN IMMEDIATE"))
                ids = [driver.execute(sql, tuple(row.values())).lastrowid for row in rows]
                driver.execute("COMMIT")
            except BaseException:
                self._appender.invalidate()
                self._appender = None
                raise
        return ids

    @contextlib.contextmanager
    def work(self) -> Iterator[Connection]:
        """The same for the engine, whose work can be done again: it outlives the process, not always a power cut.

        What a power cut takes is the latest transactions, and none of them alone: a delivery is decided again, a
        message sent again. On SQLite the threads of a process stand in line here, so that webhooks find a gap.
        """
        with self._named(), self._turn(), self._begun(self._workers) as connection:
            yield connection

    @contextlib.contextmanager
    def _begun(self, engine: Engine) -> Iterator[Connection]:
        with self._connect(engine) as connection:
            try:
                yield connection
                connection.commit()
            except BaseException:
                connection.rollback()
                raise

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only looks."""
        with self._named(), self._readers.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def alone(self, task: str) -> Iterator[bool]:
        """Whether this process has the turn to do ``task``; it keeps it for the block. A process that dies gives it up.

        The turn holds no writer: whoever has it may think for a while before it writes.
        """
        if self.is_sqlite:
            with self._named(), _locked(f"{self._file}-{task}") as ours:
                yield ours
            return
        number = int.from_bytes(sha256(task.encode()).digest()[:8], signed=True)
        with self._named(), self._writers.begin() as connection:
            got = connection.execute(text("SELECT pg_try_advisory_xact_lock(:number)"), {"number": number})
            yield bool(got.scalar())

    def check(self) -> None:
        """Raise CannotStore unless a write transaction can be had now."""
        with self.write() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Refuse everything from now on."""
        self._closed = True
        self._writers.dispose()
        self._workers.dispose()
        self._readers.dispose()

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        if self._closed:
            raise CannotStore("shutting down")
        try:
            yield
        except (IntegrityError, ProgrammingError):
            raise
        except DatabaseError as error:
            raise CannotStore(f"database: {str(error.orig).strip().splitlines()[0]}") from error
        except _DRIVER.DatabaseError as error:
            raise CannotStore(f"database: {error}") from error

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        if not self.is_sqlite:
            yield
            return
        if not self._line.acquire(timeout=self._busy_seconds):
            raise CannotStore("database: too many wait to write")
        try:
            yield
        finally:
            self._line.release()

    @contextlib.contextmanager
    def _connect(self, engine: Engine) -> Iterator[Connection]:
        with engine.connect() as connection:
            if self.is_sqlite:
                self._patiently(connection.begin)
            yield connection

    def _patiently(self, begin: Callable[[], object]) -> None:
        """Begin as SQLite's one writer, again and again where another one is at work, until our patience ends."""
        try:
            begin()
        except (DatabaseError, _DRIVER.DatabaseError) as error:
            if not _busy(error):
                raise
            Retrying(retry=retry_if_exception(_busy), stop=stop_after_delay(self._busy_seconds), reraise=True)(begin)
