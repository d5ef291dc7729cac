"""The figures that stand in for the cluster where it cannot be read: each, from Prometheus' answer to the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from pydantic import TypeAdapter

from responder.diagnose.conclude import conclude
from responder.diagnose.probes.promql import PromqlSpec
from tests.support.builders import a_subject
from tests.unit.diagnose.conftest import Canned, Look, a_scene

TWINS: dict[str, Any] = yaml.safe_load(Path("responder/presets/kubernetes-probes.yaml").read_text("utf-8"))["probes"]
LABELS = {
    "pod": "plato-7d9f4-abcde",
    "node": "worker-1",
    "persistentvolumeclaim": "data-db-0",
    "horizontalpodautoscaler": "plato",
    "job_name": "nightly-29384",
}
QUOTA = {"resourcequota": "team", "resource": "pods"}
#: What a series of the figure has, a value that is wrong and the likely cause, one that is right and what it rules out.
#: Without thresholds, a figure says why, and whether something is wrong is for others to say.
CASES: dict[str, tuple[dict[str, str], float, str, float, str]] = {
    "pod-restarts": ({"container": "plato"}, 7, "7 restarts of plato in the last hour", 0, "0 restarts of plato"),
    "pod-exit-reason": ({"container": "plato", "reason": "OOMKilled"}, 1, "plato last exited with OOMKilled", 1, ""),
    "pod-waiting-reason": ({"container": "plato", "reason": "ErrImagePull"}, 1, "is waiting: ErrImagePull", 1, ""),
    "pod-memory-of-limit": ({"container": "plato"}, 0.97, "plato uses 97% of its memory limit", 0.4, "plato uses 40%"),
    "namespace-pods-pending": ({}, 3, "3 pods pending", 0, "0 pods pending"),
    "namespace-quota-used": (QUOTA, 1, "100% of quota team used for pods", 0.5, "50% of quota team used for pods"),
    "cluster-nodes-not-ready": ({}, 2, "2 nodes not ready", 0, "0 nodes not ready"),
    "cluster-api-errors": ({}, 0.07, "7% of API server requests fail", 0, "0% of API server requests fail"),
    "kube-node-ready": ({}, 0, "node is not ready", 1, "node is ready"),
    "kube-node-conditions": (
        {"condition": "DiskPressure"},
        1,
        "condition DiskPressure is raised",
        0,
        "no node condition",
    ),
    "kube-node-taker-memory": ({"namespace": "etl", "pod": "load-0"}, 0.6, "pod load-0 of etl takes 60%", 0.1, "10%"),
    "kube-node-taker-cpu": ({"namespace": "etl", "pod": "load-0"}, 0.9, "pod load-0 of etl takes 90%", 0.1, "10%"),
    "claim-used": ({}, 0.98, "volume 98% full", 0.5, "volume 50% full"),
    "claim-full-in": ({}, 7200, "full in 2 h at the current rate", 864000, "full in 10 days at the current rate"),
    "autoscaler-of-maximum": ({}, 1, "running 100% of the maximum replicas", 0.5, "running 50% of the maximum"),
    "job-pods-failed": ({}, 4, "4 failed pods", 0, "0 failed pods"),
}


def series(labels: dict[str, str], value: float, at: float) -> bytes:
    """An answer of Prometheus with one series, as an instant query or as a range gives it."""
    found = {"metric": labels, "value": [at, str(value)], "values": [[at - 60, str(value)], [at, str(value)]]}
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": [found]}}).encode()


def test_every_twin_has_a_case() -> None:
    """A figure that is added to the presets is tried here."""
    assert set(CASES) == set(TWINS)


@pytest.mark.parametrize("name", CASES)
def test_what_prometheus_answers_is_what_the_page_says(canned: Canned, run: Look, tools: Any, name: str) -> None:
    """The query names the subject; a wrong value is the likely cause, a right one is ruled out, and none is unknown."""
    labels, wrong, likely, right, ruled_out = CASES[name]
    given = {key: value for key, value in TWINS[name].items() if key != "kind"}
    spec = TypeAdapter(PromqlSpec).validate_python(given)
    scene, at = a_scene(canned.address, **LABELS), tools.clock.now().timestamp()
    kind = "matrix" if spec.range else "vector"

    def said(value: float) -> Any:
        canned.body = series(labels, value, at).replace(b'"vector"', f'"{kind}"'.encode())
        return conclude(run("promql", spec, scene), a_subject())

    bad, fine = said(wrong), said(right)
    query = parse_qs(urlsplit(canned.asked[0][1]).query)["query"][0]
    assert "${" not in query
    assert all(f'"{value}"' in query for key, value in LABELS.items() if f"${{{key}}}" in spec.expr)
    if spec.warn is None and spec.bad is None:
        assert likely in bad.seen
    else:
        assert likely in bad.likely
        assert bad.ruled_out == ""
        assert ruled_out in fine.ruled_out
        assert fine.likely == ""
    canned.body = b'{"status": "success", "data": {"resultType": "vector", "result": []}}'
    silent = conclude(run("promql", spec, scene), a_subject())
    assert (silent.likely, silent.ruled_out) == ("", "")
    assert bool(silent.unknown) is not spec.optional
