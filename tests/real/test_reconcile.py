"""Open incidents beside the list of a real Alertmanager: what it hides, what it forgot, and what it lost."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest

from responder.standins.monitoring import alertmanager, alertmanager_config
from responder.standins.processes import Program, free_port
from responder.standins.stage import Stage
from tests.real.conftest import need, until
from tests.real.test_sigkill import rows

pytestmark = pytest.mark.real

GRACE = 4
LABELS = {"alertname": "ServiceDown", "service": "plato", "severity": "critical", "instance": "a:8080"}


@pytest.fixture(autouse=True)
def the_servers() -> None:
    """Skip without the real program."""
    need("prometheus-alertmanager", "amtool")


def fires(server: Program, began: datetime, seconds: float = 600, **labels: str) -> None:
    """Post an alert to an Alertmanager that resolves in so many seconds unless posted again, as Prometheus does."""
    alert = {
        "labels": {**LABELS, **labels},
        "startsAt": began.isoformat(),
        "endsAt": (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(),
    }
    request = urllib.request.Request(
        f"{server.url}/api/v2/alerts", json.dumps([alert]).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=5) as response:
        assert response.status == 200


def silence(server: Program) -> None:
    """Hide plato's alerts for two hours, as a person does."""
    command = ["amtool", "silence", "add", f"--alertmanager.url={server.url}", "--author=alice"]
    subprocess.run([*command, "--comment=deploying 1.8.2", "--duration=2h", "service=plato"], check=True, timeout=20)


def thread(stage: Stage) -> str:
    """The texts in Slack."""
    return "\n".join(line for message in stage.slack.messages for line in message.lines)


def test_a_silenced_alert_is_told_and_ends_without_a_resolve(stage: Stage) -> None:
    """Author and expiry of a silence are announced once; the resolve, never sent by Alertmanager, is detected."""
    config = alertmanager_config(stage.webhook_url, stage.token)
    began = datetime.now(UTC)
    with (
        alertmanager(stage.folder, config) as server,
        stage.serve(alertmanager_url=server.url, reconcile_every="1", reconcile_grace=str(GRACE), group_interval="1"),
    ):
        fires(server, began)
        until(stage.pagerduty.open)
        silence(server)
        until(lambda: "silenced by alice until 2" in thread(stage))
        assert "deploying 1.8.2" in thread(stage)
        time.sleep(GRACE + 2)
        assert len(stage.pagerduty.open()) == 1
        assert len([each for each in stage.slack.messages if "silenced by alice" in each.text and each.thread_ts]) == 1
        fires(server, began, seconds=-0.1)
        until(lambda: not stage.pagerduty.open(), GRACE + 20)
        until(lambda: "no resolve was received" in thread(stage))
        assert rows(stage.database, "SELECT state, count(*) FROM notifications GROUP BY state") == [("decided", 1)]
    assert [event.action for event in stage.pagerduty.events] == ["trigger", "resolve"]


def test_an_alertmanager_that_is_down_or_comes_back_empty_ends_nothing(stage: Stage) -> None:
    """While it does not answer, and while it does not know its alerts again, the incident stays open."""
    config = alertmanager_config(stage.webhook_url, stage.token)
    began, port = datetime.now(UTC), free_port()
    settings = {"reconcile_every": "1", "reconcile_grace": str(GRACE), "group_interval": "1"}
    with stage.serve(alertmanager_url=f"http://127.0.0.1:{port}", **settings) as program:
        with alertmanager(stage.folder, config, port=port, name="first") as server:
            fires(server, began)
            until(stage.pagerduty.open)
        until(lambda: "alertmanager.asked" in program.log.read_text())
        time.sleep(GRACE + 2)
        assert len(stage.pagerduty.open()) == 1
        with alertmanager(stage.folder, config, port=port, name="second") as server:
            time.sleep(GRACE - 2)
            fires(server, began)
            time.sleep(GRACE + 2)
    assert [event.action for event in stage.pagerduty.events] == ["trigger"]
    assert rows(stage.database, "SELECT open, count(*) FROM incidents") == [(1, 1)]
