"""Reading Alertmanager's webhook."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest

from responder.receive.alertmanager import InvalidPayload, check, parse


def a_body(**changes: Any) -> dict[str, Any]:
    """A payload as Alertmanager 0.25 sends it."""
    alert = {
        "status": "firing",
        "labels": {"alertname": "HighLatency", "severity": "critical"},
        "annotations": {"summary": "p99 latency 2.3s"},
        "startsAt": "2026-11-23T09:33:50.647301789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://127.0.0.1:9090/graph?g0.expr=up",
        "fingerprint": "4e6581a8c33405ff",
    }
    return {
        "receiver": "responder",
        "status": "firing",
        "alerts": [alert],
        "groupLabels": {"alertname": "HighLatency"},
        "commonLabels": {"alertname": "HighLatency"},
        "commonAnnotations": {},
        "externalURL": "http://vm:9093",
        "version": "4",
        "groupKey": '{}:{alertname="HighLatency"}',
        "truncatedAlerts": 0,
    } | changes


def an_alert(**changes: Any) -> dict[str, Any]:
    """One alert of such a payload."""
    alert: dict[str, Any] = a_body()["alerts"][0]
    return alert | changes


def to_bytes(body: Any) -> bytes:
    """On the wire."""
    return json.dumps(body).encode()


def test_a_firing_alert_has_no_end() -> None:
    """Alertmanager's year 1 means "still firing" and never reaches a page."""
    (alert,) = parse(to_bytes(a_body())).alerts
    assert alert.firing
    assert alert.ends_at is None
    assert alert.starts_at == datetime(2026, 11, 23, 9, 33, 50, 647302, UTC)
    assert (alert.name, alert.fingerprint) == ("HighLatency", "4e6581a8c33405ff")


def test_a_resolved_alert_keeps_its_end_in_any_offset() -> None:
    """Times are right whatever zone Prometheus writes them in."""
    ended = an_alert(status="resolved", endsAt="2018-08-03T09:52:26.739266876+02:00")
    (alert,) = parse(to_bytes(a_body(alerts=[ended]))).alerts
    assert alert.ends_at == datetime(2018, 8, 3, 7, 52, 26, 739267, UTC)


def test_fields_of_newer_alertmanagers_are_let_through() -> None:
    """An upgrade of Alertmanager does not stop the pages."""
    body = a_body(notification_reason="first notification", routeLabels={"team": "a"}, later={"x": [1]})
    assert parse(to_bytes(body)).receiver == "responder"


def test_the_dedup_key_is_alertmanagers_own() -> None:
    """A native PagerDuty receiver beside responder's deduplicates with it."""
    key = a_body()["groupKey"]
    assert parse(to_bytes(a_body())).dedup_key == sha256(key.encode()).hexdigest()


def test_a_cluster_in_the_url_separates_incidents() -> None:
    """The same group in two clusters is two incidents."""
    body = to_bytes(a_body())
    assert len({parse(body).dedup_key, parse(body, "eu").dedup_key, parse(body, "us").dedup_key}) == 3


def test_replicas_of_a_pair_share_the_dedup_key() -> None:
    """Two Alertmanagers that deliver the same group make one incident."""
    a, b = (parse(to_bytes(a_body(externalURL=url))) for url in ("http://am-0:9093", "http://am-1:9093"))
    assert a.dedup_key == b.dedup_key


BAD = [
    ("not json", b"{", "$"),
    ("not an object", b"[]", "$"),
    ("empty", b"", "$"),
    ("bad utf-8", b'{"version": "\xff"}', "$.version"),
    ("nested too deeply", b"[" * 100_000, "$"),
    ("old version", to_bytes(a_body(version="3")), "$.version"),
    ("version of a later time", to_bytes(a_body(version=5)), "$.version"),
    ("version true", to_bytes(a_body(version=True)), "$.version"),
    ("custom payload of 0.32", b'{"text": "hello"}', "$.groupKey"),
    ("no group", b'{"alerts": [], "status": "resolved"}', "$.groupKey"),
    ("no alerts", b'{"version": "4", "groupKey": "{}:{}", "status": "firing"}', "$.alerts"),
    ("labels are a list", to_bytes(a_body(alerts=[an_alert(), an_alert(labels=["a"])])), "$.alerts[1].labels"),
    ("no labels", to_bytes(a_body(alerts=[{"status": "firing"}])), "$.alerts[0].labels"),
    ("an alert that is text", to_bytes(a_body(alerts=["down"])), "$.alerts[0]"),
    ("status", to_bytes(a_body(alerts=[an_alert(status="pending")])), "$.alerts[0].status"),
    ("alerts null", to_bytes(a_body(alerts=None)), "$.alerts"),
    ("a firing group without alerts", to_bytes(a_body(alerts=[], status="firing")), "$.alerts"),
    ("cut off to nothing", to_bytes(a_body(alerts=[], status="resolved", truncatedAlerts=5)), "$.alerts"),
]


@pytest.mark.parametrize(("body", "path"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_a_bad_body_is_refused_with_the_path_of_the_field(body: bytes, path: str) -> None:
    """A payload of another kind is refused with the name of the wrong field."""
    with pytest.raises(InvalidPayload) as caught:
        check(body)
    assert caught.value.path == path
    assert caught.value.reason


def test_a_group_without_alerts_is_understood() -> None:
    """An empty list is odd, and no reason to fail where nothing fires."""
    check(to_bytes(a_body(alerts=[], status="resolved")))
    assert parse(to_bytes(a_body(alerts=[]))).alerts == ()


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("0001-01-01T00:00:00+14:00", datetime.min.replace(tzinfo=UTC)),
        ("9999-12-31T23:59:59-14:00", datetime(9999, 12, 31, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999Z", datetime(9999, 12, 31, tzinfo=UTC)),
    ],
)
def test_a_time_at_the_edge_of_the_calendar_is_one_that_can_be_reckoned_with(told: str, kept: datetime) -> None:
    """One alert with an absurd date is paged as any other, and does not break its group for ever."""
    (alert,) = parse(to_bytes(a_body(alerts=[an_alert(startsAt=told, endsAt=told, status="resolved")]))).alerts
    assert alert.starts_at == kept
    assert datetime.fromtimestamp(alert.starts_at.timestamp(), UTC) == kept
    assert alert.ends_at in {None, kept}
