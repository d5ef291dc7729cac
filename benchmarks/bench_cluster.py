"""An investigation of the cluster beside the other probes of a P1, and a storm of incidents in few namespaces.

A P1 runs 14 probes of 100 ms (HTTP) and an investigation whose API server answers each read after 100 ms, in waves; the
clock starts when the client begins to send the webhook and stops when the page is at the stand-in PagerDuty.
Subtracted is the slowest chain: the waves that the API server saw, of 100 ms each. The same page without access to the
cluster alternates with it. Then 50 incidents within 10 s: of five workloads in one namespace, and of fifty workloads in
ten; counted are the requests at the API server, and the seconds of the slowest page. Last, the memory at rest of a
server with access to a cluster, against one without that served the same storms.
Each worker process has its own shared reads, so the storms run with two workers, the default, and with one.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import harness
from harness import Server

from responder.standins.cluster.api import Cluster
from responder.standins.pagerduty import PagerDutyStandIn
from responder.standins.server import Call, Reply, StandIn, as_json, hang, healthy
from tests.support.kubernetes.server import KubernetesStandIn

PROBES = 14
PROBE_SECONDS = 0.1
STORM, STORM_SECONDS = 50, 10.0
#: Longer than answers are shared.
SHARED_SECONDS = 10.5
#: Budget of a P1 in the rules below, and its tolerance.
BUDGET_SECONDS = 8.0
ALONE, WITH = "14 probes", "14 probes and the cluster"
NOW = "2026-01-01T00:00:00Z"

_RULES = """\
platform: {environment: bench}
severities:
  P1: {meaning: down, response: now, respond_within: 15m, responders: all, pages: true, pagerduty: critical,
       page_budget: 8s, next_update: 30m, flood_above: 0}
probes:
  cluster: {kind: kubernetes}
%s
rules:
  - id: all
    match: []
    severity: P1
    runbook: https://runbooks.example.org/all
    first_step: Read the page.
    channels: [pagerduty]
    probes: [cluster, %s]
"""


class Slow(StandIn):
    """200 for every address, after PROBE_SECONDS."""

    def answer(self, call: Call) -> Reply:
        """Answer late, and differently for each path, so that no answer is reused."""
        self.wait(PROBE_SECONDS)
        return as_json(200, {"status": "UP"})


class Prepared(KubernetesStandIn):
    """A Kubernetes API that makes each answer once: what a stand-in takes to write JSON is not responder's cost."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        super().__init__(cluster, folder)
        self._made: dict[str, Reply] = {}

    def answer(self, call: Call) -> Reply:
        """Answer as before."""
        if call.path not in self._made:
            self._made[call.path] = super().answer(call)
        return self._made[call.path]


def rules(folder: Path, port: int, number: int) -> Path:
    """Write a rule whose probes nobody else asks: an answer of the last seconds is reused."""
    place = folder / f"rules-{number}"
    place.mkdir()
    names = [f"probe-{each}" for each in range(PROBES)]
    lines = [f'  {name}: {{kind: http, url: "http://127.0.0.1:{port}/{name}"}}' for name in names]
    (place / "all.yaml").write_text(_RULES % ("\n".join(lines), ", ".join(names)))
    return place


def objects(namespaces: int, workloads: int) -> list[dict[str, Any]]:
    """Return so many Deployments in each namespace, each with a ReplicaSet and two pods, the first one crashing."""
    return [
        made
        for space in range(namespaces)
        for each in range(workloads)
        for made in _workload(f"ns-{space}", f"app-{each}")
    ]


def _workload(namespace: str, name: str) -> Iterator[dict[str, Any]]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": f"{name}:1.0"}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}

    def made(kind: str, own: str, owner: str = "", owner_kind: str = "", **rest: Any) -> dict[str, Any]:
        refs = [{"kind": owner_kind, "name": owner, "uid": f"{namespace}-{owner}", "controller": True}] if owner else []
        metadata = {"name": own, "namespace": namespace, "uid": f"{namespace}-{own}", "labels": labels}
        return {"kind": kind, "metadata": {**metadata, "creationTimestamp": NOW, "ownerReferences": refs}, **rest}

    yield made("Deployment", name, spec=spec, status={"replicas": 2, "readyReplicas": 1})
    yield made("ReplicaSet", f"{name}-1", name, "Deployment", spec=spec, status={"replicas": 2})
    yield made("Service", name, spec={"selector": labels, "ports": [{"port": 80}]})
    for number in range(2):
        ended = {"exitCode": 1, "reason": "Error", "startedAt": NOW, "finishedAt": NOW}
        bad = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": ended}}
        status = {"name": "app", "ready": bool(number), "restartCount": 0 if number else 9}
        status |= {"state": {"running": {"startedAt": NOW}}} if number else bad
        conditions = [{"type": "Ready", "status": "True" if number else "False"}]
        running = {"phase": "Running", "conditions": conditions, "containerStatuses": [status]}
        spec_of = {**template["spec"], "nodeName": f"node-{number}"}
        yield made("Pod", f"{name}-1-{number}", f"{name}-1", "ReplicaSet", spec=spec_of, status=running)


def body(number: int, namespace: str, workload: str) -> bytes:
    """Return a webhook about a workload that opens an incident of its own."""
    given = json.loads(harness.a_webhook(1, namespace=namespace, deployment=workload, service=workload))
    for each in given["alerts"]:
        each["labels"].pop("pod", None)
    return json.dumps(given).replace(harness.NUMBER, f"{number:010}").encode()


def page(server: Server, pagerduty: PagerDutyStandIn, given: bytes) -> float:
    """Seconds from the webhook to its page."""
    with pagerduty.lock:
        before = len(pagerduty.events)
    with contextlib.closing(harness.connected(server.url)) as connection:
        began = time.monotonic()
        harness.post_on(connection, given)
        harness.wait_for("the page", lambda: len(pagerduty.events) > before, 20, pause=0.005)
    return pagerduty.events[before].arrived - began


def waves(api: KubernetesStandIn, since: int) -> int:
    """Return the waves of the reads since then: groups that arrived at about the same time."""
    arrived = sorted(each.arrived for each in api.calls[since:])
    return sum(later - earlier > PROBE_SECONDS / 2 for earlier, later in zip([0.0, *arrived], arrived, strict=False))


def storm(
    server: Server, pagerduty: PagerDutyStandIn, api: KubernetesStandIn, spaces: int, apps: int
) -> tuple[int, float]:
    """Requests at the API server, and the seconds of the slowest page, of 50 incidents within 10 s."""
    with pagerduty.lock:
        before, asked = len(pagerduty.events), len(api.calls)
    sent: list[float] = []
    began = time.monotonic()
    for number in range(STORM):
        time.sleep(max(0.0, began + number * STORM_SECONDS / STORM - time.monotonic()))
        sent.append(time.monotonic())
        harness.post(
            server.url, body(10_000 * spaces + number, f"ns-{number % spaces}", f"app-{number // spaces % apps}")
        )
    harness.wait_for("the pages", lambda: len(pagerduty.events) >= before + STORM, 30)
    arrived = [each.arrived for each in pagerduty.events[before : before + STORM]]
    return len(api.calls) - asked, max(end - start for start, end in zip(sent, sorted(arrived), strict=True))


def main() -> None:
    """Measure and print."""
    rounds = harness.options(__doc__, rounds=20, seconds=0).rounds
    with ExitStack() as stack:
        folder = Path(stack.enter_context(harness.folder()))
        pagerduty, slow = stack.enter_context(PagerDutyStandIn()), stack.enter_context(Slow())
        api = stack.enter_context(Prepared(Cluster(objects(10, 50)), folder))
        usual: dict[str, object] = {
            "pagerduty_routing_key": "benchmark",
            "pagerduty_url": pagerduty.url,
            "pagerduty_events_per_minute": 100_000,
        }
        access = {"kubeconfig": api.kubeconfig()}

        def serve(number: int, **settings: object) -> Server:
            place = folder / str(number)
            place.mkdir()
            given = {**usual, "rules": rules(place, slow.port, number), **settings}
            return stack.enter_context(harness.responder(place, **given))

        without, cluster, single = serve(1), serve(2, **access), serve(3, workers=1, **access)
        late = lambda _call: hang(PROBE_SECONDS)  # noqa: E731 - a manner is a function of the call
        api.manner = late
        beyond: dict[str, list[float]] = {ALONE: [], WITH: []}
        for number in range(rounds + 2):
            if number:
                time.sleep(SHARED_SECONDS)
            took = page(without, pagerduty, body(number, "ns-0", f"app-{number}")) - PROBE_SECONDS
            asked = len(api.calls)
            with_it = page(cluster, pagerduty, body(number, "ns-0", f"app-{number}"))
            if number > 1:
                beyond[ALONE].append(took)
                beyond[WITH].append(with_it - PROBE_SECONDS * max(1, waves(api, asked)))
                costs = ", ".join(f"{name} {found[-1] * 1000:.0f} ms" for name, found in beyond.items())
                print(f"page {number - 1} of {rounds}, beyond: {costs}", file=sys.stderr, flush=True)
        harness.table(
            ("ms beyond the slowest chain", "pages", "p50", "p90", "calls"),
            [
                (name, len(found), *(f"{harness.quantile(found, share) * 1000:.0f}" for share in (0.5, 0.9)), calls)
                for (name, found), calls in zip(beyond.items(), (0, len(api.calls) - asked), strict=True)
            ],
        )
        cost = harness.median(beyond[WITH]) * 1000
        harness.goal("a P1 with the full pack, beyond its slowest chain, p50", cost, unit="ms", below=60)
        api.manner = healthy
        for server, workers in ((without, 0), (cluster, 2), (single, 1)):
            for spaces, apps, most in ((1, 5, 60), (10, 5, 400)):
                time.sleep(SHARED_SECONDS)
                print(f"storm: {STORM} incidents, {spaces} namespaces, {workers} workers", file=sys.stderr, flush=True)
                calls, slowest = storm(server, pagerduty, api, spaces, apps)
                if workers:
                    what = f"{STORM} incidents of {spaces * apps} workloads in {spaces} namespaces, {workers} workers"
                    harness.goal(f"{what}: requests", calls, unit="", below=most + 1)
                    harness.goal(f"{what}: slowest page", slowest, unit="s", below=BUDGET_SECONDS)
        time.sleep(12)
        grown = cluster.pss() - without.pss()
        harness.goal("memory at rest, more than without access", grown, unit="MB", below=15)


if __name__ == "__main__":
    harness.run(main)
