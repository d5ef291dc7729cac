"""The PostgreSQL backend, shared by replicas. Every wait is limited on the server and on the client."""

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Select, Table, create_engine, event, func, select
from sqlalchemy.engine.interfaces import ExceptionContext

from responder.store.backends.atomic_file import atomic_write
from responder.store.backends.errors import DatabaseUnavailable, StoreError, first_line
from responder.store.backends.prepared import NEW_NOTIFICATIONS, NOTIFY_CHANNEL, TOPICS

#: Connections that each worker process keeps; its listener has one more.
POOL_SIZE = 10
#: Timeout for each host of the URL.
CONNECT_SECONDS = 3
#: Extra time of the client over the server's own timeout, so that a live server reports it itself.
_CLIENT_EXTRA_SECONDS = 2.0
#: Seconds of one wait for a notification, after which the listener looks if it has to stop.
_LISTEN_SECONDS = 0.5
#: Notifications within this time are handled as one, so that a storm of webhooks does not cause a storm of polls.
_GATHER_SECONDS = 0.02


def parameters(url: str, timeout: float) -> dict[str, Any]:
    """Return the parameters of libpq: those of the URL, and defaults for the rest.

    Raises StoreError for an unusable URL; the text shows nothing that could be its password.
    """
    try:
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict
    except ImportError:
        raise StoreError("PostgreSQL support is missing: pip install 'alertmanager-responder[postgres]'") from None
    try:
        given = conninfo_to_dict("postgresql:" + url.partition(":")[2])
    except ProgrammingError as error:
        what = str(error).strip() if "URI query parameter" in str(error) else "it cannot be read"
        raise StoreError(f"invalid database URL: {what}; {_SPELLING}") from None
    if "@" in str(given.get("host", "")) or not str(given.get("port", "0")).replace(",", "").isdigit():
        raise StoreError(f"invalid database URL: no host and port; {_SPELLING}")
    milliseconds = int(timeout * 1000)
    limits = {
        "statement_timeout": milliseconds,
        "lock_timeout": milliseconds,
        "idle_in_transaction_session_timeout": 2 * milliseconds,
    }
    ours = {
        "application_name": "responder",
        "connect_timeout": CONNECT_SECONDS,
        "target_session_attrs": "read-write",
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": milliseconds,
    }
    options = " ".join([*(f"-c {name}={value}" for name, value in limits.items()), str(given.get("options", ""))])
    return {**ours, **given, "options": options.strip()}


_SPELLING = (
    "write postgresql://USER:PASSWORD@HOST:5432/NAME?sslmode=verify-full, "
    "with @ : / ? # % in the password written as %40 %3A %2F %3F %23 %25"
)


class Postgres:
    """Backend of ``Database`` on PostgreSQL. Errors of the driver and of SQLAlchemy are passed through."""

    def __init__(self, url: str, timeout: float) -> None:
        self._patience = timeout
        self._parameters = parameters(url, timeout)
        from psycopg import Error

        self.errors: tuple[type[Exception], ...] = (Error,)
        self.bugs: tuple[type[Exception], ...] = ()
        self.writers = self._open()
        # Each read is one statement and sees what was committed before it, so it needs no transaction.
        self._readers = self.writers.execution_options(isolation_level="AUTOCOMMIT")

    def _open(self) -> Engine:
        engine = create_engine(
            "postgresql+psycopg://",
            pool_pre_ping=True,
            isolation_level="READ COMMITTED",  # whatever the database or the role has as its default
            pool_size=POOL_SIZE,
            max_overflow=20,
            pool_timeout=self._patience,
            use_native_hstore=False,
        )

        @event.listens_for(engine, "do_connect")
        def dial(_dialect: Any, _record: Any, _args: Any, params: dict[str, Any]) -> Any:
            return self.connect(context=params.get("context"))

        @event.listens_for(engine, "handle_error")
        def drop_read_only(context: ExceptionContext) -> None:
            # The server has become read-only: the next connection may reach the new primary.
            if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
                context.is_disconnect = True

        return engine

    def connect(self, **more: Any) -> Any:
        """Return a driver connection. Raises DatabaseUnavailable if the server accepts none."""
        from psycopg import OperationalError

        from responder.store.backends.postgres_connection import DeadlineConnection, NulStrippingDumper

        try:
            connection = DeadlineConnection.connect(**self._parameters, **more)
        except OperationalError as error:
            if "unsupported startup parameter" in str(error):
                raise StoreError(_REFUSES_OPTIONS) from error
            raise DatabaseUnavailable(f"database: {first_line(error)}") from error
        connection.adapters.register_dumper(str, NulStrippingDumper)
        connection.timeout = self._patience + _CLIENT_EXTRA_SECONDS
        return connection

    @contextlib.contextmanager
    def write(self, _patience: float | None = None) -> Iterator[Connection]:
        """Open a durable transaction. Writers do not wait for each other."""
        with self.writers.connect() as connection, _transaction(connection):
            yield connection

    transaction = write

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a read-only connection."""
        with self._readers.connect() as connection:
            yield connection

    def has_row(self, looked_for: Select[Any]) -> bool:
        """Return True if such a row exists, in one round trip."""
        with self.read() as connection:
            return connection.execute(looked_for).first() is not None

    def append(
        self, rows: Sequence[Mapping[str, Any]], table: Table, blobs: Sequence[bytes], beside: Table
    ) -> list[int]:
        """Insert in one round trip, and notify the engines of all replicas.

        Ids must ascend in the order of the commits across all replicas, since a notification with an id below a decided
        one would count as stale. So one transaction inserts at a time, and none waits for a client.
        """
        columns = ", ".join(rows[0])
        one = f"INSERT INTO {table.name} ({columns}) VALUES ({', '.join(['%s'] * len(rows[0]))}) RETURNING id"  # noqa: S608 - constant names
        blob = f"INSERT INTO {beside.name} VALUES (lastval(), %s)"  # noqa: S608
        pooled = self.writers.raw_connection()
        try:
            driver: Any = pooled.driver_connection
            with driver.pipeline():
                driver.execute("SELECT pg_advisory_xact_lock(%s)", (_number(table.name),))
                added = []
                for row, data in zip(rows, blobs, strict=True):
                    added.append(driver.execute(one, tuple(row.values())))
                    driver.execute(blob, (data,))
                driver.execute("SELECT pg_notify(%s, %s)", (NOTIFY_CHANNEL, NEW_NOTIFICATIONS))
                driver.commit()
            return [cursor.fetchone()[0] for cursor in added]
        except BaseException:
            pooled.invalidate()
            raise
        finally:
            pooled.close()

    @contextlib.contextmanager
    def alone(self, task: str) -> Iterator[Callable[[], contextlib.AbstractContextManager[Connection]] | None]:
        """Hold an advisory lock in the transaction that also writes: if the connection dies, nothing is written."""
        with self.writers.connect() as connection, _transaction(connection):
            ours = connection.scalar(select(func.pg_try_advisory_xact_lock(_number(task))))
            yield (lambda: _transaction(connection)) if ours else None

    @contextlib.contextmanager
    def joining(self) -> Iterator[bool]:
        """Yield False: other machines may use the database."""
        yield False

    @contextlib.contextmanager
    def migrating(self) -> Iterator[Connection]:
        """Hold an advisory lock: other processes wait, and find nothing left to do."""
        with self.write() as connection:
            connection.execute(select(func.pg_advisory_xact_lock(_number("migrate"))))
            yield connection

    def refuse_pooler(self) -> None:
        """Raise StoreError for a pooler that gives the connections of a session to others between transactions.

        A pooler invents the process id of the server that it announces. In transaction mode a second client gets the
        server that the first one has just used.
        """
        from psycopg import Error

        with contextlib.ExitStack() as opened:
            first = opened.enter_context(contextlib.closing(self.connect(autocommit=True)))
            try:
                before = _backend(first)
                if before == first.info.backend_pid:
                    return
                second = opened.enter_context(contextlib.closing(self.connect()))
                shared = _backend(second) == before or _backend(first) != before
            except DatabaseUnavailable:
                return  # a pooler in session mode that has no second connection now
            except Error as error:
                if "statement pooling" not in str(error):
                    raise
                shared = True
            if shared:
                raise StoreError(_TRANSACTION_MODE)

    def pooler_room(self, workers: int) -> tuple[int, int] | None:
        """Return the connections that a pooler gives now and those that ``workers`` hold; None without a pooler."""
        from psycopg import Error

        wanted, found = workers * (POOL_SIZE + 1), 0
        self.writers.dispose()  # connections of this process would count as missing
        with contextlib.ExitStack() as opened, contextlib.suppress(DatabaseUnavailable, Error):
            while found < wanted:
                connection = opened.enter_context(contextlib.closing(self.connect(autocommit=True)))
                if _backend(connection) == connection.info.backend_pid:
                    return None
                found += 1
        return found, wanted

    def verify(self) -> None:
        """Do nothing: the files are the server's."""

    def compact(self) -> None:
        """Do nothing: autovacuum reclaims the space."""

    def exists(self) -> bool:
        """Return True: a connection implies a database."""
        return True

    def files(self) -> int:
        """Return the size that the server reports for this database, in bytes."""
        with self._readers.connect() as connection:
            return int(connection.scalar(select(func.pg_database_size(func.current_database()))) or 0)

    def back_up(self, target: Path, env: Mapping[str, str], seconds: float) -> None:
        """Write a dump with pg_dump."""
        dump(self._parameters, target, env, seconds)

    def dispose(self) -> None:
        """Close every connection."""
        self.writers.dispose()


class Listener:
    """Receives notifications. ``on_news`` gets a topic; after a lost connection every topic, since some were missed."""

    def __init__(
        self,
        connect: Callable[[], Any],
        on_news: Callable[[str], None],
        named: Callable[[], contextlib.AbstractContextManager[None]],
    ) -> None:
        """``connect`` returns a driver connection, and ``named`` turns its errors into StoreError."""
        self._connect = connect
        self._on_news = on_news
        self._named = named
        self._connection: Any = None

    def step(self) -> float:
        """Listen for half a second, on a new connection if the last one broke. Returns the seconds to rest."""
        try:
            with self._named():
                received = self._listen() if self._connection else self._begin()
        except BaseException:
            self.close()
            raise
        for topic in sorted(received & TOPICS):
            self._on_news(topic)
        return _GATHER_SECONDS if received else 0.0

    def _begin(self) -> frozenset[str]:
        self._connection = self._connect()
        self._connection.execute(f"LISTEN {NOTIFY_CHANNEL}")
        return TOPICS

    def _listen(self) -> frozenset[str]:
        received = frozenset(news.payload for news in self._connection.notifies(timeout=_LISTEN_SECONDS, stop_after=1))
        if not received:
            self._connection.execute("SELECT 1")  # detects a dead connection
        return received

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


_READ_ONLY = "25006"
_TRANSACTION_MODE = (
    "the database URL leads to a pooler in transaction mode (PgBouncer?), in which locks and LISTEN of a session are "
    "lost: connect to PostgreSQL directly, or set pool_mode = session"
)
_REFUSES_OPTIONS = (
    "the database URL leads to PgBouncer, which refuses the startup parameter 'options': connect to PostgreSQL "
    "directly, or set pool_mode = session and ignore_startup_parameters = options"
)


def _backend(connection: Any) -> int:
    """Return the process id of the server that executes this statement."""
    return int(connection.execute("SELECT pg_backend_pid()").fetchone()[0])


def _number(task: str) -> int:
    return int.from_bytes(sha256(task.encode()).digest()[:8], signed=True)


@contextlib.contextmanager
def _transaction(connection: Connection) -> Iterator[Connection]:
    """Commit the transaction when the block ends, or roll it back after an exception."""
    try:
        yield connection
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def dump(parameters: Mapping[str, Any], target: Path, env: Mapping[str, str], seconds: float) -> None:
    """Write a dump in pg_dump's custom format to a new file. Raises StoreError.

    The password is passed in the environment, since every user of the machine can read command lines.
    """
    from psycopg.conninfo import make_conninfo

    given = {name: value for name, value in parameters.items() if name not in {"password", "options"}}
    address = make_conninfo(**given)
    command = ["pg_dump", "--format=custom", "--no-owner", f"--dbname={address}"]
    program = _pg_dump()
    if program is None:
        raise StoreError(
            "pg_dump is not installed (Debian: apt install postgresql-client); or run elsewhere, with the password in "
            f"PGPASSWORD: {' '.join(command[:3])} --file={target} --dbname='{address}'"
        )
    secret = {"PGPASSWORD": str(parameters["password"])} if parameters.get("password") else {}
    with atomic_write(target) as part:
        try:
            done = subprocess.run(  # noqa: S603 - an argument vector, no shell
                [program, *command[1:], f"--file={part}"],
                env={**env, **secret},
                capture_output=True,
                text=True,
                check=False,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            raise StoreError(f"pg_dump did not finish within {seconds:g} s: raise --timeout") from None
        if done.returncode:
            said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
            raise StoreError(f"pg_dump: {said[-1].removeprefix('pg_dump: ')}")


def _pg_dump() -> str | None:
    """Return the newest pg_dump of Debian, which reads every older server, else the one on the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_dump"), key=lambda path: int(path.parts[-3]))
    return str(debian[-1]) if debian else shutil.which("pg_dump")
