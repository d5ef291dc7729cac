"""Incidents in a cluster, from the notification to the page: what it must say, and what it must not."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from responder.standins.monitoring import prometheus
from responder.standins.processes import Program, free_port
from responder.standins.server import drip, hang, healthy, status
from responder.standins.stage import Stage, stage
from tests.real.conftest import ROOT, need, until
from tests.real.test_sigkill import children
from tests.support.kubernetes.metrics import openmetrics
from tests.support.kubernetes.scenarios import Scenario, load, notification, problems_of
from tests.support.kubernetes.server import KubernetesStandIn
from tests.support.kubernetes.services import ServicesStandIn

pytestmark = pytest.mark.real

#: Seconds for the page with its findings, on a loaded machine.
PAGE_SECONDS = 15.0
#: The scenarios that are published. The others of tests/scenarios run in memory, in test_investigation.py.
PUBLISHED = (
    "control-scrape-only",
    "crash-missing-env",
    "image-tag-not-found",
    "job-failed-db",
    "limits-logs-forbidden",
    "netpol-blocks",
    "node-unreachable",
    "pool-exhausted-db-idle",
    "probe-readiness-404",
    "pvc-storage-class-missing",
    "quota-exceeded",
    "rollout-stuck-new-pod-unready",
    "sched-cpu-too-big",
    "svc-selector-mismatch",
)
SCENARIOS = ROOT / "tests" / "scenarios"


class Installation:
    """One `serve` for all scenarios, with a cluster, Services and a Prometheus that each scenario replaces."""

    def __init__(self, stage: Stage, cluster: KubernetesStandIn, services: ServicesStandIn, port: int) -> None:
        self.stage = stage
        self.cluster = cluster
        self.services = services
        self.port = port
        self.program: Program

    def page(self, scenario: Scenario, now: datetime, folder: Path) -> str:
        """Return what is wrong with the page of a scenario, and the page."""
        self.cluster.cluster, self.services.scenario = scenario.cluster, scenario
        blocks(scenario, now, folder)
        self.restart()
        events, messages = len(self.stage.pagerduty.events), len(self.stage.slack.messages)
        with prometheus(folder, "{}", "{}", port=self.port):
            assert self.stage.post(notification(scenario)).status == 202
            deadline = time.monotonic() + PAGE_SECONDS
            while True:
                text = page(self.stage, events, messages)
                # Slack has the message of every severity, and gets it last.
                ended = any(re.search(r"\d+ probes? in ", each) for each in chat(self.stage, messages))
                problems = problems_of(scenario, text) if ended else ["no message with findings"]
                if not problems or time.monotonic() > deadline:
                    break
                time.sleep(0.1)
        self.stage.post(notification(scenario, "resolved"))
        return "\n".join([*problems, text]) if problems else ""

    def restart(self) -> None:
        """Replace the worker process, so that no answer of the scenario before is in its memory."""
        before = children(self.program.process.pid)
        os.kill(before[0], signal.SIGTERM)
        until(lambda: set(children(self.program.process.pid)) - set(before))


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """`serve` with the shipped rules."""
    need("prometheus")
    folder, port = tmp_path_factory.mktemp("scenarios"), free_port()
    first = load(SCENARIOS / f"{PUBLISHED[0]}.yaml", datetime.now(UTC))
    with (
        stage(folder, rules=rules_without_floods(folder), runbooks=ROOT / "runbooks") as around,
        KubernetesStandIn(first.cluster, folder) as cluster,
        ServicesStandIn(first) as services,
    ):
        made = Installation(around, cluster, services, port)
        settings = {
            "workers": "1",
            "kubeconfig": str(cluster.kubeconfig()),
            "prometheus_url": f"http://127.0.0.1:{port}",
            "connect_to": services.connect_to,
        }
        with around.serve(**settings) as made.program:
            yield made


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_page_says_the_cause(name: str, installation: Installation, tmp_path: Path) -> None:
    """The page has every expected fact and no forbidden one, and nothing is written to the cluster."""
    now = datetime.now(UTC)
    assert installation.page(load(SCENARIOS / f"{name}.yaml", now), now, tmp_path) == ""
    assert installation.cluster.refused == []


def rules_without_floods(folder: Path) -> Path:
    """Return the shipped rules, in which every incident pages by itself."""
    rules = Path(shutil.copytree(ROOT / "rules", folder / "rules"))
    path = rules / "01-severities.yaml"
    path.write_text(re.sub(r"flood_above: \d+", "flood_above: 0", path.read_text("utf-8")), "utf-8")
    return rules


def blocks(scenario: Scenario, now: datetime, folder: Path) -> None:
    """Write the series of a scenario as the data of a Prometheus in ``folder``."""
    (folder / "series.txt").write_text(openmetrics(scenario, now), "utf-8")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "-q", "series.txt", "prometheus.data"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def page(stage: Stage, events: int, messages: int) -> str:
    """Return the lines of the newest PagerDuty event and of the Slack message as last updated, after so many others."""
    lines: list[str] = []
    triggers = [each for each in stage.pagerduty.events[events:] if each.body["event_action"] == "trigger"]
    for event in triggers[-1:]:
        payload = event.body["payload"]
        lines.append(payload["summary"])
        lines += [f"{key}: {value}" for key, value in payload.get("custom_details", {}).items()]
    return "\n".join(lines + chat(stage, messages))


def chat(stage: Stage, messages: int) -> list[str]:
    """Return the lines of the Slack message as it reads now, after so many others."""
    own = (each for each in stage.slack.messages[messages:] if not each.thread_ts)
    return [line for message in own for line in (message.text, *message.lines)]


#: Budgets of pages in the shipped rules, in seconds, by the severity in their titles.
BUDGET_SECONDS = {"[P1]": 8.0, "[P2]": 15.0}
#: Seconds that a loaded machine may add.
MARGIN_SECONDS = 2.0
#: Faults of the API server, and what a page says of them.
MANNERS = {
    "throttles": (status(429, b"", Retry_After="1"), r"throttles requests \(429\)"),
    "unavailable": (status(503), r"answered 503"),
    "hangs": (hang(60.0), r"cluster: not checked|(pods|events|the API server)[^;]*(timed out|no answer)"),
    "drips": (drip(1.0), r"cluster: not checked|(pods|events|the API server)[^;]*(timed out|no answer)"),
}


@pytest.mark.parametrize("manner", MANNERS)
def test_an_api_server_in_trouble_costs_only_its_findings(manner: str, installation: Installation) -> None:
    """The page of each scenario leaves within its budget, and says what could not be read of the cluster."""
    fault, said = MANNERS[manner]
    around = installation.stage
    events, messages = len(around.pagerduty.events), len(around.slack.messages)
    installation.restart()
    installation.cluster.manner = lambda _call: fault
    posted: dict[str, float] = {}
    try:
        for name in PUBLISHED:
            scenario = replace(load(SCENARIOS / f"{name}.yaml", datetime.now(UTC)), name=f"{name}-{manner}")
            posted[dedup_key(scenario)] = time.monotonic()
            assert around.post(notification(scenario)).status == 202

        def unseen() -> list[str]:
            return [each for each in roots(around, messages) if re.search(said, each)]

        until(lambda: len(unseen()) == len(PUBLISHED), 60.0)
    finally:
        installation.cluster.manner = healthy
    # The resolve of the scenario before may come late.
    own = [each for each in around.pagerduty.events[events:] if each.dedup_key in posted]
    first = {each.dedup_key: each for each in reversed(own)}
    late = [
        each.summary
        for each in first.values()
        if each.arrived - posted[each.dedup_key] > BUDGET_SECONDS[each.summary[:4]] + MARGIN_SECONDS
    ]
    assert late == []


def dedup_key(scenario: Scenario) -> str:
    """Return the key of the incident that a scenario opens."""
    return sha256(json.loads(notification(scenario))["groupKey"].encode()).hexdigest()


def roots(stage: Stage, messages: int) -> list[str]:
    """Return the text of each Slack message outside threads, after so many others."""
    return ["\n".join(each.lines) for each in stage.slack.messages[messages:] if not each.thread_ts]
