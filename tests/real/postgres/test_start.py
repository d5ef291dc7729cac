"""A start before PostgreSQL is there, as after a power cut: it waits, says so, and then takes webhooks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from responder.bootstrap import refusal
from responder.cli.await_store import await_store
from responder.cli.fail import Fatal
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
    ("spoil", "advice"),
    [
        (lambda own: own.url.replace(own.password, "wrong"), "write the right user and password in "),
        (lambda own: own.url.replace("responder:", "nobody:"), "write the right user and password in "),
        (lambda own: own.url.replace(f":{own.password}", ""), "write the right user and password in "),
        (lambda own: own.url.replace("responder:", "shut:"), "write a user that may log in here in "),
        (lambda own: own.url_of("nosuch"), "write the name of a database that is there in "),
    ],
    ids=["password", "user", "no password", "user without LOGIN", "database"],
)
def test_what_waiting_does_not_mend_ends_the_start(
    stage: Stage, own: Postgres, spoil: Callable[[Postgres], str], advice: str
) -> None:
    """Whoever mistyped the database's user, password or name reads at once what to change, instead of waiting."""
    own.restart()
    own.execute("DROP ROLE IF EXISTS shut")
    own.execute(f"CREATE ROLE shut NOLOGIN PASSWORD '{own.password}'")
    with serving(stage, spoil(own)) as process:
        assert process.wait(20) == 1
    log = (stage.folder / "serve.log").read_text()
    assert "error: database: " in log
    assert f": {advice}RESPONDER_DATABASE_URL" in log
    assert "serve.waiting" not in log
    assert own.password not in log


def test_a_server_that_comes_back_may_refuse_us(own: Postgres, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A wrong password that shows only once the server is back ends the wait, and names the file that holds it."""
    own.stop()
    file = tmp_path / "database-url"
    monkeypatch.setenv("RESPONDER_DATABASE_URL_FILE", str(file))
    settings = settings_of(own.url.replace(own.password, "wrong"))
    threading.Timer(1.0, own.start).start()
    with pytest.raises(Fatal, match=f"password in the file {file}"):
        await_store(settings, "database: away", 60)


def test_a_server_that_is_busy_or_away_may_let_us_in(own: Postgres) -> None:
    """No free connection, a server that starts, and a second host that is away are waited for: they pass."""
    own.restart()
    own.execute("DROP ROLE IF EXISTS few")
    own.execute(f"CREATE ROLE few LOGIN CONNECTION LIMIT 0 PASSWORD '{own.password}'")
    assert refusal(settings_of(own.url.replace("responder:", "few:"))) == ""
    wrong = own.url.replace(own.password, "wrong")
    assert refusal(settings_of(wrong)) == "28P01"
    host = wrong.partition("@")[2].partition("/")[0]
    assert refusal(settings_of(wrong.replace(host, f"{host},127.0.0.1:{free_port()}"))) == ""
    assert refusal(settings_of(wrong.replace(host, f"{host},{host}"))) == "28P01"
    own.freeze()
    assert refusal(settings_of(wrong)) == ""
    own.thaw()
    own.stop()
    assert refusal(settings_of(wrong)) == ""


def settings_of(url: str) -> Settings:
    """The settings with this database."""
    return read({"RESPONDER_DATABASE_URL": url, "RESPONDER_LISTEN": f"127.0.0.1:{free_port()}"})


def test_the_wait_has_an_end() -> None:
    """A database that never comes ends the start with the reason: whoever supervises us sees that we do not run."""
    url = f"postgresql://responder:s3cret@127.0.0.1:{free_port()}/responder"
    settings = settings_of(url)
    with pytest.raises(Away, match=r"refused.*waited for 0\.2 s"):
        await_store(settings, "database: away", 0.2)
