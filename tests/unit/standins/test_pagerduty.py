"""The stand-in of PagerDuty: REST API and webhooks behave as its documentation says."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from responder.standins.pagerduty import PagerIncident
from responder.standins.server import Call, Reply, StandIn
from tests.support.pagerduty_account import PagerDutyAccount

WAIT = 10.0


class Receiver(StandIn):
    """A receiver of webhooks that answers with ``statuses`` in turn, then 202."""

    def __init__(self) -> None:
        super().__init__()
        self.statuses: list[int] = []

    def answer(self, call: Call) -> Reply:
        """Return the next status."""
        with self.lock:
            return Reply(self.statuses.pop(0) if self.statuses else 202)

    @property
    def events(self) -> list[str]:
        """The ids of the events that arrived."""
        return [call.headers["x-webhook-id"] for call in self.calls]


@pytest.fixture
def pagerduty() -> Iterator[PagerDutyAccount]:
    """PagerDuty."""
    with PagerDutyAccount() as found:
        yield found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """The receiver of a subscription."""
    with Receiver() as found:
        yield found


def trigger(pagerduty: PagerDutyAccount, key: str = "k", action: str = "trigger") -> PagerIncident:
    """Send an event; return the newest incident."""
    payload = {"summary": "plato is down", "source": "plato", "severity": "critical"}
    event = {"routing_key": "r", "event_action": action, "dedup_key": key, "client": "responder", "payload": payload}
    assert call(pagerduty, "POST", "/v2/enqueue", event)[0] == 202
    return pagerduty.incidents[-1]


def call(
    pagerduty: PagerDutyAccount, method: str, path: str, body: object = None, **headers: str
) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Send a request; return status, body and headers."""
    given = {"Authorization": "Token token=x", "From": "ann@example.com", **headers}
    data = json.dumps(body).encode() if body is not None else None
    try:
        with urlopen(Request(f"{pagerduty.url}{path}", data, given, method=method), timeout=5) as answer:
            return answer.status, json.loads(answer.read() or b"{}"), dict(answer.headers)
    except HTTPError as error:
        return error.code, json.loads(error.read() or b"{}"), dict(error.headers)


def until(found: Callable[[], object]) -> None:
    """Wait until something is true."""
    end = time.monotonic() + WAIT
    while not found():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_incidents_are_listed_by_key_and_state(pagerduty: PagerDutyAccount) -> None:
    """An incident made by events has no incident_key, is found by its alert's, and an empty key lists all."""
    first, second = trigger(pagerduty, "a"), trigger(pagerduty, "b")
    trigger(pagerduty, "a", "resolve")
    status, found, _ = call(pagerduty, "GET", "/incidents?incident_key=b&statuses%5B%5D=triggered")
    assert (status, [each["id"] for each in found["incidents"]]) == (200, [second.id])
    assert found["incidents"][0]["incident_key"] is None
    open_ones = call(pagerduty, "GET", "/incidents?incident_key=&statuses%5B%5D=triggered")[1]["incidents"]
    assert [each["id"] for each in open_ones] == [second.id]
    assert len(call(pagerduty, "GET", "/incidents")[1]["incidents"]) == 2
    (alert,) = call(pagerduty, "GET", f"/incidents/{first.id}/alerts")[1]["alerts"]
    assert (alert["alert_key"], alert["body"]["cef_details"]["client"]) == ("a", "responder")


def test_writes_need_a_token_and_a_person(pagerduty: PagerDutyAccount) -> None:
    """Without a token 401, without From 400, an unknown incident 404; a note is stored each time it is sent."""
    incident = trigger(pagerduty)
    path = f"/incidents/{incident.id}/notes"
    note = {"note": {"content": "seen"}}
    assert call(pagerduty, "POST", path, note, Authorization="Bearer x")[0] == 401
    assert call(pagerduty, "POST", path, note, From="")[0] == 400
    assert call(pagerduty, "POST", path, {"note": {"content": " "}})[0] == 400
    assert call(pagerduty, "POST", "/incidents/PNONE/notes", note)[0] == 404
    assert [call(pagerduty, "POST", path, note)[0] for _ in range(2)] == [201, 201]
    assert len(call(pagerduty, "GET", path)[1]["notes"]) == 2
    change = {"incidents": [{"id": incident.id, "type": "incident_reference", "status": "resolved"}]}
    assert call(pagerduty, "PUT", "/incidents", change)[0] == 200
    assert incident.state == "resolved"


def test_a_key_has_a_limit_a_minute(pagerduty: PagerDutyAccount) -> None:
    """Above the limit 429, with ratelimit headers and without Retry-After."""
    pagerduty.rest.limit = 2
    found = [call(pagerduty, "GET", "/incidents") for _ in range(3)]
    assert [status for status, _body, _headers in found] == [200, 200, 429]
    headers = {name.lower(): value for name, value in found[-1][2].items()}
    assert headers["ratelimit-remaining"] == "0"
    assert 0 < int(headers["ratelimit-reset"]) <= 60
    assert "retry-after" not in headers


def test_webhooks_are_signed_by_each_secret(pagerduty: PagerDutyAccount, receiver: Receiver) -> None:
    """Each body has one signature for each secret; an event of the integration has no person."""
    pagerduty.webhooks.subscribe(receiver.url, "new", "old")
    incident = trigger(pagerduty)
    pagerduty.act(incident, "acknowledged", "Bob")
    until(lambda: len(receiver.calls) == 2)
    first, second = receiver.calls
    given = first.headers["x-pagerduty-signature"].split(",")
    assert given == [f"v1={hmac.new(each, first.body, hashlib.sha256).hexdigest()}" for each in (b"new", b"old")]
    events = [json.loads(each.body)["event"] for each in (first, second)]
    assert [each["event_type"] for each in events] == ["incident.triggered", "incident.acknowledged"]
    assert events[0]["agent"]["type"] == "inbound_integration_reference"
    assert (events[1]["agent"]["summary"], events[1]["data"]["id"]) == ("Bob", incident.id)


def test_an_event_is_retried_with_the_same_id_and_in_order(pagerduty: PagerDutyAccount, receiver: Receiver) -> None:
    """5xx and 429 are retried; the next event of the incident waits, that of another incident does not."""
    subscription = pagerduty.webhooks.subscribe(receiver.url, "s", day=60.0)
    receiver.statuses = [503, 429]
    incident = trigger(pagerduty)
    pagerduty.act(incident, "acknowledged")
    until(lambda: len(subscription.sent) == 4)
    assert sorted(Counter(receiver.events).values()) == [1, 3]
    assert receiver.events[0] == receiver.events[2]
    assert [status for _event, status in subscription.sent] == [503, 429, 202, 202]


def test_three_drops_disable_a_subscription_for_a_day(pagerduty: PagerDutyAccount, receiver: Receiver) -> None:
    """A 4xx drops an event at once; three in a row end the subscription, and a day later it is enabled again."""
    subscription = pagerduty.webhooks.subscribe(receiver.url, "s", day=0.5)
    receiver.statuses = [401, 401, 401]
    for key in "abc":
        trigger(pagerduty, key)
        until(lambda: pagerduty.webhooks.idle)
    assert (len(subscription.dropped), subscription.active) == (3, False)
    trigger(pagerduty, "d")
    until(lambda: subscription.active)
    trigger(pagerduty, "e")
    until(lambda: len(receiver.events) == 4)
    assert call(pagerduty, "POST", f"/webhook_subscriptions/{subscription.id}/ping")[0] == 202
    assert json.loads(receiver.calls[-1].body)["event"]["event_type"] == "pagey.ping"
    (shown,) = call(pagerduty, "GET", "/webhook_subscriptions")[1]["webhook_subscriptions"]
    assert shown["delivery_method"]["url"] == receiver.url


def test_an_event_is_given_up_after_two_days(pagerduty: PagerDutyAccount, receiver: Receiver) -> None:
    """A receiver that is away for 48 hours misses the event, and the subscription stays enabled."""
    subscription = pagerduty.webhooks.subscribe(receiver.url, "s", day=0.1)
    receiver.statuses = [500] * 1000
    trigger(pagerduty)
    until(lambda: pagerduty.webhooks.idle)
    assert len(subscription.sent) > 2
    assert subscription.active
