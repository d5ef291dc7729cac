"""Files shipped with the program work with their tools: alerts and their tests, routes, the dashboard."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.real.conftest import ROOT, need

pytestmark = pytest.mark.real
DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus" / "responder.rules.yml"


def run(*command: str) -> str:
    """The output of a program that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def metrics_in(text: str) -> set[str]:
    """The metrics of responder that a text names, without the suffixes of a histogram."""
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"\bresponder_[a-z_]+", text)}


def test_each_alert_about_responder_fires_when_it_should() -> None:
    """Every alert is tried on made-up series, among them some on which it must stay silent."""
    need("promtool")
    run("promtool", "check", "rules", str(RULES))
    run("promtool", "test", "rules", str(RULES.with_suffix(".test.yml")))
    alerts = re.findall(r"- alert: (\w+)", RULES.read_text())
    tried = set(re.findall(r"alertname: (\w+)", RULES.with_suffix(".test.yml").read_text()))
    assert len(alerts) >= 10
    assert set(alerts) == tried


def test_each_alert_leads_to_its_section_of_the_runbook() -> None:
    """Each alert links to its runbook section."""
    sections = {title.lower() for title in re.findall(r"^### (Responder\w+)$", _runbook(), re.MULTILINE)}
    links = re.findall(r"runbook_url: \S+/responder\.md#(\w+)", RULES.read_text())
    assert set(links) == sections
    assert len(links) == RULES.read_text().count("- alert:")


def _runbook() -> str:
    return (ROOT / "runbooks" / "responder.md").read_text()


def test_alerts_and_dashboard_use_metrics_that_exist() -> None:
    """An alert on a metric that was renamed would never fire."""
    known = set(re.findall(r"^\| `(\w+)`", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE))
    dashboard = json.loads((DEPLOY / "grafana" / "responder.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(asked) >= 15
    assert metrics_in(RULES.read_text()) <= known
    assert metrics_in(" ".join(asked)) <= known


def test_the_dashboard_asks_what_prometheus_understands(tmp_path: Path) -> None:
    """No panel shows an error in place of a graph."""
    need("promtool")
    dashboard = json.loads((DEPLOY / "grafana" / "responder.json").read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    rules = [
        {"record": f"panel:{number}", "expr": expr.replace("$__rate_interval", "5m")}
        for number, expr in enumerate(asked)
    ]
    path = tmp_path / "panels.yml"
    path.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    run("promtool", "check", "rules", str(path))


def test_the_configurations_of_the_alerting_page_are_valid(tmp_path: Path) -> None:
    """Each configuration in the docs is one that Alertmanager loads, and critical alerts take both integrations."""
    need("amtool")
    text = (ROOT / "docs" / "monitoring" / "alerting.md").read_text()
    blocks = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    routes = [block for block in blocks if re.search(r"^route:", block, re.MULTILINE)]
    inhibits = "\n".join(block for block in blocks if block.startswith("inhibit_rules:"))
    assert (len(routes), inhibits.count("equal:")) == (2, 1)
    config = tmp_path / "alertmanager.yml"
    for block in routes:
        config.write_text(f"{block}{inhibits}")
        run("amtool", "check-config", str(config))
    labels = ("alertname=ServiceDown", "severity=critical")
    found = run("amtool", "config", "routes", "test", f"--config.file={config}", *labels)
    assert found.strip() == "responder-and-pagerduty"


@pytest.mark.parametrize(
    ("alert", "receivers"),
    [
        ("ServiceDown", "responder"),
        ("Watchdog", "responder-heartbeat,outside-heartbeat"),
        ("ResponderDown", "past-responder"),
    ],
)
def test_the_routes_send_alerts_about_responder_past_it(alert: str, receivers: str) -> None:
    """Alerts about responder bypass it, and the Watchdog takes both routes."""
    need("amtool")
    config = str(DEPLOY / "alertmanager.yml")
    run("amtool", "check-config", config)
    assert (
        run("amtool", "config", "routes", "test", f"--config.file={config}", f"alertname={alert}").strip() == receivers
    )
