"""`responder rules explain` tells why an alert gets what it gets, from its labels to the people who are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from responder.cli.rules import rules

ROOT = Path(__file__).parents[3]
HERE = ("--rules", str(ROOT / "rules"), "--runbooks", str(ROOT / "runbooks"))


def _explain(*arguments: str, body: str = "") -> Result:
    return CliRunner().invoke(rules, ["explain", *HERE, *arguments], input=body)


def _labels(**labels: str) -> list[str]:
    return [part for name, value in labels.items() for part in ("--label", f"{name}={value}")]


def _element(*arguments: str) -> dict[str, Any]:
    [found] = json.loads(_explain(*arguments, "--output", "json").output)
    assert isinstance(found, dict)
    return found


def test_an_explanation_has_every_step() -> None:
    """One command answers which rule, how bad, which runbook, who is asked and who is told, and why."""
    done = _explain(
        *_labels(alertname="ServiceDown", service="plato", severity="critical", pod="kube-state-metrics-5f")
    )
    assert done.exit_code == 0, done.output
    text = done.output
    for heading in ("ALERT", "SUBJECT", "RULES", "SEVERITY", "RUNBOOK", "PROBES", "ROUTE", "DEDUP", "TITLE", "WHY"):
        assert f"\n{heading}" in text, heading
    assert 'rejected pod: "kube-state-metrics-5f" is an exporter' in text
    assert "  1 watchdog" in text
    assert "got 'ServiceDown'" in text
    assert "<- chosen (rules/20-spring-boot.yaml:" in text
    assert "would match too" in text
    assert "common-issues.md#service-down  ok" in text
    assert "GET http://plato:8080/actuator/health" in text
    assert "pagerduty critical, slack; somebody is woken" in text


def test_scripts_read_the_same() -> None:
    """What people see is there for scripts as well."""
    found = _element(*_labels(alertname="KubeHpaMaxedOut", severity="warning"))
    assert (found["rule"], found["severity"], found["page"], found["route"]) == (
        "autoscaler-at-its-limit",
        "P3",
        False,
        ["slack"],
    )
    assert found["runbook"] == {"target": "scaling.md#autoscaler-at-its-limit", "found": "ok"}
    assert [step["rule"] for step in found["rules"] if step["would_match"]] == ["autoscaler-at-its-limit", "unknown"]
    assert found["dedup"]["group_key"] == '{}:{alertname="KubeHpaMaxedOut"}'


@pytest.mark.parametrize("path", sorted((ROOT / "examples" / "alerts").glob("*.json")), ids=lambda path: path.stem)
def test_every_sample_can_be_explained(path: Path) -> None:
    """Any body that Alertmanager sends, hostile ones too, is explained and does not touch the terminal."""
    done = _explain(str(path))
    assert done.exit_code == 0, done.output
    assert all(sign.isprintable() or sign == "\n" for sign in done.output)
    assert len(_element(str(path))["rules"]) == 33


def test_a_body_may_come_on_standard_input() -> None:
    """A captured body can be piped in."""
    assert "from rule unknown" in _explain("-", body='{"labels": {"alertname": "NeverSeen"}}').output
    wrong = _explain("-", body="nonsense")
    assert wrong.exit_code == 1
    assert "PROBLEM" in wrong.output


def test_a_wrong_command_line_is_told() -> None:
    """Whoever gives nothing, or half a label, reads what to give."""
    assert _explain().exit_code == 2
    assert _explain("--label", "alertname").exit_code == 2
