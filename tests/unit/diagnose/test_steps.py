"""Steps of runbooks: what is read in place of kubectl and curl, and how it is printed."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from responder.bootstrap import SystemClock
from responder.diagnose.cluster.reader import TABLE, SharedReads
from responder.diagnose.steps.kubectl import MOST_LOGS, rollout_state
from responder.diagnose.steps.run import NotRunError, StepTools, run
from responder.model.clock import Deadline
from responder.model.message import Request, Response
from responder.outgoing import UnreachableError
from responder.runbooks.command import CommandLine, Scope, parse
from responder.runbooks.expected import Output
from responder.standins.cluster.api import Cluster, LogText
from responder.standins.cluster.running import Scenario

CLOCK = SystemClock()
SCOPE = Scope(
    namespace="butterfly", namespaces=frozenset({"butterfly"}), origins=frozenset({"plato:8080", "nexus:8080"})
)
NAMES = {"plato": "butterfly", "nexus": "butterfly"}
HEALTHY, FAILING = Scenario("healthy", NAMES), Scenario("failing", NAMES, failing=True)


def tools_of(cluster: Cluster, scenario: Scenario = HEALTHY) -> StepTools:
    """Return what reads a cluster in memory."""

    def fetch(target: str, deadline: Deadline, cap: int, accept: str) -> Response:  # noqa: ARG001 - those of Fetch
        return Response(*cluster.answer(target, as_table=accept == TABLE))

    return StepTools(send=scenario.send, clock=CLOCK, cluster=SharedReads(fetch, CLOCK))


def output(content: str, scenario: Scenario = HEALTHY, tools: StepTools | None = None) -> Output:
    """Run a command against a scenario."""
    command = parse(content, 1, scenario.values("plato"), SCOPE)
    assert isinstance(command, CommandLine), command
    return run(command, Deadline(CLOCK.monotonic() + 5), tools or tools_of(scenario.cluster(), scenario))


def lines(content: str, scenario: Scenario = HEALTHY) -> list[str]:
    """Return the lines of an output, with single spaces."""
    return [" ".join(line.split()) for line in output(content, scenario).text.splitlines()]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("kubectl get pods -l app=plato", "plato-6f9d8c7b5-x7k2p 0/1 CrashLoopBackOff 7 (3m ago) 24h"),
        (
            "kubectl get pods -l app=plato --field-selector status.phase=Pending",
            "plato-6f9d8c7b5-m4q9z 0/1 Pending 0 14m",
        ),
        ("kubectl get deployment {{ service }}", "plato 1/3 3 1 20d"),
        ("kubectl get hpa plato", "plato Deployment/plato cpu: 96%/70% 2 3 3 20d"),
        ("kubectl get rs -l app=plato --sort-by=.metadata.creationTimestamp", "plato-6f9d8c7b5 3 3 1 24h"),
        ("kubectl get pods -l app=plato -o name", "pod/plato-6f9d8c7b5-t2w8c"),
        ("kubectl get deploy -o name", "deployment.apps/plato"),
        ("kubectl get nodes -L topology.kubernetes.io/zone", "node-b Ready <none> 20d v1.37.1 zone-b"),
        ("kubectl get pods -l app=nothing", "No resources found in butterfly namespace."),
        ("kubectl top pods -l app=plato --containers", "plato-6f9d8c7b5-x7k2p plato 230m 760Mi"),
        ("kubectl top nodes", "node-a 1200m 30% 6144Mi 42%"),
        ("kubectl logs {{ pod }} --previous", "Caused by: java.lang.OutOfMemoryError: Java heap space"),
        (
            "kubectl logs deployment/plato --tail=1 --prefix",
            "[pod/plato-6f9d8c7b5-x7k2p/plato] Caused by: java.net.SocketTimeoutException: connect timed out",
        ),
        ("kubectl rollout history deployment/plato", "7 <none>"),
        ("kubectl describe pod {{ pod }}", "Exit Code: 137"),
        ("kubectl describe pod {{ pod }}", "Reason: OOMKilled"),
        ("kubectl describe hpa plato", "ScalingLimited True TooManyReplicas"),
        ("kubectl describe certificate {{ name }}", "- Type: Ready"),
        ("curl http://plato:8080/actuator/health", '{"status":"DOWN"}'),
    ],
)
def test_output_is_that_of_the_program(content: str, line: str) -> None:
    """The line that the program would print is there."""
    assert line in lines(content, FAILING)


def test_tables_have_kubectls_columns() -> None:
    """Columns are aligned with three spaces, and the wide ones are shown on demand."""
    plain = output("kubectl get pods -l app=plato").text.splitlines()
    assert plain[0] == "NAME                    READY   STATUS    RESTARTS   AGE"
    assert plain[1] == "plato-6f9d8c7b5-x7k2p   1/1     Running   0          24h"
    wide = output("kubectl get pods -l app=plato -o wide --no-headers").text.splitlines()
    assert wide[0].split()[5:7] == ["10.42.0.10", "node-a"]


def test_what_is_missing_is_an_answer() -> None:
    """An object that does not exist, a log that is not there, and an incomplete rollout have an exit status of 1."""
    assert output("kubectl get pod nothing") == Output('Error from server (NotFound): pods "nothing" not found', 1)
    assert output("kubectl get pod nothing --ignore-not-found") == Output("", 0)
    assert output("kubectl describe deployment nothing").status == 1
    assert output("kubectl rollout status deployment/nothing").status == 1
    assert output("kubectl logs {{ pod }} --previous").text.startswith("Error from server (BadRequest)")
    failed = output("kubectl rollout status deployment/plato", FAILING)
    assert (failed.status, failed.text.splitlines()[0]) == (
        1,
        'Waiting for deployment "plato" rollout to finish: 1 of 3 updated replicas are available...',
    )
    assert output("curl -f http://plato:8080/nothing").status == 22


def test_what_cannot_be_read_is_unknown() -> None:
    """Without a right, without an API, without an answer and without access there is no output."""
    forbidden = dataclasses.replace(HEALTHY.cluster(), deny=frozenset({"pods", "nodes"}))
    with pytest.raises(NotRunError, match=r"no right to list pods in namespace butterfly \(403\)"):
        output("kubectl get pods", tools=tools_of(forbidden))
    without_metrics = [each for each in HEALTHY.cluster().objects if not each["kind"].endswith("Metrics")]
    with pytest.raises(NotRunError, match="metrics"):
        output("kubectl top pods", tools=tools_of(Cluster(without_metrics)))
    with pytest.raises(NotRunError, match="no access"):
        output("kubectl get pods", tools=dataclasses.replace(tools_of(forbidden), cluster=None))
    with pytest.raises(NotRunError, match="not installed"):
        output("dig +short plato")

    def unreachable(request: Request, _deadline: Deadline, _cap: int) -> Response:
        raise UnreachableError(f"connection refused by {request.url}")

    with pytest.raises(NotRunError, match="connection refused"):
        output("curl http://plato:8080/", tools=dataclasses.replace(tools_of(forbidden), send=unreachable))


def test_no_secret_is_shown() -> None:
    """Values of variables are left out, and what looks like a secret is redacted, in every kind of output."""
    cluster = HEALTHY.cluster()
    pod: dict[str, Any] = json.loads(json.dumps(next(each for each in cluster.objects if each["kind"] == "Pod")))
    pod["spec"]["containers"][0]["env"] = [{"name": "DB_PASSWORD", "value": "hunter2hunter2"}]
    pod["metadata"]["annotations"] = {"note": "token=ghp_0123456789abcdefghijABCDEFGHIJ012345"}
    pod["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": "X", "message": "password=hunter2hunter2"}}
    name = pod["metadata"]["name"]
    log = LogText("butterfly", name, "plato", False, "connect postgres://plato:hunter2hunter2@db/plato\n")
    tools = tools_of(Cluster([pod], [log]))
    for content in ("describe pod {{ pod }}", "get pod {{ pod }} -o json", "logs {{ pod }}", "get pods --show-labels"):
        shown = output(f"kubectl {content}", tools=tools).text
        assert "hunter2hunter2" not in shown, content
        assert "ghp_0123" not in shown, content
    assert "DB_PASSWORD" in output("kubectl describe pod {{ pod }}", tools=tools).text


def test_control_characters_do_not_reach_a_terminal() -> None:
    """Output of a pod cannot move the cursor or set the title."""
    name = HEALTHY.values("plato")["pod"]
    pods = [each for each in HEALTHY.cluster().objects if each["kind"] == "Pod"]
    log = LogText("butterfly", name, "plato", False, "\x1b]0;owned\x07\x1b[2Jready\n")
    assert output("kubectl logs {{ pod }}", tools=tools_of(Cluster(pods, [log]))).text == "ready"


def test_logs_of_many_pods_are_bounded() -> None:
    """A selector of many pods reads a few of them, and says how many it left out."""
    scenario = Scenario(
        "many", {"plato": "butterfly"} | {f"plato-{number}": "butterfly" for number in range(9)}, failing=False
    )
    found = output("kubectl logs -l 'app in (plato,plato-1,plato-2)' --tail=1", scenario).text.splitlines()
    assert len(found) == MOST_LOGS + 1
    assert found[-1] == "(logs of 4 more pods were not read)"


@pytest.mark.parametrize(
    ("kind", "workload", "said", "complete"),
    [
        ("Deployment", {"metadata": {"generation": 3}, "status": {"observedGeneration": 2}}, "to be observed", False),
        ("Deployment", {"spec": {"replicas": 2}, "status": {"updatedReplicas": 1}}, "1 out of 2 new replicas", False),
        (
            "Deployment",
            {"spec": {"replicas": 1}, "status": {"updatedReplicas": 1, "replicas": 2, "availableReplicas": 2}},
            "1 old replicas are pending termination",
            False,
        ),
        (
            "Deployment",
            {"status": {"conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}]}},
            "exceeded its progress deadline",
            False,
        ),
        (
            "DaemonSet",
            {"status": {"desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2}},
            "successfully rolled out",
            True,
        ),
        (
            "StatefulSet",
            {"spec": {"replicas": 2}, "status": {"updatedReplicas": 2, "readyReplicas": 2, "updateRevision": "x-1"}},
            "rolling update complete 2 pods at revision x-1",
            True,
        ),
    ],
)
def test_the_state_of_a_rollout_is_told_as_by_kubectl(
    kind: str, workload: Mapping[str, Any], said: str, complete: bool
) -> None:
    """Each state has kubectl's words, and only a complete rollout the exit status 0."""
    found = rollout_state({"metadata": {}, **workload}, kind)
    assert re.search(said, found[0])
    assert found[1] is complete
