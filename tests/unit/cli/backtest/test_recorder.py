"""Alertmanager's event recorder is a history too. The lines are written from ``eventrecorder.proto``, both versions."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from hypothesis import given, settings
from hypothesis import strategies as st

from responder.cli.backtest.recorder import NoEventError, read_line
from responder.receive.alertmanager import check, parse
from tests.unit.cli.backtest.conftest import as_found

Run = Callable[..., Result]


def _pairs(**labels: str) -> dict[str, Any]:
    return {"labels": [{"key": key, "value": value} for key, value in labels.items()]}


def _first(name: str, at: str, *, resolved: bool = False, receiver: str = "responder") -> dict[str, Any]:
    """A notification as Alertmanager 0.33 writes it: protojson leaves out what is false, zero or empty."""
    alert = {
        "fingerprint": "5799056148416392346",
        "name": name,
        "labels": _pairs(alertname=name, pod="pod-0"),
        "annotations": {},
        "startsAt": "2026-11-02T22:00:00Z",
        "endsAt": at if resolved else "2026-11-02T22:34:00.123456789Z",
        **({"resolved": True} if resolved else {}),
    }
    info = {"groupKey": f'{{}}:{{alertname="{name}"}}', "groupLabels": _pairs(alertname=name), "receiverName": receiver}
    told = {
        "alerts": [{"hash": "1", "details": alert}],
        "firingAlerts": [{"hash": "1"}],
        "groupInfo": info,
        "repeatInterval": "14400s",
        "reason": "NOTIFY_REASON_FIRST_NOTIFICATION",
        "flushId": "7",
        "integration": {"name": "webhook"},
    }
    return {"@timestamp": at, "instance": "am-0", "data": {"notification": told}}


def _second(name: str, at: str, *, resolved: bool = False, receiver: str = "responder") -> dict[str, Any]:
    """The same in the second version of the messages: labels are maps, alerts are not wrapped."""
    event = _first(name, at, resolved=resolved, receiver=receiver)
    told = event["data"]["notification"]
    alert = told["alerts"][0]["details"] | {"labels": {"alertname": name, "pod": "pod-0", "labels": "a name like any"}}
    info = told["groupInfo"] | {"groupLabels": {"alertname": name}}
    event["data"]["notification"] = told | {"alerts": [alert], "firingAlerts": [alert], "groupInfo": info}
    return event


_STARTUP = {"@timestamp": "2026-11-02T21:00:00Z", "data": {"alertmanagerStartupEvent": {"version": "0.33.0"}}}


@pytest.mark.parametrize("event", [_first, _second])
def test_recorded_notifications_are_replayed(run: Run, sets: Path, event: Callable[..., dict[str, Any]]) -> None:
    """A team that never kept its webhooks can still try a change on what Alertmanager recorded."""
    events = [
        _STARTUP,
        event("Down", "2026-11-02T22:00:30Z"),
        event("Slow", "2026-11-02T22:10:00Z"),
        event("Down", "2026-11-02T23:59:00Z", resolved=True),
        event("Slow", "2026-11-02T23:59:59Z", receiver="another"),
    ]
    (sets / "events.jsonl").write_text("".join(json.dumps(each) + "\n" for each in events))
    done = run(str(sets / "events.jsonl"), "--output", "json", "--receiver", "responder")
    assert done.exit_code == 0, done.output
    numbers = as_found(done)["summary"]
    assert (numbers["notifications"], numbers["new_page"], numbers["lost_page"]) == (3, 1, 1)
    assert numbers["last"] == "2026-11-02T23:59:00+00:00"
    assert as_found(run(str(sets / "events.jsonl"), "--output", "json"))["summary"]["notifications"] == 4


@pytest.mark.parametrize("event", [_first, _second])
def test_a_recorded_notification_is_the_webhook_it_was(event: Callable[..., dict[str, Any]]) -> None:
    """Group, fingerprint and times are those that Alertmanager sent, so the same incident is meant."""
    found = read_line(json.dumps(event("Down", "2026-11-02T22:01:00Z", resolved=True)).encode())
    assert found is not None
    group = parse(found[0])
    [alert] = group.alerts
    assert group.group_key == '{}:{alertname="Down"}'
    assert (alert.fingerprint, alert.firing) == ("507a62d79ee76c9a", False)
    assert alert.ends_at is not None
    assert alert.ends_at.isoformat() == "2026-11-02T22:01:00+00:00"
    assert alert.labels["pod"] == "pod-0"
    firing = read_line(json.dumps(event("Down", "2026-11-02T22:01:00Z")).encode())
    assert firing is not None
    assert parse(firing[0]).alerts[0].ends_at is None


def test_files_of_several_replicas_are_put_in_the_order_of_time(run: Run, sets: Path) -> None:
    """Two Alertmanagers of a pair each record what they sent; together they are one history."""
    folder = sets / "events"
    folder.mkdir()
    begins, ends = _first("Down", "2026-11-02T22:00:30Z"), _first("Down", "2026-11-02T22:30:00Z", resolved=True)
    (folder / "am-0.jsonl").write_text(json.dumps(ends))
    (folder / "am-1.jsonl").write_text(json.dumps(begins) + "\n" + json.dumps(_first("Slow", "2026-11-02T23:00:00Z")))
    numbers = as_found(run(str(folder), "--output", "json"))["summary"]
    assert (numbers["notifications"], numbers["pages_before"], numbers["new_page"]) == (3, 1, 1)


def test_lines_that_are_neither_are_named(run: Run) -> None:
    """A broken line is reported with its number, and does not hide the others."""
    good = json.dumps(_first("Down", "2026-11-02T22:00:30Z"))
    nothing = json.dumps(_first("Down", "2026-11-02T22:00:30Z") | {"data": {"notification": {}}})
    done = run("-", text=f"{{\n\n{good}\n[1]\n{{}}\n{nothing}\n")
    assert done.exit_code == 1
    assert "4 could not be read:" in done.output
    assert "  -:1: Input data was truncated" in done.output
    assert "  -:5: not an event of Alertmanager's event recorder and not a webhook payload" in done.output
    assert "  -:6: notification without alerts or without group key" in done.output
    assert "1 notification from -" in done.output


@settings(max_examples=150)
@given(st.one_of(st.binary(max_size=80), st.from_type(dict[str, int]).map(lambda each: json.dumps(each).encode())))
def test_no_line_breaks_the_reader(line: bytes) -> None:
    """Each line of any file is read or refused by its number."""
    with suppress(NoEventError):
        found = read_line(line)
        if found and found[1]:
            check(found[0])
