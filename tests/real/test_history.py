"""A real Prometheus is a history to replay and to weigh rules by; a real Alertmanager says what fires now."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from responder.standins.monitoring import alertmanager, alertmanager_config, prometheus, prometheus_config
from responder.standins.processes import Program
from tests.real.conftest import ROOT, need, until

pytestmark = pytest.mark.real

_RULES = """\
groups:
  - name: real
    rules:
      - {alert: ServiceDown, expr: vector(1), labels: {service: plato, severity: critical}}
      - {alert: NobodyKnows, expr: vector(time() % 6) < 3, labels: {severity: warning}}
"""


@pytest.fixture(scope="module")
def remembered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A Prometheus in which one alert fires all the time, and another one has come and gone twice."""
    need("prometheus")
    with prometheus(tmp_path_factory.mktemp("prometheus"), prometheus_config({}, []), _RULES) as program:
        until(lambda: _ends(program.url) >= 2, 40)
        time.sleep(1.2)  # the step that shows the last end lies in the past then
        yield program


def _ends(url: str) -> int:
    """Number of times the flapping alert stopped: it fired a second ago, and does not now."""
    fires = 'ALERTS{alertname="NobodyKnows", alertstate="firing"}'
    query = f"sum(sum_over_time(({fires} offset 1s unless {fires})[1m:1s]))"
    with urllib.request.urlopen(f"{url}/api/v1/query?query={quote(query)}", timeout=5) as answer:
        found = json.load(answer)["data"]["result"]
    return int(found[0]["value"][1]) if found else 0


def _responder(*arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "responder", *arguments, "--output", "json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_prometheus_remembers_is_replayed(remembered: Program, tmp_path: Path) -> None:
    """A change of rules can be compared with nothing but a Prometheus."""
    rules = tmp_path / "rules"
    rules.mkdir()
    for path in (ROOT / "rules").glob("*.yaml"):
        (rules / path.name).write_text(path.read_text().replace("critical: P1, warning: P2", "critical: P3"))
    history = ("--prometheus", remembered.url, "--since", "2m", "--step", "1s")
    found = _responder("backtest", *history, "--rules", str(rules), "--runbooks", "runbooks", "--against", "./rules")
    numbers = found["summary"]
    assert numbers["notifications"] >= 4
    assert (numbers["pages_before"], numbers["pages_after"], numbers["lost_page"]) == (1, 0, 1)
    assert list(found["rules"]) == ["service-down"]


def test_alerts_are_weighed_by_what_prometheus_remembers(remembered: Program) -> None:
    """The number of times an alert fired is taken from Prometheus, so that the most frequent is listed first."""
    found = _responder("rules", "coverage", "--prometheus", remembered.url, "--since", "2m")
    weights = {each["alert"]: (each["fired"], each["hours"]) for each in found["alerts"]}
    assert weights["ServiceDown"][0] == 1
    assert weights["ServiceDown"][1] > 0
    assert weights["NobodyKnows"][0] >= 2
    assert found["summary"]["fired"] == weights["ServiceDown"][0] + weights["NobodyKnows"][0]
    assert found["summary"]["fired_strange"] == 0


def test_what_fires_in_alertmanager_is_explained(tmp_path: Path) -> None:
    """Alerts that fire now are explained; silenced ones are left out."""
    need("prometheus-alertmanager")
    labels = {"alertname": "ServiceDown", "severity": "critical"}
    services = ("plato", "odyssey")
    with alertmanager(tmp_path, alertmanager_config("http://127.0.0.1:1/webhook", "token")) as program:
        silence = {
            "matchers": [{"name": "service", "value": "odyssey", "isRegex": False, "isEqual": True}],
            "startsAt": "2020-01-01T00:00:00Z",
            "endsAt": "2099-01-01T00:00:00Z",
            "createdBy": "test",
            "comment": "test",
        }
        _post(f"{program.url}/api/v2/silences", silence)
        _post(f"{program.url}/api/v2/alerts", [{"labels": labels | {"service": each}} for each in services])
        until(lambda: _fires(program.url) == len(services))
        found = _responder("rules", "explain", "--alertmanager", program.url, "--filter", "severity=~crit.*")
    [element] = found
    assert (element["rule"], element["severity"], element["subject"]["service"]) == ("service-down", "P1", "plato")
    assert element["dedup"]["group_key"] == '{}:{alertname="ServiceDown", service="plato"}'


def _post(url: str, value: object) -> None:
    request = urllib.request.Request(url, json.dumps(value).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.status == 200


def _fires(url: str) -> int:
    with urllib.request.urlopen(f"{url}/api/v2/alerts", timeout=5) as answer:
        return sum(each["status"]["state"] != "unprocessed" for each in json.load(answer))
