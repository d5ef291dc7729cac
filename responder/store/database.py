"""The connection to SQLite or PostgreSQL: short transactions, one writer at a time, and one name for every refusal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError, ProgrammingError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

BUSY_SECONDS = 5.0
"""How long a writer waits for its turn on SQLite before it gives up."""


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
    return isinstance(error, DatabaseError) and "database is locked" in str(error.orig)


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
        if self.is_sqlite:
            self._writers = self._open_sqlite(url, begin="BEGIN IMMEDIATE", timeout=0)
            self._readers = self._open_sqlite(url, begin="BEGIN", timeout=busy_seconds)
        else:
            drivername = "postgresql+psycopg" if parsed.drivername == "postgresql" else parsed.drivername
            self._writers = create_engine(parsed.set(drivername=drivername), pool_pre_ping=True, pool_size=10)
            self._readers = self._writers
        self._closed = False

    @staticmethod
    def _open_sqlite(url: str, *, begin: str, timeout: float) -> Engine:
        engine = create_engine(
            url,
            module=_sqlite(),
            pool_size=20,
            max_overflow=20,
            connect_args={"timeout": timeout, "check_same_thread": False},
        )

        @event.listens_for(engine, "connect")
        def prepare(connection: Any, _record: Any) -> None:
            connection.isolation_level = None
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")

        @event.listens_for(engine, "begin")
        def start(connection: Connection) -> None:
            connection.exec_driver_sql(begin)

        return engine

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may change things: committed when the block ends, durable when this returns."""
        with self._named(), self._connect() as connection:
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

    def check(self) -> None:
        """Raise CannotStore unless a write transaction can be had now."""
        with self.write() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        """Refuse everything from now on."""
        self._closed = True
        self._writers.dispose()
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

    @contextlib.contextmanager
    def _connect(self) -> Iterator[Connection]:
        with self._writers.connect() as connection:
            if self.is_sqlite:
                self._begin_in_turn(connection)
            yield connection

    def _begin_in_turn(self, connection: Connection) -> None:
        """Begin as SQLite's one writer. Its own busy handler sleeps up to 100 ms; we look each millisecond."""
        try:
            connection.begin()
        except DatabaseError as error:
            if not _busy(error):
                raise
            turns = Retrying(
                retry=retry_if_exception(_busy),
                wait=wait_random(0.0005, 0.0015),
                stop=stop_after_delay(self._busy_seconds),
                reraise=True,
            )
            turns(connection.begin)
