"""SIGKILL around the press of a button: what was answered is kept, and nothing is done twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from responder.standins import butterfly
from responder.standins.processes import Program
from responder.standins.server import hang
from responder.standins.slack_socket import Answer
from responder.standins.stage import Stage
from tests.real.conftest import example, until
from tests.real.test_conversation import buttons, elements
from tests.real.test_sigkill import all_is_told, rows

pytestmark = pytest.mark.real


def ways(stage: Stage) -> dict[str, dict[str, str]]:
    """The settings for each way that presses take."""
    signing = {"slack_signing_secret": stage.slack.people.signing_secret}
    return {"http": signing, "socket": {"slack_app_token": stage.slack.app_token}}


@pytest.fixture(params=["http", "socket"])
def way(stage: Stage, request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings of one way."""
    return ways(stage)[request.param]


@pytest.fixture
def paged(stage: Stage, way: dict[str, str]) -> Iterator[Program]:
    """A `serve` that has paged an incident and takes presses."""
    stage.butterfly.set("plato", butterfly.down())
    with stage.serve(**way) as program:
        assert stage.post(example("service-down")).status == 202
        until(lambda: stage.pagerduty.open() and stage.slack.messages and buttons(stage.slack.messages[0]), 60)
        until(lambda: all_is_told(stage))  # or the next process posts the page again
        connected(stage, way)
        yield program


def actions(stage: Stage) -> list[tuple[str, str]]:
    """Kind and state of the stored actions."""
    return rows(stage.database, "SELECT kind, state FROM actions ORDER BY id")


def acknowledged_once(stage: Stage) -> None:
    """PagerDuty and Slack agree that the incident is acknowledged, by one action that was applied."""
    page = stage.slack.messages[0]
    until(lambda: stage.pagerduty.open()[0].state == "acknowledged", 60)
    until(lambda: "Acknowledge" not in buttons(page), 60)
    assert [state for kind, state in actions(stage) if (kind, state) == ("acknowledge", "applied")] == ["applied"]
    assert len([each for each in stage.pagerduty.incidents[0].log if each.action == "acknowledge"]) == 1
    assert len(stage.pagerduty.incidents) == 1


@pytest.mark.parametrize("delay", [0.0, 0.02])
def test_between_press_and_answer(stage: Stage, way: dict[str, str], paged: Program, delay: float) -> None:
    """A press that was answered is kept; one that was not can be repeated. Either way it counts once."""
    button = elements(stage.slack.messages[0])["Acknowledge"]
    answers: list[Answer] = []
    pressing = threading.Thread(target=lambda: answers.append(stage.slack.people.press(button)))
    pressing.start()
    threading.Event().wait(delay)
    paged.kill()
    pressing.join()
    assert len(actions(stage)) <= 1
    assert actions(stage) or not answers[0].ok, "an answered press is stored"
    with stage.serve(**way):
        connected(stage, way)
        assert stage.slack.people.press(button).ok
        acknowledged_once(stage)


def test_between_action_and_echo(stage: Stage, way: dict[str, str], paged: Program) -> None:
    """An action that was applied reaches PagerDuty and Slack after a restart, if the process dies while it sends."""
    button = elements(stage.slack.messages[0])["Acknowledge"]
    stage.pagerduty.manner = lambda _call: hang(30)
    stage.slack.manner = lambda call: hang(30) if "chat." in call.path else hang(0)
    assert stage.slack.people.press(button).ok
    until(lambda: actions(stage) == [("acknowledge", "applied")], 20)
    paged.kill()
    assert stage.pagerduty.open()[0].state == "triggered"
    stage.pagerduty.manner = stage.slack.manner = lambda _call: hang(0)
    with stage.serve(**way):
        acknowledged_once(stage)


def connected(stage: Stage, way: dict[str, str]) -> None:
    """Wait for the connection, where presses need one."""
    if "slack_app_token" in way:
        until(lambda: stage.slack.sockets.connections == 1, 20)
