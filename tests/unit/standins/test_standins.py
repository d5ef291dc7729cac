"""The stand-ins behave as the real ones do, so that what works against them works."""

from __future__ import annotations

import http.client
import json
import threading
import time
from typing import Any

import pytest

from responder.standins import butterfly, server
from responder.standins.butterfly import SERVICES, ButterflyStandIn
from responder.standins.pagerduty import PagerDutyStandIn
from responder.standins.server import StandIn
from responder.standins.slack import SlackStandIn


def _ask(
    stand_in: StandIn, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", stand_in.port, timeout=5)
    try:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection.request(method, path, data, headers or {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _event(action: str = "trigger", **payload: Any) -> dict[str, Any]:
    usual = {"summary": "s", "source": "x", "severity": "critical"}
    return {"routing_key": "r", "event_action": action, "dedup_key": "k", "payload": usual | payload}


@pytest.mark.parametrize(
    "event",
    [
        b"{",
        b"[]",
        _event(severity="P1"),
        _event(summary="x" * 1025),
        _event(summary=""),
        _event(source=""),
        _event(custom_details="text"),
        _event("explode"),
        {"event_action": "resolve", "routing_key": "r"},
        {"event_action": "trigger", "routing_key": "r"},
        _event() | {"routing_key": ""},
        _event() | {"links": [{"href": "javascript:x"}]},
        _event() | {"dedup_key": "k" * 256},
        _event(custom_details={"a": "x" * 512_000}),
    ],
)
def test_pagerduty_refuses_what_the_real_one_refuses(event: Any) -> None:
    """A wrong event is a 400 with its reasons and opens nothing."""
    with PagerDutyStandIn() as pager:
        status, body = _ask(pager, "POST", "/v2/enqueue", event)
        assert status == 400
        assert json.loads(body)["errors"]
        assert pager.events == []


def test_pagerduty_keeps_one_incident_a_key_until_it_is_resolved() -> None:
    """A second trigger joins the open incident; after a resolve a trigger opens a new one."""
    told: list[str] = []
    with PagerDutyStandIn(on_event=lambda kind, _: told.append(kind)) as pager:
        for action in ("resolve", "trigger", "trigger", "acknowledge", "resolve", "trigger"):
            assert _ask(pager, "POST", "/v2/enqueue", _event(action))[0] == 202
        assert [(each.state, len(each.log)) for each in pager.incidents] == [("resolved", 4), ("triggered", 1)]
        assert len(pager.open("k")) == 1
        assert pager.open("other") == []
        assert len(pager.events) == len(told) == 6


def test_pagerduty_counts_right_under_load() -> None:
    """Many workers at once still make exactly one incident."""
    with PagerDutyStandIn() as pager:
        threads = [
            threading.Thread(target=_ask, args=(pager, "POST", "/v2/enqueue", _event()), daemon=True) for _ in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert len(pager.incidents) == 1
        assert len(pager.incidents[0].log) == 20


BEARER = {"Authorization": "Bearer t"}


def _slack(slack: SlackStandIn, method: str, **body: Any) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(_ask(slack, "POST", f"/{method}", body, BEARER)[1])
    return answer


def test_slack_posts_threads_and_updates() -> None:
    """A message can be threaded and edited by the channel and ts that its answer gave, as at Slack."""
    with SlackStandIn(token="t") as slack:
        first = _slack(slack, "chat.postMessage", channel="#a", text="one")
        place = {"channel": first["channel"], "ts": first["ts"]}
        _slack(slack, "chat.postMessage", channel=first["channel"], thread_ts=first["ts"], text="reply")
        assert _slack(slack, "chat.update", text="two", **place)["ok"] is True
        assert slack.messages[0].text == "two"
        assert len(slack.thread(first["ts"])) == 1
        assert _slack(slack, "chat.update", text="x" * 4000, **place)["error"] == "msg_too_long"
        assert _slack(slack, "chat.update", channel="#a", ts="1.1", text="x")["error"] == "message_not_found"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "no_text"),
        ({"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x"}}] * 51}, "invalid_blocks"),
        ({"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]}, "invalid_blocks"),
        ({"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": ""}}]}, "invalid_blocks"),
        ({"blocks": [{"type": "section"}]}, "invalid_blocks"),
        ({"blocks": [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]}, "invalid_blocks"),
        ({"blocks": [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}]}, "invalid_blocks"),
        ({"blocks": [{"type": "sparkles"}]}, "invalid_blocks"),
        ({"blocks": ["x"]}, "invalid_blocks_format"),
        ({"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2900}}] * 5}, "msg_blocks_too_long"),
    ],
)
def test_slack_refuses_what_the_real_one_refuses(body: dict[str, Any], error: str) -> None:
    """Blocks over Slack's limits are refused by name, on the API and on a webhook."""
    with SlackStandIn() as slack:
        assert _slack(slack, "chat.postMessage", channel="#a", **body)["error"] == error
        assert _ask(slack, "POST", "/webhook", body) == (400, error.encode())
        assert slack.messages == []


def test_slack_wants_a_token_and_a_channel() -> None:
    """Without the right token nothing is posted."""
    with SlackStandIn(token="right") as slack:
        assert _slack(slack, "chat.postMessage", channel="#a", text="x")["error"] == "invalid_auth"
        assert b"not_authed" in _ask(slack, "POST", "/chat.postMessage", {"channel": "#a", "text": "x"})[1]
    with SlackStandIn() as slack:
        assert _slack(slack, "chat.postMessage", text="x")["error"] == "channel_not_found"
        assert _ask(slack, "POST", "/webhook", {"text": "x"}) == (200, b"ok")
        assert _ask(slack, "GET", "/webhook")[0] == 404


def test_butterfly_answers_by_path_and_by_host() -> None:
    """Each service's health is found under its own name, as in the cluster."""
    with ButterflyStandIn() as platform:
        assert set(platform.connect_to) == {f"{name}:8080" for name in SERVICES}
        platform.set("plato", butterfly.down("db", "refused"))
        status, body = _ask(platform, "GET", "/plato/actuator/health")
        assert (status, json.loads(body)["components"]["db"]["details"]) == (503, {"error": "refused"})
        assert _ask(platform, "GET", "/actuator/health", headers={"Host": "plato:8080"})[0] == 503
        assert _ask(platform, "GET", "/nexus/actuator/health")[0] == 200
        assert _ask(platform, "GET", "/unknown/actuator/health")[0] == 404
        assert _ask(platform, "GET", "/actuator/env", headers={"Host": "plato:8080"})[0] == 404


def test_butterfly_can_hide_hang_and_vanish() -> None:
    """The ways a health endpoint really fails can be played."""
    with ButterflyStandIn() as platform:
        platform.set("plato", butterfly.hidden("DOWN"))
        assert _ask(platform, "GET", "/plato/actuator/health") == (503, b'{"status":"DOWN"}')
        platform.set("plato", butterfly.slow(0.2))
        began = time.monotonic()
        assert _ask(platform, "GET", "/plato/actuator/health")[0] == 200
        assert time.monotonic() - began >= 0.2
        platform.set("plato", butterfly.gone())
        with pytest.raises(ConnectionError):
            _ask(platform, "GET", "/plato/actuator/health")
        with pytest.raises(KeyError):
            platform.set("pluto", butterfly.up())


def test_faults_hit_the_next_requests_in_turn() -> None:
    """A test can say exactly which request meets which trouble; the one after is well again."""
    with PagerDutyStandIn() as pager:
        pager.faults.extend([server.status(429, Retry_After="3"), server.reset(), server.swallow(), server.drip(0.001)])
        assert _ask(pager, "POST", "/v2/enqueue", _event())[0] == 429
        for _ in range(2):
            with pytest.raises(ConnectionError):
                _ask(pager, "POST", "/v2/enqueue", _event())
        assert len(pager.events) == 1, "only the swallowed one was taken"
        assert _ask(pager, "POST", "/v2/enqueue", _event())[0] == 202
        assert _ask(pager, "POST", "/v2/enqueue", _event())[0] == 202
        assert len(pager.calls) == 5


def test_stopping_ends_what_hangs() -> None:
    """A hanging request does not keep a stand-in, and so a test or the demo, from ending."""
    pager = PagerDutyStandIn().start()
    pager.faults.append(server.hang(60))

    def ask() -> None:
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            _ask(pager, "POST", "/v2/enqueue", b"{")

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    while not pager.calls:
        threading.Event().wait(0.01)
    pager.stop()
    thread.join(5)
    assert not thread.is_alive()


def test_a_stand_in_that_never_started_can_be_stopped() -> None:
    """Cleaning up is safe at any point."""
    SlackStandIn().stop()
