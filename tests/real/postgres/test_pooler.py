"""Conditions recognised after connecting to PostgreSQL: poolers, missing rights, another isolation level."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from responder.bootstrap import SystemClock
from responder.cli.doctor.own import database as examine
from responder.model.check import Level
from responder.model.secret import Secret
from responder.settings import Settings
from responder.standins.processes import free_port
from responder.standins.stage import Stage
from responder.store.database import Database, StoreError
from responder.store.inbox.inbox import Inbox
from responder.store.schema.migrate import migrate, refuse_unusable
from tests.real.conftest import until
from tests.real.postgres.test_start import serving
from tests.support.builders import NOW
from tests.support.pooler import pooler
from tests.support.postgres import USER, Postgres
from tests.unit.cli.test_doctor_own import a_patient

pytestmark = pytest.mark.real


def through(url: str, port: int) -> str:
    """The URL of a database through a pooler."""
    head, _, tail = url.rpartition(":")
    return f"{head}:{port}/{tail.partition('/')[2]}"


def port_of(url: str) -> int:
    """The port in a URL."""
    return int(url.rpartition(":")[2].partition("/")[0])


@contextlib.contextmanager
def pgbouncer(folder: Path, url: str, mode: str, more: str = "") -> Iterator[int]:
    """Run the real PgBouncer, if it is installed. Yields its port."""
    if shutil.which("pgbouncer") is None:
        pytest.skip("apt install pgbouncer")
    port, password = free_port(), url.partition("://")[2].partition("@")[0].partition(":")[2]
    users, settings = folder / "users", folder / "pgbouncer.ini"
    users.write_text(f'"{USER}" "{password}"\n')
    settings.write_text(
        f"[databases]\n* = host=127.0.0.1 port={port_of(url)}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
        f"listen_port = {port}\nunix_socket_dir =\nauth_type = plain\nauth_file = {users}\npool_mode = {mode}\n"
        f"default_pool_size = 3\n{more}\n"
    )
    for path in (users, settings):
        path.chmod(0o644)
    for path in (folder, *folder.parents):
        if path.owner() == "root" and str(path).startswith("/tmp/"):
            path.chmod(0o755)
    command = ["pgbouncer", "-q", "-u", "postgres", str(settings)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        until(lambda: not refused(port))
        yield port
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(10)


def refused(port: int) -> bool:
    """Return True if nothing listens on a port."""
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def refusal(url: str) -> str:
    """Return why a database cannot be used, empty if it can."""
    database = Database(url)
    try:
        refuse_unusable(database)
    except StoreError as error:
        return str(error)
    finally:
        database.close()
    return ""


def test_a_direct_connection_is_accepted(database_url: str) -> None:
    """Without a pooler nothing is refused, and doctor says nothing about one."""
    assert refusal(database_url) == ""
    found = examine(a_patient(Settings(database_url=Secret(database_url)), SystemClock()))
    assert {each.level for each in found} == {Level.OK}


@pytest.mark.parametrize("real", [False, True], ids=["fake", "PgBouncer"])
def test_a_pooler_in_transaction_mode_is_refused(database_url: str, tmp_path: Path, real: bool) -> None:
    """A pooler that would lose locks and LISTEN is refused in one sentence, by the start and by doctor."""
    options = "ignore_startup_parameters = options, extra_float_digits"
    running = (
        pgbouncer(tmp_path, database_url, "transaction", options)
        if real
        else pooler(port_of(database_url), mode="transaction")
    )
    with running as port:
        url = through(database_url, port)
        assert refusal(url).startswith("the database URL leads to a pooler in transaction mode (PgBouncer?)")
        [found] = examine(a_patient(Settings(database_url=Secret(url)), SystemClock()))
        assert (found.level, "pool_mode = session" in found.what) == (Level.BAD, True)


@pytest.mark.parametrize("real", [False, True], ids=["fake", "PgBouncer"])
def test_a_pooler_that_refuses_our_parameters_is_recognised(database_url: str, tmp_path: Path, real: bool) -> None:
    """PgBouncer as it is installed is named with both settings that it needs."""
    running = (
        pgbouncer(tmp_path, database_url, "session")
        if real
        else pooler(port_of(database_url), mode="session", accepts_options=False)
    )
    with running as port:
        said = refusal(through(database_url, port))
        assert said.startswith("the database URL leads to PgBouncer, which refuses the startup parameter 'options'")
        assert "ignore_startup_parameters = options" in said


def test_a_statement_pooler_is_refused(database_url: str, tmp_path: Path) -> None:
    """A pooler that allows no transactions is refused, too."""
    options = "ignore_startup_parameters = options, extra_float_digits"
    with pgbouncer(tmp_path, database_url, "statement", options) as port:
        assert "a pooler in transaction mode" in refusal(through(database_url, port))


@pytest.mark.parametrize("real", [False, True], ids=["fake", "PgBouncer"])
def test_a_session_pooler_that_is_too_small_is_reported(database_url: str, tmp_path: Path, real: bool) -> None:
    """A pooler in session mode works; doctor compares its room with what the workers keep."""
    options = "ignore_startup_parameters = options, extra_float_digits"
    running = (
        pgbouncer(tmp_path, database_url, "session", options)
        if real
        else pooler(port_of(database_url), mode="session", size=3)
    )
    with running as port:
        url = through(database_url, port)
        assert refusal(url) == ""
        found = examine(a_patient(Settings(database_url=Secret(url), workers=2), SystemClock()))
        assert [each.level for each in found] == [Level.OK, Level.WARN]
        assert "the pooler gives 3 connections now, and 2 workers keep up to 22" in found[1].what


def test_serve_ends_for_a_pooler_in_transaction_mode(stage: Stage, database_url: str) -> None:
    """The start does not wait for what will not change by itself."""
    with pooler(port_of(database_url), mode="transaction") as port:
        with serving(stage, through(database_url, port)) as process:
            assert process.wait(20) == 1
        assert (
            "error: the database URL leads to a pooler in transaction mode" in (stage.folder / "serve.log").read_text()
        )


@pytest.mark.parametrize("spoil", ["schema", "table"])
def test_missing_rights_end_the_start_in_one_sentence(
    stage: Stage, server: Postgres, database_url: str, spoil: str
) -> None:
    """A role that may not create tables, or not write to them, is named at the start, and not at the first alert."""
    role = f"limited_{spoil}"
    server.execute(f"DROP ROLE IF EXISTS {role}")
    server.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{server.password}'")
    url = server.create("limited") if spoil == "schema" else database_url
    if spoil == "table":
        server.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}", url)
    with serving(stage, url.replace(f"{USER}:", f"{role}:")) as process:
        assert process.wait(20) == 1
    last = (stage.folder / "serve.log").read_text().splitlines()[-1]
    assert last.startswith("error: database: ")
    assert "has to own responder's tables" in last
    assert server.password not in last
    if spoil == "table":
        server.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}", url)
    else:
        server.drop("limited")
    server.execute(f"DROP ROLE {role}")


def test_transactions_are_read_committed_whatever_the_default(server: Postgres, database_url: str) -> None:
    """A stricter default of the database makes no transaction fail."""
    name = database_url.rpartition("/")[2]
    server.execute(f"ALTER DATABASE \"{name}\" SET default_transaction_isolation = 'serializable'")
    database = Database(database_url)
    migrate(database)
    assert Inbox(database).keep(b"{}", "", NOW)
    with database.read() as connection:
        connection.execute(text("SELECT 1"))
    for _ in range(2):  # the second time on a connection that was given back
        with database.write() as connection:
            assert connection.scalar(text("SHOW transaction_isolation")) == "read committed"
        with database.alone("triage") as lock:
            assert lock is not None
            with lock.transaction() as connection:
                assert connection.scalar(text("SHOW transaction_isolation")) == "read committed"
    database.close()
