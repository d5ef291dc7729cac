"""Golden pages of incidents in a cluster, to be read as on-call reads them; UPDATE_GOLDEN=1 writes them anew."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(("cluster", "asked"), [("prod-eu", True), ("prod-us", False), ("", True)])
def test_alerts_of_another_cluster_are_not_looked_up_in_this_one(cluster: str, asked: bool) -> None:
    """With the name of the cluster configured, an alert of another one gets no facts about this one."""
    context = replace(shipped_context(), cluster_name="prod-eu")
    labels = {"alertname": "ServiceDown", "cluster": cluster, "namespace": "shop", "deployment": "orders"}
    found = context.questions(("cluster",), subject({key: each for key, each in labels.items() if each}, context.book))
    assert bool(found) is asked
