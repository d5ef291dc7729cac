"""Incidents in a cluster, from the notification to the page: what it must say, and what it must not."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from responder.standins.stage import Stage
from tests.support.kubernetes.scenarios import Scenario, load, problems_of
from tests.support.kubernetes.server import KubernetesStandIn

pytestmark = pytest.mark.real

#: Seconds for the page with its findings, on a loaded machine.
PAGE_SECONDS = 15.0
SCENARIOS = sorted(Path("tests/scenarios").glob("*.yaml"))


def notification(scenario: Scenario) -> bytes:
    """Return the body that Alertmanager posts."""
    alerts = [
        {
            "status": "firing",
            "labels": each["labels"],
            "annotations": each.get("annotations", {}),
            "startsAt": each["startsAt"],
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "",
            "fingerprint": "",
        }
        for each in scenario.alerts
    ]
    common = scenario.alerts[0]["labels"]
    return json.dumps(
        {
            "version": "4",
            "groupKey": f'{{}}:{{alertname="{common["alertname"]}"}}',
            "status": "firing",
            "receiver": "responder",
            "groupLabels": {"alertname": common["alertname"]},
            "commonLabels": common,
            "commonAnnotations": {},
            "externalURL": "http://alertmanager.example:9093",
            "truncatedAlerts": 0,
            "alerts": alerts,
        }
    ).encode()


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_the_page_says_the_cause(path: Path, stage: Stage, tmp_path: Path) -> None:
    """The page has every expected fact and no forbidden one, and nothing is written to the cluster."""
    scenario = load(path, datetime.now(UTC))
    with (
        KubernetesStandIn(scenario.cluster, tmp_path) as cluster,
        stage.serve(workers="1", kubeconfig=str(cluster.kubeconfig())),
    ):
        assert stage.post(notification(scenario)).status == 202
        deadline = time.monotonic() + PAGE_SECONDS
        while (problems := problems_of(scenario, page(stage))) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert problems == [], page(stage)
        assert cluster.writes == []


def page(stage: Stage) -> str:
    """Return the lines of the newest PagerDuty event and of the Slack message as last updated."""
    lines: list[str] = []
    for event in stage.pagerduty.events[-1:]:
        payload = event.body["payload"]
        lines.append(payload["summary"])
        lines += [f"{key}: {value}" for key, value in payload.get("custom_details", {}).items()]
    for message in stage.slack.messages:
        if not message.thread_ts:
            lines += [message.text, *message.lines]
    return "\n".join(lines)
