"""Investigations of the scenarios in memory."""

from __future__ import annotations

import dataclasses
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from responder.diagnose.cluster.reader import MOST_CALLS
from responder.diagnose.conclude import conclude
from responder.diagnose.explain import explain
from responder.model.finding import Verdict
from tests.support.builders import a_finding, a_subject
from tests.support.kubernetes.investigation import clues_of
from tests.support.kubernetes.scenarios import Scenario, load, problems_of
from tests.support.kubernetes.variants import with_noise, without_logs

SCENARIOS = sorted(Path("tests/scenarios").glob("*.yaml"))


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_the_cause_is_the_object_that_explains_the_alert(path: Path) -> None:
    """The cause is about the entity of the scenario, with at most 20 reads; without a fault there is none."""
    scenario = load(path, datetime.now(UTC))
    known = explain(clues_of(scenario))
    assert len(scenario.cluster.asked) <= MOST_CALLS
    expected = scenario.given["expect"]["entity"]
    blamed = known.cause or next(iter(known.symptoms), None)
    if scenario.given["class"] == "control" or not expected:
        assert blamed is None
    else:
        assert blamed is not None
        assert blamed.entity.startswith(expected)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_the_conclusion_says_the_facts(path: Path) -> None:
    """The cluster alone is enough for every expected fact of a scenario without metrics."""
    scenario = load(path, datetime.now(UTC))
    if scenario.given.get("metrics"):
        pytest.skip("its facts come from Prometheus too")
    findings = [a_finding(Verdict.BAD, kind="kubernetes", headline=clue.says, clue=clue) for clue in clues_of(scenario)]
    said = conclude(findings, a_subject())
    parts = (
        said.likely,
        said.chain,
        said.evidence,
        said.changed,
        f"ruled out: {said.ruled_out}",
        f"unknown: {said.unknown}",
        said.seen,
    )
    assert problems_of(scenario, "\n".join(parts)) == []


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_noise_is_not_blamed(path: Path) -> None:
    """Ten other workloads with old warnings and restarts in the namespace change nothing of what a page says."""
    now = datetime.now(UTC)
    scenario = load(path, now)
    quiet, noisy = (explain(clues_of(each, now)) for each in (scenario, with_noise(scenario, now)))
    assert noisy.cause == quiet.cause
    assert noisy.chain == quiet.chain
    assert noisy.changes == quiet.changes
    assert "bystander" not in str((noisy.cause, noisy.chain, noisy.symptoms, noisy.changes))


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_forbidden_logs_are_named_and_nothing_is_invented_in_their_place(path: Path) -> None:
    """Without the right to read logs a page says so, and states no fact that is wrong for the scenario."""
    scenario = without_logs(load(path, datetime.now(UTC)))
    clues = clues_of(scenario)
    known = explain(clues)
    if any("/log?" in target for target in scenario.cluster.asked):
        assert any("pods/log" in each.says for each in known.unseen)
    findings = [a_finding(Verdict.BAD, kind="kubernetes", headline=clue.says, clue=clue) for clue in clues]
    said = conclude(findings, a_subject())
    assert [each for each in problems_of(scenario, said.likely) if each.startswith("states")] == []
    if scenario.given["class"] == "control":
        assert known.cause is None


@pytest.mark.parametrize(
    "name", ["crash-missing-env", "crash-oom-few-restarts", "image-tag-not-found", "storage-multi-attach"]
)
def test_the_node_of_a_pod_beside_its_name_changes_nothing(name: str) -> None:
    """An alert of the kubelet or of cAdvisor also has the label node: pods are counted once, the cause is the same."""
    scenario = load(Path(f"tests/scenarios/{name}.yaml"), datetime.now(UTC))
    labels = scenario.alerts[0]["labels"]
    pods = (each for each in scenario.cluster.objects if each["kind"] == "Pod")
    node = next(each["spec"]["nodeName"] for each in pods if each["metadata"]["name"] == labels["pod"])
    plain = explain(clues_of(scenario)).cause
    labels["node"] = node
    named = explain(clues_of(scenario)).cause
    assert plain is not None
    assert named is not None
    count = re.compile(r"(?:all \d+|\d+ of \d+) pods")
    assert (named.entity, count.findall(named.says)) == (plain.entity, count.findall(plain.says))


@pytest.mark.parametrize(
    "labels",
    [
        {"job": "blackbox", "instance": "http://ship.shop:8080/"},
        {"job": "blackbox", "instance": "ship.shop.svc.cluster.local:8080"},
        {"job": "blackbox", "instance": "{address}:8080"},
        {"job": "other", "namespace": "shop", "instance": "{address}:8080"},
        {"job": "shop/ship"},
        {"kubernetes_namespace": "shop", "kubernetes_name": "ship"},
    ],
    ids=str,
)
def test_other_labels_of_one_workload_lead_to_the_same_cause(labels: dict[str, str]) -> None:
    """An address, the job of a PodMonitor and the labels of older scrape configurations name it, too."""
    scenario = load(Path("tests/scenarios/svc-selector-mismatch.yaml"), datetime.now(UTC))
    pod = next(each for each in scenario.cluster.objects if each["metadata"]["name"].startswith("ship-"))
    address = pod["status"]["podIP"]
    plain = explain(clues_of(scenario)).cause
    scenario.alerts[0]["labels"] = {"alertname": "ServiceDown"} | {
        key: value.format(address=address) for key, value in labels.items()
    }
    assert plain is not None
    assert explain(clues_of(scenario)).cause == plain


def test_the_pods_of_the_subject_are_read_in_a_large_namespace() -> None:
    """A list of pods that is cut hides no cause: those of the subject are asked for by its selector."""
    scenario = load(Path("tests/scenarios/crash-missing-env.yaml"), datetime.now(UTC))
    labels = {"app": "other"}
    many = [
        {"kind": "Pod", "metadata": {"namespace": "butterfly", "labels": labels, "name": f"a-{n}", "uid": f"a-{n}"}}
        for n in range(600)
    ]
    cluster = dataclasses.replace(scenario.cluster, objects=(*many, *scenario.cluster.objects))
    known = explain(clues_of(dataclasses.replace(scenario, cluster=cluster)))
    assert known.cause is not None
    assert known.cause.entity == "Deployment/plato"


@pytest.mark.parametrize("name", ["netpol-cross-namespace", "netpol-egress-old-rollout", "dns-coredns-loop"])
def test_another_namespace_leaves_reads_to_spare(name: str) -> None:
    """Reads that the first answers made unnecessary are left out, so that a page has two to spare."""
    scenario = load(Path(f"tests/scenarios/{name}.yaml"), datetime.now(UTC))
    clues_of(scenario)
    assert len(scenario.cluster.asked) <= MOST_CALLS - 2


@pytest.mark.parametrize(("name", "read"), [("crash-missing-env", False), ("netpol-default-deny", True)])
def test_what_is_around_pods_is_read_unless_their_containers_fail(name: str, read: bool) -> None:
    """Policies, endpoints and autoscalers explain no crash, and cost three of the reads of its page."""
    scenario = load(Path(f"tests/scenarios/{name}.yaml"), datetime.now(UTC))
    clues_of(scenario)
    for kind in ("networkpolicies", "endpointslices", "horizontalpodautoscalers"):
        assert any(kind in target for target in scenario.cluster.asked) is read


UNDO = "Go back to the previous revision, `kubectl rollout undo deployment/"


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("netpol-caller-label-renamed", f"{UNDO}cards -n wallet`; or give its pods the label role=vault-client again."),
        ("svc-target-port-moved", f"{UNDO}tills -n pos`; or correct the target port of the Service"),
        ("svc-named-port-renamed", f"{UNDO}pricer -n quotes`; or correct the target port of the Service"),
        ("netpol-port", "Allow the connection in the NetworkPolicy, or undo its change."),
        ("svc-port-edited", "Give Service tiles port 8080 back, or change the port that planner calls."),
        ("rollback-old-code-new-schema", "Fix what the last line of the log says"),
        ("sts-quota-must-specify", "Set it in the template"),
    ],
)
def test_the_change_that_broke_a_match_is_undone_first(name: str, step: str) -> None:
    """A rollout that broke something is undone, a rollback is not; what was edited, or is not set, is corrected."""
    assert first_step(load(Path(f"tests/scenarios/{name}.yaml"), datetime.now(UTC))).startswith(step)


def test_a_rollout_that_took_the_label_of_a_service_is_undone_first() -> None:
    """The selector of a Service is as old as the label that the rollout renamed."""
    scenario = load(Path("tests/scenarios/netpol-caller-label-renamed.yaml"), datetime.now(UTC))
    (service,) = (
        each for each in scenario.cluster.objects if (each["kind"], each["metadata"]["name"]) == ("Service", "cards")
    )
    service["spec"]["selector"] = {"role": "vault-client"}
    assert first_step(scenario) == f"{UNDO}cards -n wallet`; or give its pods the label role=vault-client again."


def first_step(scenario: Scenario) -> str:
    """Return the first step of the conclusion."""
    findings = [a_finding(Verdict.BAD, kind="kubernetes", headline=clue.says, clue=clue) for clue in clues_of(scenario)]
    return conclude(findings, a_subject()).first_step
