"""A start before PostgreSQL is there, as after a power cut: it waits, says so, and then takes webhooks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from responder.standins.stage import Stage
from tests.real.conftest import example, until
from tests.support.postgres import Postgres, postgres

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def own(server: Postgres) -> Iterator[Postgres]:  # noqa: ARG001 - it says whether PostgreSQL is installed
    """A server that is down before each test."""
    with postgres(fsync="off") as running:
        yield running


@contextmanager
def serving(stage: Stage, url: str, *arguments: str, workers: str = "1") -> Iterator[subprocess.Popen[bytes]]:
    """`serve` with a log, ready or not."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("RESPONDER_")}
    env |= {**stage.settings, "RESPONDER_DATABASE_URL": url, "RESPONDER_WORKERS": workers}
    with (stage.folder / "serve.log").open("wb") as log:
        command = [sys.executable, "-m", "responder", "serve", *arguments]
        process = subprocess.Popen(command, env=env, cwd=stage.folder, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def status(url: str) -> int:
    """Status of a GET, 0 if there is no response."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0


def test_a_start_waits_for_the_database(stage: Stage, own: Postgres) -> None:
    """Webhooks get 503 until PostgreSQL is up, then one worker makes the tables and both accept."""
    own.stop()
    with serving(stage, own.url, workers="2") as process:
        until(lambda: status(f"{stage.url}/healthz") == 200)
        answer = stage.post(example("service-down"))
        assert answer.status == 503
        assert "retry: database: " in answer.text
        assert "refused" in answer.text
        assert status(f"{stage.url}/readyz") == 503
        own.start()
        until(lambda: stage.post(example("service-down")).status == 202)
        assert process.poll() is None
        assert status(f"{stage.url}/readyz") == 200
    log = (stage.folder / "serve.log").read_text()
    assert '"event": "serve.waiting"' in log
    assert own.password not in log


def test_it_stops_while_it_waits(stage: Stage, own: Postgres) -> None:
    """SIGTERM ends a waiting start at once, as a clean stop, also for the first process of a container."""
    own.stop()
    with serving(stage, own.url) as process:
        until(lambda: status(f"{stage.url}/healthz") == 200)
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
    own.start()


def test_a_check_does_not_wait(stage: Stage, own: Postgres) -> None:
    """`serve --check` says at once that the database is away, with status 1."""
    own.stop()
    with serving(stage, own.url, "--check") as process:
        assert process.wait(20) == 1
    assert "error: database: " in (stage.folder / "serve.log").read_text()
    own.start()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda own: own.url.replace(own.password, "wrong"), "password authentication failed for user"),
        (lambda own: own.url.replace("responder:", "nobody:"), "password authentication failed for user"),
        (lambda own: own.url.replace(f":{own.password}", ""), "no password supplied"),
        (lambda own: own.url.replace("responder:", "shut:"), "is not permitted to log in"),
        (lambda own: own.url_of("nosuch"), "does not exist"),
    ],
    ids=["password", "user", "no password", "user without LOGIN", "database"],
)
def test_what_the_server_refuses_is_logged_in_its_words(
    stage: Stage, own: Postgres, spoil: Callable[[Postgres], str], words: str
) -> None:
    """A wrong user, password or database name is in the log at once, with what to check, while the start waits."""
    own.restart()
    own.execute("DROP ROLE IF EXISTS shut")
    own.execute(f"CREATE ROLE shut NOLOGIN PASSWORD '{own.password}'")
    with serving(stage, spoil(own)) as process:
        until(lambda: stage.post(example("service-down")).status == 503)
        assert process.poll() is None
    first = next(line for line in (stage.folder / "serve.log").read_text().splitlines() if "serve.waiting" in line)
    assert words in first
    assert "RESPONDER_DATABASE_URL" in first
    assert own.password not in first


def test_a_newer_schema_is_named(stage: Stage, own: Postgres) -> None:
    """A database that comes up with the schema of a newer version takes no webhook; the answer says why."""
    own.restart()
    url = own.create("newer")
    own.execute("CREATE TABLE alembic_version AS SELECT '9999' AS version_num", url)
    own.stop()
    with serving(stage, url):
        until(lambda: status(f"{stage.url}/healthz") == 200)
        own.start()
        until(lambda: "has schema 9999, which this version does not know" in stage.post(example("service-down")).text)
        assert status(f"{stage.url}/readyz") == 503
