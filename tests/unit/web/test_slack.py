"""The signed HTTP routes of Slack."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient

from responder.converse.slack.payloads import BODY_BYTES, Button
from responder.model.secret import Secret
from responder.store.database import Database
from responder.web import slack
from responder.web.app import create_app
from tests.conftest import HandClock
from tests.support.slack_payloads import pressed, signed
from tests.unit.converse.slack.test_entry import Bench

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def bench(database: Database, clock: HandClock) -> Bench:
    """An entry point with an open incident."""
    return Bench(database, clock)


@pytest.fixture
def client(bench: Bench, clock: HandClock) -> FlaskClient:
    """The routes, with one signing secret."""
    return create_app(slack.blueprint(bench.entry, (Secret("s"),), clock)).test_client()


def body(incident: str = "INC-118") -> bytes:
    """A press as a form."""
    return urlencode({"payload": pressed(Button.ACKNOWLEDGE, incident)}).encode()


def test_a_signed_press_is_stored_and_answered(client: FlaskClient, bench: Bench, clock: HandClock) -> None:
    """Slack gets an empty 200, after the commit."""
    answer = client.post(
        "/slack/interactions", data=body(), headers=signed(body(), "s", clock.now()), content_type=FORM
    )
    assert (answer.status_code, answer.data) == (200, b"")
    assert bench.stored() == [("acknowledge", "ann", "")]


def test_a_press_without_a_valid_signature_is_refused(client: FlaskClient, bench: Bench, clock: HandClock) -> None:
    """A forged request changes nothing and learns nothing about incidents."""
    for headers in ({}, signed(body(), "wrong", clock.now()), signed(body("INC-1"), "s", clock.now())):
        assert client.post("/slack/interactions", data=body(), headers=headers, content_type=FORM).status_code == 401
    assert bench.stored() == []


def test_a_large_body_is_refused_before_it_is_read(client: FlaskClient, clock: HandClock) -> None:
    """Slack's payloads are small: more is not read into memory."""
    large = b"payload=" + b"x" * BODY_BYTES
    answer = client.post("/slack/interactions", data=large, headers=signed(large, "s", clock.now()), content_type=FORM)
    assert answer.status_code == 413


def test_a_command_is_answered_with_what_is_open(client: FlaskClient, clock: HandClock) -> None:
    """``/responder`` without words lists the open incidents to the person alone."""
    form = urlencode({"command": "/responder", "text": "", "user_id": "U0ANN", "team_id": "T0BUTTER"}).encode()
    answer = client.post("/slack/commands", data=form, headers=signed(form, "s", clock.now()), content_type=FORM)
    assert answer.get_json()["response_type"] == "ephemeral"
    assert "1 open incident" in answer.get_json()["text"]
