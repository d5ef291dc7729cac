"""The stand-in Prometheus answers as the real one does, and BUTTERFLY gives the real one something to scrape."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from responder.standins import butterfly
from responder.standins.butterfly import ButterflyStandIn
from responder.standins.monitoring import alertmanager_config, prometheus_config
from responder.standins.processes import free_port
from responder.standins.prometheus import PrometheusStandIn, SeriesSample


@pytest.fixture(name="prometheus")
def a_prometheus() -> Iterator[PrometheusStandIn]:
    """A stand-in with two series."""
    with PrometheusStandIn() as found:
        found.set("up", 1)
        found.set('up{service="plato"}', SeriesSample(value=0, was=1, labels={"pod": "plato-0"}))
        yield found


def ask(prometheus: PrometheusStandIn, path: str = "query", **asked: str) -> Any:
    """The data of an answer."""
    with urllib.request.urlopen(f"{prometheus.url}/api/v1/{path}?{urlencode(asked)}") as response:
        return json.load(response)["data"]


def test_what_was_set_last_answers(prometheus: PrometheusStandIn) -> None:
    """A test sets the usual first and then what is special."""
    assert [each["value"][1] for each in ask(prometheus, query="sum(up)")["result"]] == ["1"]
    (special,) = ask(prometheus, query='sum(up{service="plato"})')["result"]
    assert (special["value"][1], special["metric"]) == ("0", {"pod": "plato-0"})
    assert ask(prometheus, query="something_else") == {"resultType": "vector", "result": []}
    assert prometheus.queries[0] == "sum(up)"


def test_a_range_runs_from_what_was_to_what_is(prometheus: PrometheusStandIn) -> None:
    """Sparklines have something to show."""
    data = ask(prometheus, "query_range", query='up{service="plato"}', start="100", end="160", step="15")
    assert data["resultType"] == "matrix"
    assert data["result"][0]["values"] == [[100, "1"], [115, "0.75"], [130, "0.5"], [145, "0.25"], [160, "0"]]


@pytest.mark.parametrize("asked", [{"query": ""}, {"query": "up", "start": "1", "end": "2", "step": "0"}])
def test_bad_requests_are_refused_as_prometheus_refuses_them(
    prometheus: PrometheusStandIn, asked: dict[str, str]
) -> None:
    """A probe with an invalid query fails in tests already."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(prometheus, "query_range", **asked)
    assert refused.value.code == 400
    assert json.load(refused.value)["errorType"] == "bad_data"
    refused.value.close()


def test_butterfly_can_be_scraped() -> None:
    """A real rule has a metric to fire on."""
    with ButterflyStandIn() as platform:
        platform.set("plato", butterfly.down())
        pages = {}
        for service, target in platform.scrape_targets.items():
            with urllib.request.urlopen(f"http://{target}") as response:
                pages[service] = response.read().decode().splitlines()[-1]
    assert pages["plato"] == "application_up 0"
    assert {line for service, line in pages.items() if service != "plato"} == {"application_up 1"}


def test_configurations_hold_what_they_were_given() -> None:
    """The real programs are pointed at loopback addresses and the token, at nothing else."""
    receiver = json.loads(alertmanager_config("http://127.0.0.1:1/webhook", "secret"))["receivers"][0]
    (webhook,) = receiver["webhook_configs"]
    assert webhook["url"] == "http://127.0.0.1:1/webhook"
    assert webhook["http_config"]["authorization"]["credentials"] == "secret"
    config = json.loads(prometheus_config({"plato": "127.0.0.1:2/plato/metrics"}, ["http://127.0.0.1:3"]))
    (scrape,) = config["scrape_configs"][0]["static_configs"]
    assert (scrape["targets"], scrape["labels"]["__metrics_path__"]) == (["127.0.0.1:2"], "/plato/metrics")
    assert config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] == ["127.0.0.1:3"]


def test_ports_lie_below_those_of_outgoing_connections() -> None:
    """A free port is not used by another outgoing connection before it is bound."""
    assert all(10_000 <= free_port() < 32_000 for _ in range(20))
