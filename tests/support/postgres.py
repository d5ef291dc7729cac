"""A real PostgreSQL of one's own on loopback, to be started, restarted, frozen and killed."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from responder.standins.processes import DidNotStart, free_port

#: The Debian package; its programs are outside the PATH.
PACKAGE = "postgresql-15"
USER = "responder"
_START_SECONDS = 30.0
_STOP_SECONDS = 20.0
_POLL = 0.02


def programs() -> Path | None:
    """The folder of the newest installed PostgreSQL's programs, None where there is none."""
    found = shutil.which("initdb")
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    paths = sorted(debian, key=lambda path: int(path.parts[-3])) or ([Path(found)] if found else [])
    return paths[-1].parent if paths else None


class Postgres:
    """One server with a data folder of its own. ``settings`` are those of postgresql.conf.

    ``url`` is that of its first database, with a password; ``create`` makes others. Port, password and data stay the
    same over ``stop``, ``kill`` and ``start``. PostgreSQL refuses to run as root, so root runs it as user postgres.
    """

    def __init__(self, *, follows: Postgres | None = None, **settings: str) -> None:
        folder = programs()
        if folder is None:
            raise DidNotStart(f"PostgreSQL is not installed: sudo apt install {PACKAGE}")
        self._programs = folder
        self._settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", **settings}
        self._port = free_port()
        self.password: str = follows.password if follows else secrets.token_hex(12)
        self._home = Path(tempfile.mkdtemp(prefix="responder-postgres-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._user = "postgres" if os.geteuid() == 0 else None
        if follows:
            self._copy(follows)
        else:
            self._initialise()

    @property
    def url(self) -> str:
        """RESPONDER_DATABASE_URL of the first database."""
        return self.url_of("postgres")

    @property
    def log(self) -> Path:
        """Log of the server."""
        return self._home / "log"

    def url_of(self, database: str) -> str:
        """The URL of a database."""
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{self._port}/{database}"

    def url_with(self, other: Postgres, database: str) -> str:
        """The URL of a database that is on whichever of the two servers takes writes."""
        hosts = f"127.0.0.1:{self._port},127.0.0.1:{other._port}"
        return f"postgresql://{USER}:{self.password}@{hosts}/{database}"

    def promote(self) -> None:
        """Make a standby the primary."""
        self.execute("SELECT pg_promote()")

    def create(self, database: str, template: str = "template0") -> str:
        """Make a database. Returns its URL."""
        self.execute(f'CREATE DATABASE "{database}" TEMPLATE "{template}"')
        return self.url_of(database)

    def drop(self, database: str) -> None:
        """Remove a database, even if it is in use."""
        self.execute(f'DROP DATABASE "{database}" WITH (FORCE)')

    def execute(self, sql: str, url: str | None = None) -> list[tuple[object, ...]]:
        """Run one statement outside a transaction, and return its rows."""
        import psycopg

        with psycopg.connect(url or self.url, autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        """Start it on the same port and data, and wait until it takes connections. Raises DidNotStart."""
        options = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        command = [str(self._programs / "postgres"), "-D", str(self._home / "data"), "-p", str(self._port), *options]
        with self.log.open("ab") as sink:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, cwd="/",
                user=self._user, group=self._user, extra_groups=[] if self._user else None, start_new_session=True,
            )  # fmt: skip
        self._await()

    def stop(self) -> None:
        """A fast shutdown: every session is ended and the data is clean."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def restart(self) -> None:
        """Stop and start: every connection breaks."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """SIGKILL the server and all its sessions at once, as when the machine loses power."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(_STOP_SECONDS)
        self._process = None

    def freeze(self) -> None:
        """SIGSTOP all of it: connections stay open without responses."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        """To the server and all its sessions, of which some may end meanwhile."""
        for pid in self._family():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def close(self) -> None:
        """Stop it and remove its data."""
        with contextlib.suppress(ProcessLookupError):
            self.thaw()
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def _family(self) -> list[int]:
        """The server and its sessions, which are process groups of their own."""
        if self._process is None:
            return []
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")
        return [pid, *(int(child) for child in (children.read_text().split() if children.exists() else []))]

    def _copy(self, primary: Postgres) -> None:
        """The data of a running server, set up to follow it."""
        self._own(self._home)
        self._run("pg_basebackup", "--write-recovery-conf", "--no-sync", "--checkpoint=fast", f"--dbname={primary.url}")

    def _own(self, *paths: Path) -> None:
        if self._user:
            owner = pwd.getpwnam(self._user)
            for path in paths:
                os.chown(path, owner.pw_uid, owner.pw_gid)

    def _run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs on the server's data. Raises DidNotStart."""
        command = [str(self._programs / program), "-D", str(self._home / "data"), *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=60, cwd="/",
            user=self._user, group=self._user, extra_groups=[] if self._user else None,
        )  # fmt: skip
        if done.returncode:
            raise DidNotStart(f"{program} failed: {done.stderr}")

    def _initialise(self) -> None:
        secret = self._home / "password"
        secret.write_text(self.password)
        self._own(self._home, secret)
        self._run(
            "initdb", "-U", USER, f"--pwfile={secret}", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C",
            "--no-sync", "--no-instructions",
        )  # fmt: skip

    def _await(self) -> None:
        import psycopg

        def failed(error: BaseException) -> bool:
            alive = self._process is not None and self._process.poll() is None
            return alive and isinstance(error, psycopg.OperationalError)

        attempts = Retrying(
            retry=retry_if_exception(failed),
            stop=stop_after_delay(_START_SECONDS),
            wait=wait_fixed(_POLL),
            reraise=True,
        )
        try:
            attempts(self.execute, "SELECT 1")
        except psycopg.OperationalError as error:
            said = self.log.read_text("utf-8", "replace")[-2000:]
            raise DidNotStart(f"PostgreSQL takes no connections ({error}). It said:\n{said}") from error


@contextlib.contextmanager
def postgres(*, follows: Postgres | None = None, **settings: str) -> Iterator[Postgres]:
    """A running PostgreSQL for the block, a standby where it ``follows`` another. Raises DidNotStart."""
    server = Postgres(follows=follows, **settings)
    try:
        server.start()
        yield server
    finally:
        server.close()
