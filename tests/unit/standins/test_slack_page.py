"""The page of Slack's stand-in: safe HTML, and buttons, dialogs and commands that reach the app."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlencode

import pytest

from responder.converse.slack import views
from responder.standins.server import Call, Reply, StandIn, as_json
from responder.standins.slack import SlackStandIn
from responder.standins.slack_page import SlackPage

HOSTILE = '<script>alert(1)</script><img src=x onerror="x">&amp;'
BUTTON = {
    "type": "button",
    "action_id": "responder_note",
    "value": "INC-1",
    "text": {"type": "plain_text", "text": HOSTILE},
}


class App(StandIn):
    """An app that opens a dialog on each press; ``reply`` is its answer to a dialog."""

    slack: SlackStandIn
    reply = Reply(200)

    def answer(self, call: Call) -> Reply:
        """Open a dialog, or answer."""
        payload = json.loads(parse_qs(call.body.decode()).get("payload", ["{}"])[0])
        if payload.get("type") == "block_actions":
            self.slack.people.open(payload["trigger_id"], views.note_dialog("INC-1"))
            return Reply(200)
        return self.reply


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    """A workspace with a hostile message that has a button."""
    with SlackStandIn() as found:
        section = {
            "type": "section",
            "text": {"type": "mrkdwn", "text": f'*{HOSTILE}* <https://a.example/"x|{HOSTILE}> `{HOSTILE}`'},
        }
        header = {"type": "header", "text": {"type": "plain_text", "text": HOSTILE}}
        body = {"channel": "#a", "text": "x", "blocks": [header, section, {"type": "actions", "elements": [BUTTON]}]}
        request = urllib.request.Request(
            f"{found.url}/chat.postMessage",
            json.dumps(body).encode(),
            {"Authorization": "Bearer t", "Content-Type": "application/json"},
        )
        assert json.loads(urllib.request.urlopen(request, timeout=5).read())["ok"] is True
        yield found


@pytest.fixture
def app(slack: SlackStandIn) -> Iterator[App]:
    """The app of the workspace."""
    with App() as found:
        found.slack = slack
        slack.people.request_url = found.url
        yield found


@pytest.fixture
def page(slack: SlackStandIn) -> Iterator[SlackPage]:
    """The page."""
    with SlackPage(slack) as found:
        yield found


def get(url: str, **headers: str) -> tuple[int, str]:
    """Return the status and the text of a page."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def post(page: SlackPage, path: str, **fields: str) -> tuple[int, str]:
    """Send a form; return the status and the text of the page that it leads to."""
    token = re.findall(r'name="token" value="(\w+)"', get(f"{page.url}/")[1])[0]
    body = urlencode({"token": token} | fields).encode()
    try:
        with urllib.request.urlopen(f"{page.url}{path}", body, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def test_foreign_text_is_text_only(page: SlackPage) -> None:
    """Markup in messages, buttons and links is shown and neither loaded nor run."""
    status, text = get(f"{page.url}/")
    assert status == 200
    assert "<script" not in text
    assert "<img" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert 'href="https://a.example/"' not in text
    with urllib.request.urlopen(f"{page.url}/", timeout=5) as answer:
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_no_other_site_can_read_or_press(page: SlackPage, slack: SlackStandIn, app: App) -> None:
    """A name that leads to loopback is refused, and so is a form without the token of this page."""
    assert get(f"{page.url}/", Host="evil.example.com")[0] == 403
    ts = slack.messages[0].ts
    assert post(page, "/page/press", token="wrong", ts=ts, action="responder_note")[0] == 403
    assert app.calls == []


def test_a_press_opens_the_dialog_and_its_answer_is_shown(page: SlackPage, slack: SlackStandIn, app: App) -> None:
    """Press, dialog, problems, submission: as in Slack."""
    _, dialog = post(page, "/page/press", ts=slack.messages[0].ts, action="responder_note")
    assert "Add a note" in dialog
    app.reply = as_json(200, views.problem(views.TEXT, HOSTILE))
    _, refused = post(page, "/page/submit", view="V00000001", text="disk replaced")
    assert "&lt;script&gt;" in refused
    assert "disk replaced" in refused
    app.reply = Reply(200)
    post(page, "/page/submit", view="V00000001", text="disk replaced")
    sent = json.loads(parse_qs(app.calls[-1].body.decode())["payload"][0])
    assert sent["view"]["state"]["values"] == {"text": {"text": {"type": "plain_text_input", "value": "disk replaced"}}}


def test_a_command_and_a_missing_answer_are_shown_to_the_person_alone(page: SlackPage, app: App) -> None:
    """The answer of a command appears on the page; without an answer there is a warning."""
    app.reply = as_json(200, views.answer(HOSTILE))
    assert "Only visible to you" in post(page, "/page/command", text="")[1]
    app.reply = Reply(503)
    assert "did not answer" in post(page, "/page/command", text="")[1]
    assert "has changed" in post(page, "/page/press", ts="1.1", action="responder_note")[1]
