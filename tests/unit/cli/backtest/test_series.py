"""Prometheus' history of ALERTS is converted to the notifications it would have caused."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from responder.cli.backtest.series import Grouping
from responder.cli.samples import fingerprint
from responder.receive.alertmanager import parse
from responder.standins.server import Call, Reply, StandIn, as_json
from tests.unit.cli.backtest.conftest import as_found

Run = Callable[..., Result]
DOWN = {"alertname": "Down", "pod": "pod-0"}
OTHER = {"alertname": "Down", "pod": "pod-1"}


def _answer(*series: tuple[Mapping[str, str], list[float]]) -> dict[str, Any]:
    named = {"__name__": "ALERTS", "alertstate": "firing"}
    result = [{"metric": named | dict(labels), "values": [[at, "1"] for at in times]} for labels, times in series]
    return {"status": "success", "data": {"resultType": "matrix", "result": result}}


def _told(grouping: Grouping, answer: dict[str, Any], times: list[float]) -> list[tuple[float, int, int]]:
    """Time, and numbers of firing and resolved alerts, of each notification."""
    found = []
    for at, body in grouping.notifications(answer, times):
        group = parse(body)
        found.append((at, len(group.firing), len(group.alerts) - len(group.firing)))
    return found


def test_a_notification_is_sent_where_a_group_changes() -> None:
    """Alerts fire, join and resolve as Alertmanager would have notified, to the precision of a step."""
    answer = _answer((DOWN, [60.0, 120.0, 180.0]), (OTHER, [120.0]))
    told = _told(Grouping(["alertname"]), answer, [0.0, 60.0, 120.0, 180.0, 240.0])
    assert told == [(60.0, 1, 0), (120.0, 2, 0), (180.0, 1, 1), (240.0, 0, 1)]


def test_alerts_fire_on_across_two_answers() -> None:
    """A month is queried by the day, and an alert that fires over midnight does not start anew."""
    grouping = Grouping(["alertname"])
    assert _told(grouping, _answer((DOWN, [0.0, 60.0])), [0.0, 60.0]) == [(0.0, 1, 0)]
    assert _told(grouping, _answer((DOWN, [120.0])), [120.0, 180.0]) == [(180.0, 0, 1)]


def test_groups_are_those_of_the_labels_named() -> None:
    """Alerts are gathered as the route of Alertmanager gathers them; a label that is missing is left out."""
    payloads = [
        parse(body) for _, body in Grouping(["alertname", "pod", "x"]).notifications(_answer((DOWN, [0.0])), [0])
    ]
    assert [(group.group_key, group.alerts[0].fingerprint) for group in payloads] == [
        ('{}:{alertname="Down", pod="pod-0"}', fingerprint(DOWN))
    ]


@given(st.lists(st.lists(st.integers(0, 4), max_size=5), min_size=1, max_size=12))
def test_what_fires_is_known_at_each_step(steps: list[list[int]]) -> None:
    """After each step exactly the alerts that Prometheus reports as firing count as firing."""
    times = [float(at) for at in range(len(steps))]
    series = [
        (
            {"alertname": f"A{each % 2}", "n": str(each)},
            [at for at, now in zip(times, steps, strict=True) if each in now],
        )
        for each in range(5)
    ]
    known: dict[str, set[str]] = {}
    grouping = Grouping(["alertname"])
    payloads = list(grouping.notifications(_answer(*(each for each in series if each[1])), times))
    for at, now in zip(times, steps, strict=True):
        for body in (json.loads(body) for when, body in payloads if when == at):
            firing = {each["labels"]["n"] for each in body["alerts"] if each["status"] == "firing"}
            known[body["groupKey"]] = firing
        assert set().union(*known.values()) == {str(each) for each in now}


class _Prometheus(StandIn):
    """One alert that fires in the second hour before the end of each queried range."""

    asked: list[dict[str, str]]

    def answer(self, call: Call) -> Reply:
        """The series of the one alert, as far as the range reaches."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(call.path).query).items()}
        self.asked.append(asked)
        start, end, step = (float(asked[name]) for name in ("start", "end", "step"))
        times = [start + number * step for number in range(int((end - start) / step) + 1)]
        return as_json(200, _answer((DOWN, [at for at in times if 3600 < end - at < 7200])))


def test_a_live_prometheus_is_asked_a_day_at_a_time(run: Run) -> None:
    """Weeks of history are read from a Prometheus without asking it for more than it answers."""
    with _Prometheus() as server:
        server.asked = []
        done = run("--prometheus", server.url + "/", "--since", "3d", "--step", "5m", "--output", "json")
        assert done.exit_code == 0, done.output
        asked = server.asked
    assert [each["query"] for each in asked] == ['ALERTS{alertstate="firing"}'] * 4
    assert float(asked[1]["start"]) - float(asked[0]["end"]) == 300.0
    found = as_found(done)
    assert (found["summary"]["notifications"], found["summary"]["lost_page"]) == (6, 3)


class _Refusing(StandIn):
    """Answers with what it was given."""

    reply: Reply

    def answer(self, call: Call) -> Reply:
        """The one answer it has."""
        return self.reply


def test_a_prometheus_that_refuses_is_quoted(run: Run) -> None:
    """An error from Prometheus is printed in its own words; so is a missing server."""
    with _Refusing() as server:
        server.reply = as_json(422, {"status": "error", "errorType": "execution", "error": "query timed out"})
        refused = run("--prometheus", server.url)
        server.reply = as_json(200, {"status": "success", "data": {"resultType": "vector", "result": []}})
        other = run("--prometheus", server.url)
    assert refused.exit_code == other.exit_code == 1
    assert "status 422: query timed out" in refused.stderr
    assert "the response is not a range query result" in other.stderr
    nobody = run("--prometheus", "http://127.0.0.1:1")
    assert nobody.exit_code == 1
    assert "http://127.0.0.1:1/api/v1/query_range: " in nobody.stderr
