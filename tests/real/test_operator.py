"""Dead letters are handled while `serve` runs, by the commands of an operator."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from responder.standins import butterfly
from responder.standins.server import status
from responder.standins.stage import Stage
from tests.real.conftest import example, until
from tests.real.test_sigkill import rows

pytestmark = pytest.mark.real


def type_in(stage: Stage, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command line on the same settings as `serve`."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("RESPONDER_")}
    return subprocess.run(
        [sys.executable, "-m", "responder", *arguments],
        env=env | dict(stage.settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_refused_page_is_found_understood_and_sent_again(stage: Stage) -> None:
    """PagerDuty rejected the key; once it is fixed one command pages, once, and a replay sends nothing twice."""
    stage.butterfly.set("plato", butterfly.down())
    stage.pagerduty.faults.extend([status(400, b'{"status": "invalid event", "message": "Invalid routing key"}')] * 2)
    with stage.serve():
        assert stage.post(example("service-down")).status == 202
        until(lambda: rows(stage.database, "SELECT id FROM messages WHERE state = 'dead'"), 40)
        ((number,),) = rows(stage.database, "SELECT id FROM messages WHERE state = 'dead'")
        listed = type_in(stage, "messages", "list", "--state", "dead")
        assert "Invalid routing key" in listed.stdout
        shown = type_in(stage, "messages", "show", str(number))
        assert '"routing_key": "***"' in shown.stdout
        assert stage.settings["RESPONDER_PAGERDUTY_ROUTING_KEY"] not in shown.stdout
        assert stage.pagerduty.events == []
        done = type_in(stage, "messages", "resend", "--all-dead")
        assert done.returncode == 0, done.stderr
        until(stage.pagerduty.open, 20)
        replayed = type_in(stage, "replay", "1")
        assert replayed.returncode == 0, replayed.stderr
        assert "Sends       nothing: no change since the last message" in replayed.stdout
        assert "repeated: " in replayed.stdout
        until(lambda: rows(stage.database, "SELECT count(*) FROM notifications WHERE state = 'decided'") == [(2,)], 20)
    assert len(stage.pagerduty.events) == 1
    assert rows(stage.database, "SELECT count(*) FROM incidents") == [(1,)]
