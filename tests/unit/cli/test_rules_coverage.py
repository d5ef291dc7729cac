"""`responder rules coverage` says which rule each alert of a Prometheus meets, and its numbers add up."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from responder.cli.rules import rules
from responder.rulebook.foreign import NotReadableError, read_file
from responder.standins.server import Call, Reply, StandIn, as_json

ROOT = Path(__file__).parents[3]
HERE = ("--rules", str(ROOT / "rules"), "--runbooks", str(ROOT / "runbooks"))

PLAIN = """\
groups:
  - name: ours
    labels: {team: core}
    rules:
      - record: job:up
        expr: sum(up)
      - alert: ServiceDown
        expr: up == 0
        labels: &critical {severity: critical}
        annotations: {runbook_url: "https://example.com/<b>"}
      - alert: PrometheusRuleFailures
        expr: x > 0
        labels: *critical
  - name: more
    rules:
      - alert: NobodyKnows
        expr: y
        labels: {severity: "{{ $labels.level }}"}
      - {alert: "<script>alert(1)</script>", expr: z}
"""
MANIFEST = """\
apiVersion: v1
kind: ConfigMap
---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
spec:
  groups:
    - {name: a, rules: [{alert: KubePodCrashLooping, expr: x, labels: {severity: warning}}]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of rule files, some in it about something else."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "plain.yml").write_text(PLAIN)
    (tmp_path / "deep" / "manifest.yaml").write_text(MANIFEST)
    (tmp_path / "other.yaml").write_text("a: 1\n")
    return tmp_path


def _coverage(*arguments: str) -> Result:
    return CliRunner().invoke(rules, ["coverage", *HERE, *arguments])


def _json(*arguments: str) -> dict[str, Any]:
    found = json.loads(_coverage(*arguments, "--output", "json").output)
    assert isinstance(found, dict)
    return found


def _adds_up(found: dict[str, Any]) -> None:
    numbers = found["summary"]
    assert numbers["alerts"] == len(found["alerts"]) == numbers["matched"] + numbers["caught"]
    assert numbers["alerts"] == sum(numbers["severities"].values()) == sum(numbers["rules"].values())
    assert numbers["caught"] == sum(each["catch_all"] for each in found["alerts"]) == numbers["rules"]["unknown"]
    assert numbers["paging"] == sum(each["pages"] for each in found["alerts"])
    used = [rule for rule, count in numbers["rules"].items() if count]
    assert len(numbers["rules"]) == len(set(used) | {"unknown"}) + len(numbers["idle"])


def test_each_alert_is_shown_with_what_it_gets(folder: Path) -> None:
    """A team sees for each of its alerts the rule, the severity and the runbook before the first one fires."""
    found = _json(str(folder))
    _adds_up(found)
    assert {(each["alert"], each["rule"], each["severity"], each["runbook"]) for each in found["alerts"]} == {
        ("ServiceDown", "service-down", "P1", "common-issues.md#service-down"),
        ("PrometheusRuleFailures", "monitoring", "P2", "incident-response.md#unknown-alert"),
        ("NobodyKnows", "unknown", "P3", "common-issues.md#unknown-alert"),
        ("<script>alert(1)</script>", "unknown", "P3", "common-issues.md#unknown-alert"),
        ("KubePodCrashLooping", "crash-loop", "P2", "common-issues.md#crash-loop"),
    }
    assert found["summary"]["sources"] == 2
    assert found["summary"]["without_runbook_url"] == 4
    lines = {each["alert"]: each["line"] for each in found["alerts"] if each["source"].endswith("plain.yml")}
    assert PLAIN.splitlines()[lines["ServiceDown"] - 1] == "      - alert: ServiceDown"


def test_people_read_the_numbers_last(folder: Path) -> None:
    """What matters stands at the end of the screen: how many alerts nobody wrote a rule for."""
    done = _coverage(str(folder))
    assert done.exit_code == 0, done.output
    assert "5 alerts of 2 sources: 3 meet a rule of their own (60 %), 2 fall to the catch-all\n" in done.output
    assert "rules: 4 of 33 meet an alert" in done.output
    assert "NobodyKnows" not in done.output
    assert "NobodyKnows" in _coverage(str(folder), "--all").output


def test_labels_that_series_bring_can_be_given(tmp_path: Path) -> None:
    """Rules that match labels of the series can be tried, since a rule file does not name those."""
    (tmp_path / "a.yaml").write_text("groups: [{name: a, rules: [{alert: TargetDown, expr: x}]}]")
    assert [each["rule"] for each in _json(str(tmp_path))["alerts"]] == ["target-down"]
    assert [each["rule"] for each in _json(str(tmp_path), "--label", "service=plato")["alerts"]] == [
        "target-down-service"
    ]


def test_the_page_stands_alone_and_is_inert(folder: Path) -> None:
    """The HTML page can be mailed and opened anywhere: it loads nothing, and runs nothing out of a rule file."""
    page = _coverage(str(folder), "--output", "html").output
    assert page.startswith("<!doctype html>")
    assert "<script" not in page
    assert "src=" not in page
    assert "@import" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert 'href="https://example.com/&lt;b&gt;"' in page
    assert "prefers-color-scheme: dark" in page
    assert page.count("NobodyKnows") == 4


def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    """A broken file does not hide the others, and does not pass unnoticed."""
    (folder / "broken.yaml").write_text("groups: [")
    done = _coverage(str(folder), str(folder / "missing.yaml"))
    assert done.exit_code == 1
    assert "broken.yaml: line " in done.output
    assert "missing.yaml: No such file or directory" in done.output
    assert "5 alerts of 2 sources" in done.output
    assert _coverage().exit_code == 2


class _Prometheus(StandIn):
    """Answers the two questions that coverage asks."""

    def answer(self, call: Call) -> Reply:
        """Three rules, one of which fired."""
        if call.path.startswith("/api/v1/rules"):
            listed = [
                {"type": "alerting", "name": "ServiceDown", "labels": {"severity": "critical"}, "annotations": {}},
                {"type": "alerting", "name": "NobodyKnows", "labels": {}, "annotations": {}},
                {"type": "recording", "name": "job:up"},
            ]
            return as_json(200, {"status": "success", "data": {"groups": [{"name": "g", "rules": listed}]}})
        series = [{"metric": {"alertname": "NobodyKnows"}, "value": [0, "12.5"]}]
        return as_json(200, {"status": "success", "data": {"resultType": "vector", "result": series}})


def test_a_live_prometheus_is_asked_what_fired() -> None:
    """With a Prometheus at hand the alerts that really fire come first, with how long they did."""
    with _Prometheus() as server:
        found = _json("--prometheus", server.url)
        assert "NobodyKnows" in _coverage("--prometheus", server.url, "--all").output
    _adds_up(found)
    assert {(each["alert"], each["hours"]) for each in found["alerts"]} == {("ServiceDown", 0.0), ("NobodyKnows", 12.5)}
    assert (found["summary"]["hours"], found["summary"]["hours_caught"]) == (12.5, 12.5)


def test_a_prometheus_that_does_not_answer_is_named() -> None:
    """A wrong address is said to be one."""
    done = _coverage("--prometheus", "http://127.0.0.1:1")
    assert done.exit_code == 1
    assert "http://127.0.0.1:1" in done.output


@settings(deadline=None, max_examples=150)
@given(st.one_of(st.binary(max_size=60), st.text(alphabet="ab:-[]{}&*!#|>\n ", max_size=60).map(str.encode)))
def test_no_file_breaks_the_reader(raw: bytes) -> None:
    """Whatever stands in a folder, the command goes on and says what it could not read."""
    with suppress(NotReadableError):
        assert isinstance(read_file("x", raw), tuple)


def test_deep_nesting_is_refused() -> None:
    """A file made to break readers is refused."""
    with pytest.raises(NotReadableError, match="nested"):
        read_file("x", b"[" * 100_000)
