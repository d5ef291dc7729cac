"""The stand-in for a Kubernetes API server is one that kubectl reads."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from responder.bootstrap import SystemClock
from responder.bootstrap.kubernetes import from_kubeconfig, reads_of
from responder.diagnose.steps.run import StepTools, run
from responder.model.clock import Deadline
from responder.outgoing import Outgoing
from responder.outgoing.kubernetes import ApiServer
from responder.runbooks.command import CommandLine, Scope
from responder.runbooks.command import parse as parse_command
from responder.runbooks.document import Command, parse
from responder.runbooks.expected import Output, compare
from responder.runbooks.words import SLOT
from responder.standins.cluster.running import Scenario
from scripts.helm import program
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
    """Run kubectl against it: the one that KUBECTL names, or the installed one. Returns what it prints."""
    found = os.environ.get("KUBECTL") or program("kubectl")
    if found is None:
        pytest.skip("kubectl is not installed: run python scripts/install_helm.py")
    base = [found, f"--kubeconfig={cluster.kubeconfig()}", f"--cache-dir={tmp_path}", "--namespace=butterfly"]

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


#: Complaints of kubectl about its own command line.
_MISTYPED = re.compile(r"unknown (flag|command|shorthand)|See 'kubectl|Usage:|resource type|invalid argument")


def _commands() -> Iterator[Command]:
    """The tagged kubectl commands of the shipped runbooks, each text once."""
    documents = (parse(path.name, path.read_text("utf-8")) for path in sorted((ROOT / "runbooks").glob("*.md")))
    tagged = (each for found in documents for each in found.commands if each.fence.attributes.get("tag"))
    yield from {each.fence.content: each for each in tagged if each.fence.content.startswith("kubectl")}.values()


def test_kubectl_prints_what_the_runbooks_say(tmp_path: Path) -> None:
    """Each command that reads prints what its runbook expects in a scenario; each other one is a write it can parse."""
    found = os.environ.get("KUBECTL") or program("kubectl")
    if found is None:
        pytest.skip("kubectl is not installed: run python scripts/install_helm.py")
    names = dict.fromkeys(("capsule", "odyssey", "perception", "plato", "nexus", "kafka", "responder"), "butterfly")
    scenarios = [
        Scenario("healthy", names),
        Scenario("failing", names, failing=True),
        Scenario("idle", names, idle=True),
    ]
    left, problems = list(_commands()), dict[str, str]()
    for number, scenario in enumerate(scenarios):
        folder = tmp_path / str(number)
        folder.mkdir()
        values = scenario.values("plato")
        with KubernetesStandIn(scenario.cluster(), folder) as server:
            base = [found, f"--kubeconfig={server.kubeconfig()}", f"--cache-dir={folder}"]
            for command in tuple(left):
                text = SLOT.sub(lambda slot: values[slot[1]], command.fence.content)  # noqa: B023 - used in this turn
                argv = [*base, *shlex.split(text)[1:]]
                done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
                said = done.stdout + done.stderr
                if command.fence.attributes["tag"] == "mutating":
                    problem = said if _MISTYPED.search(said) else ""
                else:
                    assert command.expected is not None
                    expected = command.expected
                    problem = compare(expected.match, expected.lines, Output(said, done.returncode), values).difference
                problems[text] = problem
                if not problem:
                    problems.pop(text)
                    left.remove(command)
    assert not problems


@pytest.mark.parametrize(
    "command",
    [
        "get deployments -o wide",
        "get nodes -o wide",
        "get pods -o name",
        "get events --field-selector type=Warning --sort-by=.lastTimestamp",
        "get endpointslices",
        "logs -l app=plato --tail=3 --prefix",
        "rollout history deployment/plato",
    ],
)
def test_steps_of_runbooks_print_what_kubectl_prints(
    cluster: KubernetesStandIn, kubectl: Kubectl, command: str
) -> None:
    """The output of responder's own client is that of kubectl, character by character."""
    clock = SystemClock()
    reads = reads_of(ApiServer(from_kubeconfig(cluster.kubeconfig()), clock), clock)
    parsed = parse_command(
        f"kubectl {command}", 1, {}, Scope(namespace="butterfly", namespaces=frozenset({"butterfly"}))
    )
    assert isinstance(parsed, CommandLine)
    outgoing = Outgoing(clock)
    tools = StepTools(send=outgoing.send, clock=clock, cluster=reads)
    found = run(parsed, Deadline(clock.monotonic() + 10), tools)
    reads.close()
    assert found.text.split("\n") == kubectl(*command.split()).rstrip("\n").split("\n")
    assert cluster.refused == []
