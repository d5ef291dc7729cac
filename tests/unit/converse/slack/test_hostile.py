"""Hostile requests in the name of Slack: each is refused with a reason, counted, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient

from responder.converse.slack.payloads import BODY_BYTES, Button
from responder.model.secret import Secret
from responder.store.database import Database
from responder.web import slack
from responder.web.app import create_app
from responder.web.multiprocess import CounterFiles
from tests.conftest import HandClock
from tests.support.slack_payloads import ANN, pressed, signed, submitted
from tests.unit.converse.conftest import refused
from tests.unit.converse.slack.test_entry import Bench

FORM = "application/x-www-form-urlencoded"
HOSTILE = "<!channel> <https://evil.example.com|click> *bold* `x`\n<script>\x1b[31m"


@pytest.fixture
def bench(database: Database, clock: HandClock) -> Bench:
    """An entry point with an open incident."""
    return Bench(database, clock)


class Door:
    """The signed routes."""

    def __init__(self, client: FlaskClient, clock: HandClock) -> None:
        self._client, self._clock = client, clock

    def send(
        self, payload: bytes, *, secret: str = "s", age: float = 0, path: str = "interactions", **more: str
    ) -> Any:
        """Send a payload, signed with ``secret`` ``age`` seconds ago."""
        body = payload if path == "commands" else urlencode({"payload": payload} | more).encode()
        headers = signed(body, secret, self._clock.now() - timedelta(seconds=age))
        return self._client.post(f"/slack/{path}", data=body, headers=headers, content_type=FORM)


@pytest.fixture
def door(bench: Bench, clock: HandClock) -> Door:
    """The routes with one signing secret."""
    return Door(create_app(slack.blueprint(bench.entry, (Secret("s"),), clock)).test_client(), clock)


PRESS = pressed(Button.ACKNOWLEDGE, "INC-118")
FORGED: Mapping[str, tuple[bytes, dict[str, Any], int, str]] = {
    "forged": (PRESS, {"secret": "wrong"}, 401, "does not match"),
    "replayed": (PRESS, {"age": 301}, 401, "300 s"),
    "future": (PRESS, {"age": -301}, 401, "300 s"),
    "oversized": (PRESS, {"padding": "x" * BODY_BYTES}, 413, "larger than"),
    "malformed": (b'{"type": "block_actions", "user": 7}', {}, 400, "not a payload"),
    "nobody": (pressed(Button.ACKNOWLEDGE, "INC-118", user={}), {}, 400, "no user"),
    "forged command": (b"command=%2Fresponder&user_id=U1", {"path": "commands", "secret": "wrong"}, 401, "match"),
}


@pytest.mark.parametrize(("payload", "how", "status", "why"), FORGED.values(), ids=list(FORGED))
def test_a_request_that_is_not_of_slack_is_refused(
    door: Door, bench: Bench, counted: CounterFiles, payload: bytes, how: dict[str, Any], status: int, why: str
) -> None:
    """The status and one line say why; the action is neither stored nor acted on."""
    answer = door.send(payload, **how)
    assert (answer.status_code, why in answer.text) == (status, True)
    assert answer.text.count("\n") == 1
    assert (refused(counted), bench.stored(), bench.kept) == (1, [], 0)


GUEST = {**ANN, "team_id": "T0OTHER"}
NOT_ALLOWED: Mapping[str, tuple[bytes, str]] = {
    "foreign team": (pressed(Button.ACKNOWLEDGE, "INC-118", user=GUEST), "T0OTHER"),
    "unknown incident": (pressed(Button.ACKNOWLEDGE, "INC-999"), "no incident INC-999"),
    "resolved incident": (pressed(Button.RESOLVE, "INC-OVER"), "is resolved"),
    "hostile id": (pressed(Button.ACKNOWLEDGE, HOSTILE), "there is no incident"),
    "long id": (pressed(Button.ACKNOWLEDGE, "INC-118" + "8" * 2000), "there is no incident"),
}


@pytest.mark.parametrize(("payload", "why"), NOT_ALLOWED.values(), ids=list(NOT_ALLOWED))
def test_a_press_that_may_not_act_is_answered_to_the_person(
    door: Door, bench: Bench, counted: CounterFiles, payload: bytes, why: str
) -> None:
    """The person alone sees the reason, as plain text."""
    assert door.send(payload).status_code == 200
    [said] = bench.api.answered
    assert why in said
    assert "<" not in said
    assert (refused(counted), bench.stored(), bench.api.opened) == (1, [], [])


def test_a_dialog_of_a_foreign_person_or_incident_is_refused_in_the_dialog(door: Door, counted: CounterFiles) -> None:
    """Dialogs show the reason at their input."""
    words = {"text": {"value": "x"}}
    for payload in (submitted(Button.NOTE, "INC-118", words, user=GUEST), submitted(Button.NOTE, "INC-999", words)):
        assert door.send(payload).get_json()["response_action"] == "errors"
    assert refused(counted) == 2


def test_names_and_texts_with_markup_stay_text(door: Door, bench: Bench) -> None:
    """A person's name and note cannot mention a channel, link or format in what Slack shows."""
    person = {**ANN, "username": HOSTILE}
    door.send(submitted(Button.NOTE, "INC-118", {"text": {"value": HOSTILE}}, user=person))
    [(_, actor, _)] = bench.stored()
    form = urlencode({"command": "/responder", "text": "INC-118", "user_id": "U0ANN", "team_id": "T0BUTTER"}).encode()
    shown = json.dumps(door.send(form, path="commands").get_json())
    assert actor
    assert "<!channel>" not in shown
    assert "<https" not in shown
    assert "\\u001b" not in shown
