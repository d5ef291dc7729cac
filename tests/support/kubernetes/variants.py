"""Variants of a scenario: with noise in its namespace, and without the right to read logs."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from tests.support.kubernetes.investigation import minutes_ago
from tests.support.kubernetes.scenarios import Scenario

#: Warnings about things that are well again: reason, message, minutes since the last one.
_WARNINGS = (
    ("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", 47),
    ("FailedScheduling", "0/4 nodes are available: 4 Insufficient memory.", 55),
    ("FailedMount", 'MountVolume.SetUp failed for volume "config": configmap "noise" not found', 52),
    ("BackOff", "Back-off restarting failed container app in pod", 31),
    ("Failed", 'Failed to pull image "registry.example.com/noise:1": i/o timeout', 58),
)


def with_noise(scenario: Scenario, now: datetime) -> Scenario:
    """Return the scenario with ten Deployments that are well: five had a warning, five restarted once."""
    spaces = [alert["labels"].get("namespace") for alert in scenario.alerts]
    pods = (each["metadata"]["namespace"] for each in scenario.cluster.objects if each["kind"] == "Pod")
    namespace = next((each for each in spaces if each), "") or next(pods, "default")
    noise = [each for number in range(10) for each in _workload(number, namespace, now)]
    return replace(scenario, cluster=replace(scenario.cluster, objects=[*noise, *scenario.cluster.objects], asked=[]))


def without_logs(scenario: Scenario) -> Scenario:
    """Return the scenario without the right to read logs."""
    return replace(scenario, cluster=replace(scenario.cluster, deny=scenario.cluster.deny | {"pods/log"}, asked=[]))


def _workload(number: int, namespace: str, now: datetime) -> Iterator[dict[str, Any]]:
    """Yield a Deployment with one pod, and its warning."""
    name, labels = f"bystander-{number}", {"app": f"bystander-{number}"}
    long_ago = minutes_ago(now, 9 * 24 * 60)
    ready = [{"type": each, "status": "True", "lastTransitionTime": long_ago} for each in ("Available", "Ready")]
    container = {"name": "app", "image": "registry.example.com/bystander:1.0.0", "ports": [{"containerPort": 8080}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}

    def made(kind: str, own: str, owner: Mapping[str, str] | None, **rest: Any) -> dict[str, Any]:
        refs = [{**owner, "controller": True}] if owner else []
        metadata: dict[str, Any] = {"name": own, "namespace": namespace, "uid": f"uid-{own}", "labels": labels}
        metadata |= {"creationTimestamp": long_ago, "ownerReferences": refs}
        if kind == "ReplicaSet":
            metadata["annotations"] = {"deployment.kubernetes.io/revision": "3"}
        group = "v1" if kind == "Pod" else "apps/v1"
        return {"apiVersion": group, "kind": kind, "metadata": metadata, **rest}

    counts = {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1, "updatedReplicas": 1}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    yield made("Deployment", name, None, spec=spec, status={**counts, "conditions": ready[:1]})
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": f"uid-{name}"}
    yield made("ReplicaSet", f"{name}-rs", owner, spec=spec, status=counts)
    status: dict[str, Any] = {"name": "app", "ready": True, "restartCount": 0, "state": {"running": {}}}
    if number >= len(_WARNINGS):
        ended = {"exitCode": 137, "reason": "OOMKilled", "finishedAt": minutes_ago(now, 38)}
        status |= {"restartCount": 1, "lastState": {"terminated": {**ended, "startedAt": long_ago}}}
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"{name}-rs", "uid": f"uid-{name}-rs"}
    running = {"phase": "Running", "conditions": ready[1:], "containerStatuses": [status], "startTime": long_ago}
    yield made("Pod", f"{name}-rs-1", owner, spec=template["spec"], status=running)
    if number < len(_WARNINGS):
        reason, text, minutes = _WARNINGS[number]
        yield {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{name}.1", "namespace": namespace, "uid": f"uid-{name}-event"},
            "involvedObject": {
                "kind": "Pod",
                "namespace": namespace,
                "name": f"{name}-rs-1",
                "uid": f"uid-{name}-rs-1",
            },
            "type": "Warning",
            "reason": reason,
            "message": text,
            "count": 3,
            "firstTimestamp": minutes_ago(now, minutes + 2),
            "lastTimestamp": minutes_ago(now, minutes),
        }
