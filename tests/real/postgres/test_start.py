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

from responder.cli.await_store import await_store
from responder.settings import Settings, read
from responder.standins.processes import free_port
from responder.standins.stage import Stage
from responder.store.failures import Away
from tests.real.conftest import example, until
from tests.support.postgres import Postgres, postgres

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def own(server: Postgres) -> Iterator[Postgres]:  # noqa: ARG001 - it says whether PostgreSQL is installed
    """A server that is down before each test."""
    with postgres(fsync="off") as running:
        yield running


@contextmanager
def serving(stage: Stage, url: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """`serve` with a log, ready or not."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("RESPONDER_")}
    env |= {**stage.settings, "RESPONDER_DATABASE_URL": url}
    with (stage.folder / "serve.log").open("wb") as log:
        command = [sys.executable, "-m", "responder", "serve", *arguments]
        process = subprocess.Popen(command, env=env, cwd=stage.folder, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def status(url: str) -> int:
    """Of a GET, 0 where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0


def test_a_start_waits_for_the_database(stage: Stage, own: Postgres) -> None:
    """Webhooks hear 503 until PostgreSQL is back, and are kept from then on: nobody has to start us again."""
    own.stop()
    with serving(stage, own.url) as process:
        until(lambda: status(f"{stage.url}/healthz") == 200)
        answer = stage.post(example("service-down"))
        assert answer.status == 503
        assert "send it again: database: " in answer.text
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
    """SIGTERM ends a start that waits at once, as a clean stop, also where we are the first process of a container."""
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


def settings_of(url: str) -> Settings:
    """The settings with this database."""
    return read({"RESPONDER_DATABASE_URL": url, "RESPONDER_LISTEN": f"127.0.0.1:{free_port()}"})


def test_the_wait_has_an_end() -> None:
    """A database that never comes ends the start with the reason: whoever supervises us sees that we do not run."""
    url = f"postgresql://responder:s3cret@127.0.0.1:{free_port()}/responder"
    settings = settings_of(url)
    with pytest.raises(Away, match=r"refused.*waited for 0\.2 s"):
        await_store(settings, "database: away", 0.2)
