"""Silences in a real Alertmanager: from a button and from the command line, until the alert ends under them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime
from typing import Any

import pytest

from responder.converse.slack.payloads import Button
from responder.standins.monitoring import alertmanager, alertmanager_config
from responder.standins.processes import Program
from responder.standins.stage import Stage
from tests.real.conftest import need, until
from tests.real.test_conversation import SECRETS, act, buttons
from tests.real.test_reconcile import GRACE, fires, thread
from tests.support import slack_payloads

pytestmark = pytest.mark.real

OPTIONS = {"reconcile_every": "1", "reconcile_grace": str(GRACE), "group_interval": "1", **SECRETS}


def type_in(stage: Stage, server: Program, *arguments: str) -> None:
    """A command line about silences, on the same settings as `serve`. It must succeed."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("RESPONDER_")}
    done = subprocess.run(
        [sys.executable, "-m", "responder", "silences", *arguments, "--as", "Bob", "--wait", "20"],
        env=env | dict(stage.settings) | {"RESPONDER_ALERTMANAGER_URL": server.url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def listed(server: Program) -> list[dict[str, Any]]:
    """The silences in force."""
    with urllib.request.urlopen(f"{server.url}/api/v2/silences", timeout=5) as answer:
        return [each for each in json.loads(answer.read()) if each["status"]["state"] != "expired"]


def test_a_silence_from_slack_mutes_the_group_until_its_alert_has_ended(stage: Stage) -> None:
    """One silence, extended and shown by the command line, announced once; the incident ends without a webhook."""
    need("prometheus-alertmanager")
    config = alertmanager_config(stage.webhook_url, stage.token)
    began = datetime.now(UTC)
    with (
        alertmanager(stage.folder, config) as server,
        stage.serve(alertmanager_url=server.url, **OPTIONS),
    ):
        fires(server, began)
        until(lambda: stage.pagerduty.open() and stage.slack.messages, 30)
        page = stage.slack.messages[0]
        until(lambda: "Silence" in buttons(page), 20)
        number = buttons(page)["Silence"]

        assert act(stage, slack_payloads.pressed(Button.SILENCE, number)) == 200
        dialog = stage.slack.views[-1]
        assert "Matches 1 alert now." in str(dialog["blocks"])
        form = {
            "duration": {"type": "static_select", "selected_option": {"value": "1h"}},
            "text": {"type": "plain_text_input", "value": "deploying"},
        }
        assert act(stage, slack_payloads.submitted(dialog["callback_id"], dialog["private_metadata"], form)) == 200
        until(lambda: listed(server), 20)
        [first] = listed(server)
        assert first["createdBy"] == "ann"
        assert first["comment"].endswith(f"[responder {number}]")
        assert all(each["isEqual"] and not each["isRegex"] for each in first["matchers"])
        until(lambda: "Expire silence" in buttons(page), 20)

        type_in(stage, server, "create", number, "--duration", "2h")
        [second] = listed(server)
        assert (second["id"], second["createdBy"]) == (first["id"], "Bob")
        assert len(stage.pagerduty.open()) == 1
        assert "still firing, " not in thread(stage)

        fires(server, began, seconds=-0.1)
        until(lambda: not stage.pagerduty.open(), GRACE + 20)
        type_in(stage, server, "expire", first["id"])
        until(lambda: not listed(server), 10)


def test_alertmanager_that_is_down_leaves_a_message_in_the_thread(stage: Stage) -> None:
    """Killed while people silence: for a minute it is asked again, and a restart in that time is enough."""
    need("prometheus-alertmanager")
    config = alertmanager_config(stage.webhook_url, stage.token)
    began = datetime.now(UTC)
    with alertmanager(stage.folder, config, name="first") as server:
        port, url = int(server.url.rpartition(":")[2]), server.url
        with stage.serve(alertmanager_url=url, **OPTIONS | {"reconcile_grace": "600"}):
            fires(server, began)
            until(lambda: stage.pagerduty.open() and stage.slack.messages, 30)
            page = stage.slack.messages[0]
            until(lambda: "Silence" in buttons(page), 20)
            number = buttons(page)["Silence"]
            server.kill()
            form = {"duration": {"type": "static_select", "selected_option": {"value": "1h"}}}
            act(stage, slack_payloads.submitted(Button.SILENCE, number, form | {"text": {"value": "x"}}))
            with alertmanager(stage.folder, config, port=port, name="second") as again:
                until(lambda: len(listed(again)) == 1, 40)
                until(lambda: "Expire silence" in buttons(page), 20)
