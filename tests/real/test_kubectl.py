"""The stand-in for a Kubernetes API server is one that kubectl reads."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.real.conftest import ROOT
from tests.support.kubernetes.scenarios import load
from tests.support.kubernetes.server import KubernetesStandIn

pytestmark = pytest.mark.real

Kubectl = Callable[..., str]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[KubernetesStandIn]:
    """A scenario's cluster."""
    scenario = load(ROOT / "tests" / "scenarios" / "crash-missing-env.yaml", datetime.now(UTC))
    with KubernetesStandIn(scenario.cluster, tmp_path) as found:
        yield found


@pytest.fixture
def kubectl(cluster: KubernetesStandIn, tmp_path: Path) -> Kubectl:
    """Run kubectl against it: the one that KUBECTL names, or that of the PATH. Returns what it prints."""
    program = os.environ.get("KUBECTL") or shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is not installed; KUBECTL may name one")
    base = [program, f"--kubeconfig={cluster.kubeconfig()}", f"--cache-dir={tmp_path}", "--namespace=butterfly"]

    def run(*arguments: str) -> str:
        done = subprocess.run([*base, *arguments], capture_output=True, text=True, timeout=60, check=False)
        return done.stdout + done.stderr

    return run


def test_kubectl_reads_objects_logs_and_rights(cluster: KubernetesStandIn, kubectl: Kubectl) -> None:
    """Discovery, Tables, pages of lists, selectors, a description, a previous log and access reviews."""
    pods = kubectl("get", "pods", "--selector=app=plato", "--chunk-size=2")
    assert pods.count("CrashLoopBackOff") == 3
    pod = next(line.split()[0] for line in pods.splitlines() if "CrashLoopBackOff" in line)
    assert "field label not supported: spec.colour" in kubectl("get", "pods", "--field-selector=spec.colour=red")
    described = kubectl("describe", "pod", pod)
    assert "Exit Code:    1" in described
    assert "Back-off restarting" in described
    assert "DB_URL" in kubectl("logs", pod, "--previous", "--tail=3")
    assert kubectl("auth", "can-i", "list", "pods") == "yes\n"
    assert kubectl("auth", "can-i", "delete", "pods") == "no\n"
    assert cluster.refused == []


def test_what_no_reader_may_ask_for_is_recorded(cluster: KubernetesStandIn, kubectl: Kubectl) -> None:
    """A write, a Secret and an exec fail, and a test sees them."""
    pod = kubectl("get", "pods", "--output=name").splitlines()[0]
    kubectl("delete", pod, "--wait=false")
    kubectl("get", "--raw", "/api/v1/namespaces/butterfly/secrets")
    kubectl("exec", pod, "--", "id")
    assert [each.split("?")[0].replace(pod.removeprefix("pod/"), "POD") for each in cluster.refused][:2] == [
        "DELETE /api/v1/namespaces/butterfly/pods/POD",
        "GET /api/v1/namespaces/butterfly/secrets",
    ]
    assert any("/exec" in each for each in cluster.refused[2:])
