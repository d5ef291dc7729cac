"""`responder doctor` against a real Prometheus and Alertmanager, and what it says of each thing that is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping

import pytest

from responder.standins.monitoring import alertmanager, alertmanager_config, prometheus, prometheus_config
from responder.standins.stage import Stage
from tests.real.conftest import need

pytestmark = pytest.mark.real

Rows = dict[str, list[tuple[str, str]]]


def examine(stage: Stage, *arguments: str, **changes: str) -> tuple[int, Rows, str]:
    """Exit status, level and finding of each check, and all that was printed."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("RESPONDER_")}
    env |= {**stage.settings, **{f"RESPONDER_{name.upper()}": value for name, value in changes.items()}}
    command = [sys.executable, "-m", "responder", "doctor", "--output", "json", *arguments]
    done = subprocess.run(command, env=env, cwd=stage.folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout, done.stderr
    found: Rows = {}
    for row in json.loads(done.stdout):
        found.setdefault(row["about"], []).append((row["level"], row["what"]))
    return done.returncode, found, done.stdout + done.stderr


@pytest.fixture
def around(stage: Stage) -> Iterator[Mapping[str, str]]:
    """Settings with a real Prometheus and an Alertmanager that sends to this stage."""
    need("prometheus", "prometheus-alertmanager")
    config = alertmanager_config(stage.webhook_url, stage.token)
    with alertmanager(stage.folder, config) as receiver:
        scrape = prometheus_config(stage.butterfly.scrape_targets, [receiver.url])
        with prometheus(stage.folder, scrape, '{"groups": []}') as server:
            yield {"prometheus_url": server.url, "alertmanager_url": receiver.url}


def test_real_servers_are_found_well_and_a_test_page_arrives(stage: Stage, around: Mapping[str, str]) -> None:
    """With everything in place each channel takes a page and its end, and the routes are understood."""
    _, found, said = examine(stage, "--send", **around)
    assert found["send"] == [
        ("ok", "pagerduty accepted a test page and its resolve"),
        ("ok", "slack accepted a test page and its resolve"),
    ]
    assert [event.body["event_action"] for event in stage.pagerduty.events] == ["trigger", "resolve"]
    assert stage.pagerduty.open() == []
    assert any("test by responder doctor" in message.text for message in stage.slack.messages)
    assert found["prometheus"][0][0] == "ok"
    assert "version 2" in found["prometheus"][0][1]
    assert found["alertmanager"][0] == ("ok", found["alertmanager"][0][1])
    assert {level for level, _ in found["alertmanager"][1:]} <= {"ok", "warn"}
    assert {level for level, _ in found["clock"]} == {"ok"}
    assert found["slack"][0][0] == "ok"
    for name in ("PAGERDUTY_ROUTING_KEY", "SLACK_BOT_TOKEN", "WEBHOOK_TOKEN"):
        assert stage.settings[f"RESPONDER_{name}"] not in said


def test_an_alertmanager_that_does_not_know_us_is_bad(stage: Stage) -> None:
    """The commonest mistake, a receiver that points elsewhere, is found before the first alert."""
    need("prometheus-alertmanager")
    with alertmanager(stage.folder, alertmanager_config(f"{stage.url}/elsewhere", "x")) as receiver:
        status, found, _ = examine(stage, alertmanager_url=receiver.url)
    assert status == 1
    assert found["alertmanager"][1][0] == "bad"
    assert "no receiver sends to /webhook/alertmanager" in found["alertmanager"][1][1]


def test_what_does_not_answer_is_bad_and_nothing_is_sent(stage: Stage) -> None:
    """A first look sends nothing, changes nothing, and names what cannot be reached."""
    status, found, _ = examine(
        stage, "--timeout", "5", prometheus_url="http://127.0.0.1:1", slack_bot_token="", workers="1"
    )
    assert status == 1
    assert found["prometheus"][0][0] == "bad"
    assert found["slack"][0][0] == "warn"
    assert found["send"][0][0] == "skipped"
    assert found["pagerduty"][0][0] == "ok"
    assert (stage.pagerduty.events, stage.slack.messages) == ([], [])
    assert not stage.database.exists()


def test_the_database_of_a_running_service_is_looked_at(stage: Stage) -> None:
    """Its version and schema are fine while the service uses it."""
    with stage.serve():
        _, found, _ = examine(stage)
    assert [level for level, _ in found["database"]] == ["ok"]
    assert "writable" in found["database"][0][1]
