"""The runbooks: the anchors that rules point at, and commands fit to be run. Lint checks the rest."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from responder.runbooks.command import CommandLine, Scope, parse, split

FOLDER = Path(__file__).parents[2] / "runbooks"
RUNBOOKS = sorted(path for path in FOLDER.glob("*.md") if path.name != "README.md")
ANCHORS = {
    "common-issues.md": (
        "service-down high-error-rate high-latency crash-loop out-of-memory replicas-not-ready node-not-ready "
        "volume-filling database-connections-exhausted high-heap certificate-expiry kafka-lag unknown-alert "
        "dns-failure missing-configuration image-pull-failure pods-not-scheduled network-policy job-failed "
        "recent-change"
    ),
    "scaling.md": "autoscaler-at-its-limit",
    "disaster-recovery.md": "loss-of-a-node-pool loss-of-a-database",
    "incident-response.md": "first-five-minutes unknown-alert no-heartbeat",
}
FENCE = re.compile(r"^```(\w*)(?: (\{[^\n]*\}))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: Values of an alert, and the reach of commands, for the shipped rules.
VALUES = {
    **dict.fromkeys(("service", "horizontalpodautoscaler"), "plato"),
    "pod": "plato-7d9f8c6b5d-x2x4z",
    "node": "worker-1",
    "name": "plato-tls",
    "job_name": "plato-report",
    "persistentvolumeclaim": "data-plato-0",
}
SERVICES = ("capsule", "odyssey", "perception", "plato", "nexus")
SCOPE = Scope(
    namespace="butterfly",
    namespaces=frozenset({"butterfly"}),
    origins=frozenset(
        {*(f"{name}:8080" for name in SERVICES), "responder:8080", "prometheus.monitoring:9090"}
        | {"alertmanager.monitoring:9093"}
    ),
)
each_runbook = pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)


def prose(text: str) -> str:
    """The text without its fences, whose lines may look like headings."""
    return re.sub(r"^(`{3,}).*?^\1$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(path: Path) -> list[str]:
    """The anchors GitHub gives the headings of a file, without the repeated ones."""
    titles = re.findall(r"^#+ (.+)$", prose(path.read_text()), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]


@pytest.mark.parametrize("name", ANCHORS)
def test_the_anchors_of_the_rules_exist(name: str) -> None:
    """The link on a page leads to the section of the symptom, not to the top of a long file."""
    found = anchors(FOLDER / name)
    for anchor in ANCHORS[name].split():
        assert found.count(anchor) == 1, anchor


def test_the_readme_lists_every_runbook() -> None:
    """A runbook that exists can be found from the index."""
    catalog = (FOLDER / "README.md").read_text().split("## Quick Reference")[0]
    assert {path.name for path in RUNBOOKS} <= set(re.findall(r"\]\(([\w-]+\.md)\)", catalog))


@each_runbook
def test_commands_are_single_and_say_what_they_do(path: Path) -> None:
    """Every tagged command is one plain command, which responder would run if it only reads, with its output."""
    fences = FENCE.findall(path.read_text())
    names: list[str] = []
    for index, (language, info, body) in enumerate(fences):
        if language != "sh":
            continue
        following_language, following_info, expected = fences[index + 1]
        assert following_language == "text", body
        assert expected.strip(), body
        if not info:
            continue
        tags = json.loads(info)
        assert json.loads(following_info)["for"] == tags["name"]
        assert tags["tag"] in {"readonly", "mutating"}
        assert ("approval" in tags) == (tags["tag"] == "mutating")
        names.append(tags["name"])
        if tags["tag"] == "mutating":
            words = [word.text for word in split(body)]
            assert words[:3] in (["kubectl", "-n", "butterfly"], ["cmctl", "renew", "-n"]), body
        else:
            assert isinstance(parse(body, 1, VALUES, SCOPE), CommandLine), parse(body, 1, VALUES, SCOPE)
    assert len(names) == len(set(names))


@each_runbook
def test_what_changes_production_is_announced(path: Path) -> None:
    """Before anybody changes production they read that it does, what it costs and how it is taken back."""
    steps = re.split(r"^#+ ", path.read_text(), flags=re.MULTILINE)
    verbs = r"rollout (undo|restart|resume)|(un)?cordon|delete|scale|patch|set|drain|apply|edit"
    for step in steps:
        changes = bool(re.search(rf"^(kubectl -n butterfly ({verbs})|cmctl renew)\b", step, re.MULTILINE))
        assert changes == ('"tag":"mutating"' in step), step
        if changes:
            assert "(changes production)" in step.splitlines()[0], step
            assert "**Impact:**" in step, step
            assert re.search(r"\*\*Undo:\*\*", step), step
