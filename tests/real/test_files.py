"""`responder serve` whose SQLite files are deleted or replaced under it."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from responder.standins.stage import Stage
from tests.real.conftest import example, until
from tests.real.test_sigkill import rows

pytestmark = pytest.mark.real
BODIES = "SELECT body FROM payloads"


def readiness(stage: Stage) -> tuple[int, str]:
    """Status and text of /readyz; status 0 if nothing answers."""
    try:
        with urllib.request.urlopen(f"{stage.url}/readyz", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:  # the worker ended
        return 0, ""


def beside(stage: Stage, suffix: str) -> Path:
    """One of the database's files."""
    return stage.database.with_name(f"{stage.database.name}{suffix}")


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
def test_no_accepted_notification_is_lost_with_a_deleted_log(stage: Stage, suffix: str) -> None:
    """Two workers notice it within a second, log it, and go on by themselves with everything they had accepted."""
    accepted: list[int] = []
    going = threading.Event()

    def send() -> None:
        number = 0
        while not going.is_set():
            number += 1
            body = example("service-down").replace(b'"groupKey":"', b'"groupKey":"%d' % number)
            if stage.post(body).status == 202:
                accepted.append(number)

    with stage.serve(workers="2") as program:
        sender = threading.Thread(target=send)
        sender.start()
        until(lambda: len(accepted) > 20)
        beside(stage, suffix).unlink()
        until(lambda: f"responder.db{suffix} was deleted while it was in use" in program.log.read_text(), 2)
        before = len(accepted)
        until(lambda: len(accepted) > before + 20)
        going.set()
        sender.join()
        assert readiness(stage)[0] == 200
        program.kill()
    stored = [int(body.partition(b'"groupKey":"')[2].partition(b"{")[0]) for (body,) in rows(stage.database, BODIES)]
    assert set(accepted) <= set(stored)
    assert rows(stage.database, "PRAGMA integrity_check") == [("ok",)]


def test_a_database_that_is_moved_away_is_a_503_within_a_second(stage: Stage) -> None:
    """Nothing is accepted that would be lost, /readyz names the file, and all goes on once it is back."""
    with stage.serve(workers="2") as program:
        assert stage.post(example("service-down")).status == 202
        aside = stage.database.with_name("aside")
        stage.database.rename(aside)
        time.sleep(1)
        for _ in range(5):
            assert stage.post(example("service-down")).status == 503
        status, reason = readiness(stage)
        assert (status, "responder.db" in reason) == (503, True)
        assert not stage.database.exists()
        assert "responder.db was deleted while it was in use" in program.log.read_text()
        aside.rename(stage.database)
        until(lambda: stage.post(example("service-down")).status == 202, 3)
        assert readiness(stage)[0] == 200
    assert rows(stage.database, "SELECT count(*) FROM notifications") == [(2,)]
