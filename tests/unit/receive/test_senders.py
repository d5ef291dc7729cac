"""The same alert in the payloads of different senders."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from responder.model.clock import EARLIEST
from responder.receive.alertmanager import fingerprint, parse
from responder.triage.reconcile import expected_alerts
from tests.support.builders import an_incident
from tests.unit.receive.test_alertmanager import a_body, an_alert, to_bytes

LABELS = {"alertname": "HighLatency", "severity": "critical"}
GRAFANA: dict[str, Any] = {
    "version": "1",
    "orgId": 1,
    "title": "[FIRING:1] HighLatency (critical)",
    "state": "alerting",
    "message": "**Firing**\n\nValue: B=2.31",
    "appVersion": "12.1.0",
}
#: What Grafana adds to each alert.
GRAFANA_ALERT: dict[str, Any] = {
    "silenceURL": "http://grafana/alerting/silence/new?alertmanager=grafana",
    "dashboardURL": "",
    "panelURL": "",
    "values": {"B": 2.31, "C": 1},
    "valueString": "[ var='B' labels={} value=2.31 ]",
    "orgId": 1,
}
EXPECTED = parse(to_bytes(a_body()))


def without(body: dict[str, Any], *keys: str) -> dict[str, Any]:
    """A payload or an alert without these fields."""
    return {key: value for key, value in body.items() if key not in keys}


SAME = {
    "Alertmanager 0.28 with a custom proxy's byte order mark": b"\xef\xbb\xbf" + to_bytes(a_body()),
    "Alertmanager 0.32": to_bytes(a_body(notification_reason="new alerts added")),
    "Alertmanager 0.34": to_bytes(a_body(notification_reason="unknown", routeLabels={"team": "shop"})),
    "Alertmanager 0.16, without truncatedAlerts": to_bytes(without(a_body(), "truncatedAlerts")),
    "version as a number": to_bytes(a_body(version=4)),
    "version as a fraction": to_bytes(a_body(version=4.0)),
    "Mimir, with null maps": to_bytes(a_body(commonAnnotations=None, truncatedAlerts=None)),
    "VictoriaMetrics, without an end": to_bytes(a_body(alerts=[without(an_alert(), "endsAt")])),
    "null end": to_bytes(a_body(alerts=[an_alert(endsAt=None)])),
    "empty end": to_bytes(a_body(alerts=[an_alert(endsAt="")])),
    "no version": to_bytes(without(a_body(), "version")),
    "null version": to_bytes(a_body(version=None)),
    "version as a fraction in text": to_bytes(a_body(version="4.0")),
    "nothing truncated, as text": to_bytes(a_body(truncatedAlerts="0")),
    "nothing truncated, empty": to_bytes(a_body(truncatedAlerts="")),
    "less than nothing truncated": to_bytes(a_body(truncatedAlerts=-1)),
    "a status in capitals": to_bytes(a_body(status="FIRING", alerts=[an_alert(status="FIRING")])),
    "no status of the alert": to_bytes(a_body(alerts=[without(an_alert(), "status")])),
    "empty maps as lists": to_bytes(a_body(commonAnnotations=[], routeLabels=[])),
    "null among the alerts": to_bytes(a_body(alerts=[an_alert(), None])),
    "line ends inside a text": to_bytes(a_body(message="x")).replace(b'"x"', b'"a\n\tb"'),
    "no number": to_bytes(a_body(values={"B": float("nan")})),
    "half of a surrogate pair": to_bytes(a_body(message="x")).replace(b'"x"', b'"\\ud83d"'),
    "another encoding": to_bytes(a_body(message="x")).replace(b'"x"', b'"K\xf6ln"'),
    "Go's text of a time": to_bytes(
        a_body(alerts=[an_alert(startsAt="2026-11-23 09:33:50.647301789 +0000 UTC m=+1.2")])
    ),
    "a time without zone": to_bytes(a_body(alerts=[an_alert(startsAt="2026-11-23T09:33:50.647301789")])),
    "epoch seconds": to_bytes(a_body(alerts=[an_alert(startsAt=1795426430.647302, endsAt=-62135596800)])),
    "epoch milliseconds in text": to_bytes(a_body(alerts=[an_alert(startsAt="1795426430647.302")])),
    "an end that is no time": to_bytes(a_body(alerts=[an_alert(endsAt="never")])),
    "null label": to_bytes(a_body(alerts=[an_alert(labels={**LABELS, "pod": None})])),
}


@pytest.mark.parametrize("body", SAME.values(), ids=SAME)
def test_each_sender_of_the_same_group_is_read_alike(body: bytes) -> None:
    """Variants of a payload with the same meaning change no decision and no text."""
    assert parse(body) == EXPECTED


@pytest.mark.parametrize(
    "gone",
    [{"externalURL": None}, {"receiver": None}, {"groupLabels": None, "commonLabels": None}],
    ids=["address", "receiver", "labels"],
)
def test_null_stands_for_an_absent_value(gone: dict[str, Any]) -> None:
    """A null map or address is an empty one."""
    assert parse(to_bytes(a_body(**gone))).alerts == EXPECTED.alerts


def test_null_maps_and_addresses_of_an_alert_are_empty() -> None:
    """An alert whose annotations and address are null is the alert without them."""
    body = a_body(alerts=[an_alert(annotations=None, generatorURL=None)])
    assert parse(to_bytes(body)).alerts == (replace(EXPECTED.alerts[0], annotations={}, generator_url=""),)


def test_numbers_and_booleans_are_values_of_labels_and_annotations() -> None:
    """A template that writes a bare number or true does not lose the alert."""
    odd = {"port": 9100, "ratio": 0.5, "canary": True, "path": None, "list": ["a", 1]}
    text = {"port": "9100", "ratio": "0.5", "canary": "true", "list": '["a",1]'}
    body = a_body(alerts=[an_alert(labels=LABELS | odd, annotations=odd)], commonLabels=odd)
    group = parse(to_bytes(body))
    assert group.common_labels == text
    assert (group.alerts[0].labels, group.alerts[0].annotations) == (LABELS | text, text)


@pytest.mark.parametrize(
    ("given", "count"),
    [
        ("7", 7),
        (7.0, 7),
        ("7.0", 7),
        (" 7 ", 7),
        (6.5, 7),
        (10**30, 10**9),
        ("many", 1),
        (True, 1),
        (False, 0),
        ({}, 0),
    ],
)
def test_the_count_of_truncated_alerts_is_read_in_any_form(given: Any, count: int) -> None:
    """Alerts that were cut off are counted; what is no number counts as one, so that nothing is resolved by it."""
    assert parse(to_bytes(a_body(truncatedAlerts=given))) == replace(EXPECTED, truncated=count)


@pytest.mark.parametrize("given", [1, True, ["a"], {"a": 1}])
@pytest.mark.parametrize("name", ["receiver", "externalURL", "groupKey", "generatorURL", "fingerprint", "panelURL"])
def test_an_address_or_a_name_that_is_no_text_loses_no_alert(name: str, given: Any) -> None:
    """A field of the wrong type is read as its JSON."""
    (alert,) = parse(to_bytes(a_body(**{name: given}, alerts=[an_alert(**{name: given})]))).alerts
    assert (alert.name, alert.starts_at) == ("HighLatency", EXPECTED.alerts[0].starts_at)


@pytest.mark.parametrize("given", ["text", 7, True, ["a"], [["a", "b"]]])
@pytest.mark.parametrize("name", ["groupLabels", "commonLabels", "commonAnnotations", "annotations"])
def test_a_map_that_is_none_loses_no_alert(name: str, given: Any) -> None:
    """Only the labels of an alert must be a map."""
    (alert,) = parse(to_bytes(a_body(**{name: given}, alerts=[an_alert(**{name: given})]))).alerts
    assert (alert.labels, alert.firing) == (LABELS, True)


@pytest.mark.parametrize(
    "given", [{}, {"startsAt": None}, {"startsAt": ""}, {"startsAt": "an hour ago"}, {"startsAt": []}]
)
def test_an_alert_without_a_start_is_paged(given: dict[str, Any]) -> None:
    """The page counts from its own time then, as for Go's zero time."""
    (alert,) = parse(to_bytes(a_body(alerts=[without(an_alert(), "startsAt") | given]))).alerts
    assert alert.starts_at == EARLIEST


def test_the_alerts_of_a_resolved_payload_without_a_status_are_resolved() -> None:
    """An alert without a status has that of its group, and fires where the group has none either."""
    bare = without(an_alert(), "status")
    assert not parse(to_bytes(a_body(status="Resolved", alerts=[bare]))).firing
    assert parse(to_bytes(a_body(status=None, alerts=[bare]))).firing


@pytest.mark.parametrize("key", ["", None])
def test_a_payload_without_a_group_key_is_keyed_by_its_group_labels(key: str | None) -> None:
    """The same group has the same key, whatever alerts it has; without group labels it is that of the first alert."""
    other = an_alert(labels={"alertname": "Other"})
    one, two, three = (
        parse(to_bytes(a_body(groupKey=key, **each))).group_key
        for each in ({}, {"alerts": [other]}, {"groupLabels": {}, "alerts": [other]})
    )
    assert one == two != three
    assert three == '{}:{"alertname": "Other"}'


@pytest.mark.parametrize("given", [{}, {"fingerprint": ""}, {"fingerprint": None}], ids=["none", "empty", "null"])
def test_a_missing_fingerprint_is_made_of_the_labels(given: dict[str, Any]) -> None:
    """Alertmanager 0.16 to 0.18 and other senders without fingerprints get those that Alertmanager computes."""
    body = a_body(alerts=[without(an_alert(), "fingerprint") | given])
    assert parse(to_bytes(body)).alerts[0].fingerprint == fingerprint(LABELS)


def test_the_fingerprint_is_alertmanagers_own() -> None:
    """The vector is one of prometheus/common (model/signature_test.go)."""
    assert fingerprint({"name": "garland, briggs", "fear": "love is not enough"}) == f"{5799056148416392346:016x}"
    assert fingerprint({}) == f"{14695981039346656037:016x}"


@pytest.mark.parametrize("version", ["1", 1])
def test_a_payload_of_grafana_is_the_same_group(version: Any) -> None:
    """Grafana's superset of version 4 is paged as that version is."""
    body = a_body(**GRAFANA | {"version": version}, alerts=[an_alert(**GRAFANA_ALERT)])
    group = parse(to_bytes(body))
    (alert,) = group.alerts
    assert replace(group, alerts=(replace(alert, fingerprint=EXPECTED.alerts[0].fingerprint, links={}),)) == EXPECTED


def test_the_test_button_of_grafana_is_accepted() -> None:
    """A user who tests the contact point in Grafana sees that the way works."""
    alert = an_alert(labels={"alertname": "TestAlert", "instance": "Grafana"}, **GRAFANA_ALERT | {"values": None})
    key = '{alertname="TestAlert", instance="Grafana"}2026-11-29 13:12:07.926 +0100 CET m=+448423.18'
    body = a_body(**GRAFANA, receiver="", groupLabels={}, alerts=[alert], groupKey=key)
    assert [each.name for each in parse(to_bytes(body)).firing] == ["TestAlert"]


def test_no_alertmanager_is_asked_about_an_alert_of_grafana() -> None:
    """Reconciliation does not resolve what Grafana fires because an Alertmanager does not list it."""
    (alert,) = parse(to_bytes(a_body(**GRAFANA))).alerts
    incident = an_incident()
    (known,) = list(incident.alerts.values())[:1]
    assert expected_alerts(replace(incident, alerts={EXPECTED.alerts[0].fingerprint: known}))
    assert not expected_alerts(replace(incident, alerts={alert.fingerprint: known}))


@pytest.mark.parametrize(
    ("name", "given", "summary"),
    [
        ("DatasourceNoData", {"summary": "p99 is high"}, "Checkout p99: query returned no data (p99 is high)"),
        ("DatasourceError", {}, "Checkout p99: query failed"),
    ],
)
def test_an_alert_about_a_query_names_the_rule(name: str, given: dict[str, str], summary: str) -> None:
    """Grafana sends `DatasourceNoData` in the place of the rule's name; the page says which rule has no data."""
    labels = {"alertname": name, "rulename": "Checkout p99", "datasource_uid": "x", "ref_id": "A"}
    alert = an_alert(labels=labels, annotations=given)
    group = parse(to_bytes(a_body(**GRAFANA, alerts=[alert], commonLabels=labels, commonAnnotations=given)))
    assert group.alerts[0].annotations["summary"] == summary
    assert group.common_annotations["summary"] == summary
    assert group.alerts[0].labels == labels
