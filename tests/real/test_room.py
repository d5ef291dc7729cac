"""An incident gets a Slack channel of its own while `serve` runs, and a person archives it by a button."""

from __future__ import annotations

import pytest

from responder.converse.slack.payloads import Button
from responder.standins import butterfly
from responder.standins.stage import Stage
from tests.real.conftest import ROOT, example, until
from tests.real.test_conversation import act, buttons
from tests.real.test_operator import type_in
from tests.support import slack_payloads

pytestmark = pytest.mark.real


def test_created_filled_and_archived(stage: Stage) -> None:
    """Name, people, topic and page in this order; after the resolve the button archives it."""
    stage.butterfly.set("plato", butterfly.down())
    settings = {"slack_signing_secret": "slack-signs", "slack_room_people": "U0ANN,U0BOB"}
    with stage.serve(rules=str(ROOT / "rules"), **settings):
        assert stage.post(example("service-down")).status == 202
        until(lambda: stage.slack.rooms and next(iter(stage.slack.rooms.values()))["topic"], 30)
        [room] = stage.slack.rooms.values()
        assert room["name"].startswith("incident-2")
        assert (room["name"].endswith("-plato"), room["users"]) == (True, "U0ANN,U0BOB")
        until(lambda: [each for each in stage.slack.messages if each.channel in stage.slack.rooms], 15)
        [page, *_others] = [each for each in stage.slack.messages if each.channel in stage.slack.rooms]
        number = buttons(page)["Acknowledge"]
        done = type_in(stage, "incidents", "resolve", number, "--as", "Bob")
        assert done.returncode == 0, done.stderr
        until(lambda: any("Archive this channel" in buttons(each) for each in stage.slack.messages), 15)
        assert act(stage, slack_payloads.pressed(Button.ARCHIVE, number)) == 200
        until(lambda: room["archived"], 15)
