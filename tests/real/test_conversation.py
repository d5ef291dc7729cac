"""People act on a page while `serve` runs: what they do in one place shows in the others."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from responder.converse.slack.payloads import Button
from responder.standins import butterfly
from responder.standins.slack import SlackMessage
from responder.standins.stage import Stage
from tests.real.conftest import example, until
from tests.real.test_operator import type_in
from tests.real.test_sigkill import children
from tests.support import pagerduty_webhooks, slack_payloads
from tests.support.pagerduty_account import PagerDutyAccount, url_of

pytestmark = pytest.mark.real

SECRETS = {"slack_signing_secret": "slack-signs", "pagerduty_webhook_secret": "pagerduty-signs"}


@pytest.fixture(name="pagerduty")
def a_pagerduty_with_people() -> Iterator[PagerDutyAccount]:
    """PagerDuty with its REST API and webhooks."""
    with PagerDutyAccount() as found:
        yield found


def post(stage: Stage, path: str, body: bytes, headers: dict[str, str]) -> int:
    """Send a request to responder; return the status."""
    with urlopen(Request(f"{stage.url}{path}", body, headers), timeout=10) as answer:
        return int(answer.status)


def act(stage: Stage, payload: bytes) -> int:
    """Send what Slack reports of a person: the press of a button, or a submitted dialog. Return 200 for an answer."""
    stage.slack.people.signing_secret = SECRETS["slack_signing_secret"]
    return 200 if stage.slack.people.deliver(json.loads(payload)).ok else 0


def elements(message: SlackMessage) -> dict[str, dict[str, str]]:
    """The buttons of a message by their text."""
    found = [each for block in message.blocks if block["type"] == "actions" for each in block["elements"]]
    return {each["text"]["text"]: each for each in found}


def buttons(message: SlackMessage) -> dict[str, str]:
    """The buttons of a message, with their values."""
    return {text: each["value"] for text, each in elements(message).items()}


def ports_of(process: int) -> set[int]:
    """The local TCP ports that a process has open."""
    inodes = {str(each.readlink()) for each in Path(f"/proc/{process}/fd").iterdir() if each.is_symlink()}
    rows = [line.split() for line in Path(f"/proc/{process}/net/tcp").read_text().splitlines()[1:]]
    return {int(row[1].partition(":")[2], 16) for row in rows if f"socket:[{row[9]}]" in inodes}


def test_slack_pagerduty_and_the_command_line_agree(stage: Stage) -> None:
    """Acknowledged in Slack, noted in PagerDuty, resolved on the command line: each channel shows all of it."""
    stage.butterfly.set("plato", butterfly.down())
    with stage.serve(**SECRETS):
        assert stage.post(example("service-down")).status == 202
        until(lambda: stage.pagerduty.open() and stage.slack.messages, 30)
        [incident], page = stage.pagerduty.open(), stage.slack.messages[0]
        until(lambda: "Acknowledge" in buttons(page), 10)
        number = buttons(page)["Acknowledge"]

        assert act(stage, slack_payloads.pressed(Button.ACKNOWLEDGE, number)) == 200
        until(lambda: incident.state == "acknowledged", 10)
        until(lambda: "Acknowledge" not in buttons(page), 10)
        assert any("Acknowledged" in line and "by ann at" in line for line in page.lines)

        assert act(stage, slack_payloads.pressed(Button.NOTE, number)) == 200
        [dialog] = stage.slack.views
        words = {"text": {"type": "plain_text_input", "value": "the disk is full"}}
        assert act(stage, slack_payloads.submitted(dialog["callback_id"], dialog["private_metadata"], words)) == 200

        body = pagerduty_webhooks.event(
            "incident.annotated", at=datetime.now(UTC), incident={"id": "PGR0VU2"}, content="disk replaced"
        )
        known = pagerduty_webhooks.event("incident.triggered", incident.dedup_key, datetime.now(UTC), "01FIRST")
        for each in (known, body):
            signed = pagerduty_webhooks.signed(each, "pagerduty-signs") | {"Content-Type": "application/json"}
            assert post(stage, "/pagerduty/webhooks", each, signed) == 202
        until(lambda: any("disk replaced" in line for each in stage.slack.thread(page.ts) for line in each.lines), 10)

        done = type_in(stage, "incidents", "resolve", number, "--as", "Bob", "--reason", "restarted plato")
        assert done.returncode == 0, done.stderr
        until(lambda: not stage.pagerduty.open(), 10)
        until(lambda: set(buttons(page)) == {"Post-mortem"}, 10)
        shown = json.loads(type_in(stage, "incidents", "show", number).stdout)
        actions = [each["text"] for each in shown["timeline"] if each["kind"] == "action"]
        assert actions == [
            "acknowledged by ann (Slack)",
            "note by ann (Slack): the disk is full",
            "note by Ann Onymous (PagerDuty): disk replaced",
            "resolved by Bob (command line): restarted plato",
        ]


def test_socket_mode_needs_no_address_and_survives_its_worker(stage: Stage) -> None:
    """One of the workers is connected; if it is killed, another one takes over, and presses arrive again."""
    stage.butterfly.set("plato", butterfly.down())
    slack = stage.slack
    with stage.serve(slack_app_token=slack.app_token, workers="2") as program:
        until(lambda: slack.sockets.connections == 1, 20)
        assert stage.post(example("service-down")).status == 202
        until(lambda: slack.messages and "Acknowledge" in buttons(slack.messages[0]), 30)
        until(stage.pagerduty.open, 10)
        [incident], page = stage.pagerduty.open(), slack.messages[0]
        note, acknowledge = (elements(page)[name] for name in ("Note", "Acknowledge"))
        assert slack.people.press(note).ok
        [view] = slack.people.views
        assert slack.people.submit(view, {"text": {"text": {"value": "the disk is full"}}}).ok

        assert slack.sockets.opened == 1
        connected = slack.sockets.peer()
        for worker in children(program.process.pid):
            if connected in ports_of(worker):
                os.kill(worker, signal.SIGKILL)
        until(lambda: slack.sockets.opened == 2 and slack.sockets.connections == 1, 20)

        answer = slack.people.press(acknowledge)
        assert answer.ok
        assert answer.seconds < 3
        until(lambda: incident.state == "acknowledged", 10)
        until(lambda: "Acknowledge" not in buttons(page), 10)
        assert any("the disk is full" in line for each in slack.thread(page.ts) for line in each.lines)
        found = slack.people.command(acknowledge["value"])
        assert found.ok
        assert "acknowledged by ann" in str(found.body)


def test_pagerduty_gets_notes_and_its_people_reach_slack(stage: Stage, pagerduty: PagerDutyAccount) -> None:
    """Webhooks repeat and notes come back: each action shows everywhere, once."""
    stage.butterfly.set("plato", butterfly.down())
    webhooks = pagerduty.webhooks.subscribe(f"{stage.url}/pagerduty/webhooks", "old", "pagerduty-signs", day=60.0)
    token = {"pagerduty_api_token": "u+token", "pagerduty_api_from": "ann@example.com"}
    pagerduty.rest.token, pagerduty.rest.lag = "u+token", 1.0
    urls = {"pagerduty_url": pagerduty.url, "pagerduty_api_url": pagerduty.url}
    with stage.serve(**SECRETS, **token, **urls):
        assert stage.post(example("service-down")).status == 202
        until(lambda: pagerduty.open() and stage.slack.messages, 30)
        [incident], page = pagerduty.open(), stage.slack.messages[0]
        until(lambda: "Acknowledge" in buttons(page), 10)
        number = buttons(page)["Acknowledge"]

        taken = pagerduty.act(incident, "acknowledged", "Bob Builder")
        until(lambda: any("by Bob Builder at" in line for line in page.lines), 10)
        pagerduty.webhooks.send(incident.id, taken)
        pagerduty.act(incident, "annotated", "Bob Builder", content="looking at the disk")
        assert type_in(stage, "incidents", "note", number, "the disk is full", "--as", "Ann").returncode == 0
        until(lambda: incident.notes, 20)
        pagerduty.act(incident, "annotated", "Ann", content=incident.notes[0]["content"])
        assert (
            type_in(stage, "incidents", "resolve", number, "--as", "Ann", "--reason", "disk replaced").returncode == 0
        )
        until(lambda: not pagerduty.open() and len(incident.notes) == 2, 20)
        until(lambda: pagerduty.webhooks.idle, 10)
        texts = [each["content"].partition(": ")[2] for each in incident.notes]
        assert texts == [
            "Note by Ann (command line): the disk is full",
            "Resolved by Ann (command line): disk replaced",
        ]
        shown = json.loads(type_in(stage, "incidents", "show", number).stdout)
        assert [each["text"] for each in shown["timeline"] if each["kind"] == "action"] == [
            "acknowledged by Bob Builder (PagerDuty)",
            "note by Bob Builder (PagerDuty): looking at the disk",
            "note by Ann (command line): the disk is full",
            "resolved by Ann (command line): disk replaced",
        ]
        until(lambda: any(url_of(incident) in json.dumps(block) for block in page.blocks), 10)
        assert not webhooks.dropped
