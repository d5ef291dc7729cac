"""The stand-in of Slack behaves as the vendor does when people act: signatures, limits, times, Socket Mode, files."""

from __future__ import annotations

import contextlib
import json
import threading
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.error import HTTPError

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from responder.converse.slack.payloads import signature_problem
from responder.model.secret import Secret
from responder.standins import server
from responder.standins.server import Call, Reply, StandIn, as_json
from responder.standins.slack import SlackStandIn

BUTTON = {"type": "button", "action_id": "responder_acknowledge", "value": "INC-1"}


class App(StandIn):
    """An app with request URLs; ``reply`` is what it answers."""

    reply = Reply(200)

    def answer(self, call: Call) -> Reply:
        """Return ``reply``."""
        return self.reply


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    """A workspace."""
    with SlackStandIn() as found:
        yield found


@pytest.fixture
def app(slack: SlackStandIn) -> Iterator[App]:
    """An app that gets signed requests."""
    with App() as found:
        slack.people.request_url = found.url
        yield found


def _post(url: str, body: Any, **headers: str) -> tuple[int, dict[str, Any], Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(
        url, data, {"Authorization": "Bearer t", "Content-Type": "application/json"} | headers
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, json.loads(answer.read()), answer.headers
    except HTTPError as error:
        return error.code, json.loads(error.read() or b"{}"), error.headers


def test_a_press_over_http_is_a_signed_form(slack: SlackStandIn, app: App) -> None:
    """Any app can verify the signature over the raw body; the form has one field, the payload."""
    assert slack.people.press(BUTTON).ok
    [call] = app.calls
    assert call.path == "/slack/interactions"
    headers = {name.title(): value for name, value in call.headers.items()}
    assert signature_problem((Secret(slack.people.signing_secret),), headers, call.body, datetime.now(UTC)) == ""
    assert call.body.startswith(b"payload=%7B")


def test_an_answer_counts_within_three_seconds_and_with_200_only(slack: SlackStandIn, app: App) -> None:
    """A person sees a warning for any other status, and for an answer that comes late."""
    app.reply = Reply(503)
    assert not slack.people.press(BUTTON).ok
    app.reply = Reply(200)
    app.faults.append(server.hang(5))
    late = slack.people.press(BUTTON)
    assert (late.ok, 2.9 < late.seconds < 4) == (False, True)


def test_a_dialog_and_a_command_get_their_answer(slack: SlackStandIn, app: App) -> None:
    """The body of the 200 is the response to a dialog or a command."""
    app.reply = as_json(200, {"response_action": "clear"})
    _post(f"{slack.url}/views.open", {"trigger_id": slack.people.trigger(), "view": _view()})
    assert slack.people.submit("V00000001", {}).body == {"response_action": "clear"}
    assert slack.people.command("INC-1").body == {"response_action": "clear"}
    assert b"command=%2Fresponder" in app.calls[-1].body


def _view() -> dict[str, Any]:
    return {"type": "modal", "title": {"type": "plain_text", "text": "Note"}, "blocks": []}


def test_a_trigger_opens_one_dialog_within_three_seconds(slack: SlackStandIn) -> None:
    """Unknown, used and old triggers are refused by name."""

    def opened(trigger: str) -> str:
        return str(_post(f"{slack.url}/views.open", {"trigger_id": trigger, "view": _view()})[1].get("error", ""))

    trigger, late = slack.people.trigger(), slack.people.trigger()
    assert [opened(trigger), opened(trigger), opened("1.2.x")] == ["", "exchanged_trigger_id", "invalid_trigger_id"]
    began = slack.people.now()
    slack.people.now = lambda: began + 3.5
    assert opened(late) == "expired_trigger_id"


def test_a_response_url_takes_five_posts_in_half_an_hour(slack: SlackStandIn) -> None:
    """The sixth is refused, and so is any after 30 minutes."""
    url, late = slack.people.response_url(), slack.people.response_url()
    found = [_post(url, {"text": "x"})[:2] for _ in range(6)]
    assert [status for status, _ in found] == [200] * 5 + [404]
    assert found[-1][1]["error"] == "used_url"
    began = slack.people.now()
    slack.people.now = lambda: began + 1801
    assert _post(late, {"text": "x"})[1]["error"] == "expired_url"


def test_too_many_calls_are_refused_with_a_time_to_wait(slack: SlackStandIn) -> None:
    """429 and Retry-After, as Slack limits each method."""
    slack.limits["auth.test"] = 2
    found = [_post(f"{slack.url}/auth.test", b"") for _ in range(3)]
    assert [status for status, _, _ in found] == [200, 200, 429]
    assert 0 < int(found[-1][2]["Retry-After"]) <= 60
    assert found[-1][1] == {"ok": False, "error": "ratelimited"}


def test_the_scopes_of_the_token_are_in_a_header_and_missing_ones_in_the_error(slack: SlackStandIn) -> None:
    """`doctor` compares the header with the manifest."""
    slack.scopes = ("chat:write",)
    status, said, headers = _post(f"{slack.url}/auth.test", b"")
    assert (status, said["team_id"], headers["X-OAuth-Scopes"]) == (200, "T0BUTTER", "chat:write")
    refused = _post(f"{slack.url}/usergroups.users.list", {"usergroup": "S1"})[1]
    assert (refused["error"], refused["needed"]) == ("missing_scope", "usergroups:read")


def test_a_file_is_uploaded_in_three_calls(slack: SlackStandIn) -> None:
    """A place, exactly as many bytes as announced, and the share in a thread."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    place = _post(f"{slack.url}/files.getUploadURLExternal", b"filename=graph.png&length=3", **form)[1]
    share = {"files": [{"id": place["file_id"]}], "channel_id": "C00000001", "thread_ts": "1.1"}
    assert _post(f"{slack.url}/files.completeUploadExternal", share)[1]["error"] == "file_not_found"
    with pytest.raises(HTTPError):
        urllib.request.urlopen(place["upload_url"], b"four", timeout=5)
    with urllib.request.urlopen(place["upload_url"], b"png", timeout=5) as answer:
        assert answer.status == 200
    assert _post(f"{slack.url}/files.completeUploadExternal", share | {"channel_id": "#a"})[1]["ok"] is False
    assert _post(f"{slack.url}/files.completeUploadExternal", share)[1]["ok"] is True
    assert slack.files.files[place["file_id"]].shared == ("C00000001", "1.1")


def _address(slack: SlackStandIn) -> str:
    return str(_post(f"{slack.url}/apps.connections.open", b"", Authorization=f"Bearer {slack.app_token}")[1]["url"])


def _hello(connection: ClientConnection) -> None:
    assert json.loads(connection.recv(5))["type"] == "hello"


def test_only_an_app_token_opens_socket_mode_and_an_address_serves_once(slack: SlackStandIn) -> None:
    """A bot token is of the wrong type; an address is used up by its first connection."""
    open_url = f"{slack.url}/apps.connections.open"
    assert _post(open_url, b"", Authorization="Bearer xoxb-1")[1]["error"] == "not_allowed_token_type"
    assert _post(open_url, b"", Authorization="Bearer xapp-wrong")[1]["error"] == "invalid_auth"
    address = _address(slack)
    with connect(address) as connection:
        _hello(connection)
    with pytest.raises(InvalidStatus), connect(address):
        pass


def test_an_envelope_goes_to_one_connection_and_waits_for_its_acknowledgement(slack: SlackStandIn) -> None:
    """The app is in Socket Mode while it is connected: a press comes as an envelope, and an answer goes back."""
    with connect(_address(slack)) as connection:
        _hello(connection)
        found: list[dict[str, Any]] = []

        def acknowledge() -> None:
            for _ in range(2):
                envelope = json.loads(connection.recv(5))
                found.append(envelope)
                answer = {"envelope_id": envelope["envelope_id"], "payload": {"text": "hi"}}
                connection.send(json.dumps(answer))

        thread = threading.Thread(target=acknowledge)
        thread.start()
        assert slack.people.press(BUTTON).ok
        assert slack.people.command().body == {"text": "hi"}
        thread.join()
        assert [each["type"] for each in found] == ["interactive", "slash_commands"]
        assert found[0]["payload"]["actions"][0]["value"] == "INC-1"
        large = slack.people.press(BUTTON | {"value": "x" * 70_000})
        assert not large.ok, "nothing acknowledges it"


def test_a_connection_is_announced_to_end_closed_or_dropped(slack: SlackStandIn) -> None:
    """``disconnect`` frames come before the end, or nothing does."""
    with connect(_address(slack)) as connection, connect(_address(slack)) as other:
        _hello(connection)
        _hello(other)
        assert slack.sockets.connections == 2
        slack.sockets.announce("refresh_requested")
        assert json.loads(connection.recv(5)) == {
            "type": "disconnect",
            "reason": "refresh_requested",
            "debug_info": {"host": "stand-in"},
        }
        slack.sockets.drop()
        with pytest.raises(ConnectionClosed):
            connection.recv(5)


def test_a_mute_connection_answers_no_ping(slack: SlackStandIn) -> None:
    """A client notices only by its own pings."""
    with connect(_address(slack), ping_interval=None) as connection:
        _hello(connection)
        assert connection.ping().wait(5)
        slack.sockets.mute()
        assert not connection.ping().wait(0.3)


def test_an_app_has_ten_connections_at_most(slack: SlackStandIn) -> None:
    """The eleventh is refused with its reason."""
    with contextlib.ExitStack() as opened:
        for _ in range(10):
            _hello(opened.enter_context(connect(_address(slack))))
        last = opened.enter_context(connect(_address(slack)))
        assert json.loads(last.recv(5))["reason"] == "too_many_websockets"
