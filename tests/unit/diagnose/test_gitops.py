"""Syncs of Argo CD and Flux are read only where a workload names them, and become changes or facts."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from responder.model.clue import Role
from tests.support.kubernetes.investigation import clues_of, minutes_ago
from tests.support.kubernetes.scenarios import Scenario, load

APPLICATIONS = "/apis/argoproj.io/v1alpha1"
FLUX = "/apis/helm.toolkit.fluxcd.io/v2/namespaces/flux-system/helmreleases/market"


def scenario(*objects: dict[str, Any], labels: dict[str, str] | None = None, tracking: str = "") -> Scenario:
    """The Argo CD scenario with another owner of its workload, and these objects in place of its Application."""
    known = load(Path("tests/scenarios/gitops-argocd-sync.yaml"), datetime.now(UTC))
    kept = [dict(each) for each in known.cluster.objects if each["kind"] != "Application"]
    for each in kept:
        if each["kind"] == "Deployment":
            noted = {"argocd.argoproj.io/tracking-id": tracking} if tracking else {}
            each["metadata"] = {
                **each["metadata"],
                "labels": {"app": "catalog", **(labels or {})},
                "annotations": noted,
            }
    return dataclasses.replace(known, cluster=dataclasses.replace(known.cluster, objects=(*kept, *objects), asked=[]))


def asked(found: Scenario) -> list[str]:
    """The reads of Argo CD and Flux, after an investigation."""
    return [target for target in found.cluster.asked if "argoproj" in target or "fluxcd" in target]


def a_release(**status: Any) -> dict[str, Any]:
    """A HelmRelease."""
    return {"kind": "HelmRelease", "metadata": {"name": "market", "namespace": "flux-system"}, "status": status}


HELM = {"helm.toolkit.fluxcd.io/name": "market", "helm.toolkit.fluxcd.io/namespace": "flux-system"}


def test_a_release_of_flux_is_a_change() -> None:
    """The newest entry of a HelmRelease's history says chart, version and minutes."""
    history = [
        {
            "chartName": "market",
            "chartVersion": "1.4.0",
            "version": 7,
            "lastDeployed": minutes_ago(datetime.now(UTC), 20),
        },
        {
            "chartName": "market",
            "chartVersion": "1.3.0",
            "version": 6,
            "lastDeployed": minutes_ago(datetime.now(UTC), 9000),
        },
    ]
    found = scenario(a_release(history=history), labels=HELM)
    (clue,) = [each for each in clues_of(found) if each.code == "change-sync"]
    assert clue.says == "Flux synced market to market 1.4.0 (release 7) 20 min ago, 14 min before the alert"
    assert asked(found) == [FLUX]


def test_a_failed_release_is_a_fact_with_its_reason() -> None:
    """A failure is context, since the workload runs as before; secrets in its message are redacted."""
    message = "Helm upgrade failed: post https://x/?token=hunter2-hunter2-7: timed out, password=hunter2"
    ready = {
        "type": "Ready",
        "status": "False",
        "message": message,
        "lastTransitionTime": minutes_ago(datetime.now(UTC), 5),
    }
    (clue,) = [each for each in clues_of(scenario(a_release(conditions=[ready]), labels=HELM)) if "Flux" in each.says]
    assert (clue.role, clue.code) == (Role.FACT, "sync-failed")
    assert clue.says.startswith("Flux failed to sync market 5 min ago: Helm upgrade failed")
    assert "hunter2" not in clue.says


@pytest.mark.parametrize(
    ("tracking", "target"),
    [
        (
            "market-prod:apps/Deployment:market/catalog",
            f"{APPLICATIONS}/applications?fieldSelector=metadata.name%3Dmarket-prod",
        ),
        (
            "teams_market-prod:apps/Deployment:market/catalog",
            f"{APPLICATIONS}/namespaces/teams/applications/market-prod",
        ),
    ],
)
def test_an_application_is_found_in_any_namespace(tracking: str, target: str) -> None:
    """One GET finds an Application; of a cluster without Argo CD the 404 is silent."""
    found = scenario(tracking=tracking)
    clues = clues_of(found)
    (read,) = asked(found)
    assert read.startswith(target)
    assert not any("applications" in each.says for each in clues)


@pytest.mark.parametrize("owner", ["", "../secrets:x", "a b:x", "A_B:x", "x" * 300 + ":y"])
def test_what_is_no_name_is_not_asked_for(owner: str) -> None:
    """An annotation never changes the shape of a path; a workload without an owner costs no call."""
    found = scenario(tracking=owner, labels={"app.kubernetes.io/instance": "market"})
    clues_of(found)
    assert asked(found) == []


def test_a_missing_right_is_named() -> None:
    """A page says which right it lacks to name the sync."""
    found = scenario(tracking="market-prod:x")
    found = dataclasses.replace(found, cluster=dataclasses.replace(found.cluster, deny=frozenset({"applications"})))
    (clue,) = [each for each in clues_of(found) if each.role is Role.UNSEEN]
    assert clue.says.startswith("no right to list applications (403); add to the role: ")
