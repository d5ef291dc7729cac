"""Golden pages of incidents in a cluster, to be read as on-call reads them; UPDATE_GOLDEN=1 writes them anew."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from responder.diagnose.conclude import conclude
from responder.diagnose.contract import ProbeTools
from responder.diagnose.probes import PROBES
from responder.model.clock import Deadline
from responder.triage.subject import subject
from tests.support.kubernetes.pages import pages_of, shipped_context
from tests.support.kubernetes.scenarios import load

NOW = datetime(2026, 2, 28, 2, 47, tzinfo=UTC)
PAGES = Path(__file__).parent / "pages"
SCENARIOS = (
    *("crash-missing-env", "crash-oom-few-restarts", "image-tag-not-found", "config-key-missing", "quota-exceeded"),
    *("sched-taint", "chain-two-steps-oom", "chain-slow-after-rollout", "svc-selector-mismatch", "netpol-default-deny"),
    *("node-unreachable", "control-scrape-only"),
)


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_page_reads_as_written(name: str) -> None:
    """Cause, chain, change and first step are within ten lines, in the words of the file."""
    text = pages_of(load(Path(f"tests/scenarios/{name}.yaml"), NOW), NOW)
    path = PAGES / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()
    assert all(len(page.splitlines()) <= 11 for page in text.split("\n\n"))


@pytest.mark.parametrize(
    ("cluster", "said"), [("prod-eu", ""), ("prod-us", "cluster prod-us: another cluster, not looked up"), ("", "")]
)
def test_alerts_of_another_cluster_are_not_looked_up_in_this_one(tools: ProbeTools, cluster: str, said: str) -> None:
    """With the name of the cluster configured, an alert of another one gets no facts about this one, and says so."""
    context = replace(shipped_context(), cluster_name="prod-eu")
    labels = {"alertname": "ServiceDown", "cluster": cluster, "namespace": "shop", "deployment": "orders"}
    about = subject({key: each for key, each in labels.items() if each}, context.book)
    (question,) = context.questions(("cluster",), about)
    assert bool(question.query) is not bool(said)
    if said:
        findings = PROBES["kubernetes"].findings(question, Deadline(0.0), tools)
        assert conclude(findings, about).unknown == said
