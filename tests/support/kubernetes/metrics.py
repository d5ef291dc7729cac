"""Series of a scenario in Prometheus: its own, and those that kube-state-metrics makes of the objects."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tests.support.kubernetes.scenarios import Scenario

#: History that is written, and the distance of two samples.
HISTORY = timedelta(minutes=70)
STEP = timedelta(seconds=30)
#: Samples beyond now, so that a query of the next minutes finds one.
AHEAD = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class Series:
    """A series: its last value, and its change per second before that."""

    name: str
    labels: Mapping[str, str]
    value: float
    rate: float = 0.0


def openmetrics(scenario: Scenario, now: datetime) -> str:
    """Return the text that ``promtool tsdb create-blocks-from openmetrics`` reads."""
    lines: list[str] = []
    moments = [now + number * STEP for number in range(-(HISTORY // STEP), AHEAD // STEP + 1)]
    for each in sorted(series_of(scenario, now), key=lambda each: each.name):
        labels = ",".join(f'{key}="{_escaped(value)}"' for key, value in each.labels.items())
        for moment in moments:
            value = each.value + each.rate * (moment - now).total_seconds()
            lines.append(f"{each.name}{{{labels}}} {value!r} {moment.timestamp():.3f}")
    return "\n".join([*lines, "# EOF", ""])


def series_of(scenario: Scenario, now: datetime) -> Iterator[Series]:
    """Yield the series of a scenario."""
    for each in scenario.given.get("metrics") or ():
        rate = float(each.get("rate") or 0.0)
        value = float(each.get("value", rate * HISTORY.total_seconds()))
        yield Series(each["name"], {key: str(value) for key, value in each["labels"].items()}, value, rate)
    for each in scenario.given["alerts"]:
        yield Series("ALERTS", {**each["labels"], "alertstate": "firing"}, 1)
    for each in scenario.cluster.objects:
        if maker := _MAKERS.get(each["kind"]):
            for series in maker(each, now):
                yield Series(series.name, {**_KSM, **series.labels}, series.value, series.rate)


#: Labels of the scrape of kube-state-metrics.
_KSM = {"job": "kube-state-metrics", "instance": "10.42.0.77:8080"}
_PHASES = ("Pending", "Running", "Succeeded", "Failed", "Unknown")


def _pod(pod: Mapping[str, Any], now: datetime) -> Iterator[Series]:
    status, spec = pod.get("status") or {}, pod.get("spec") or {}
    own = {"namespace": pod["metadata"]["namespace"], "pod": pod["metadata"]["name"]}
    yield Series("kube_pod_info", {**own, "node": spec.get("nodeName", ""), "pod_ip": status.get("podIP", "")}, 1)
    for phase in _PHASES:
        yield Series("kube_pod_status_phase", {**own, "phase": phase}, status.get("phase") == phase)
    ready = {each["type"]: each["status"] for each in status.get("conditions") or ()}.get("Ready", "False")
    for condition in ("true", "false", "unknown"):
        yield Series("kube_pod_status_ready", {**own, "condition": condition}, ready.lower() == condition)
    for container in spec.get("containers") or ():
        for kind in ("requests", "limits"):
            for resource, quantity in ((container.get("resources") or {}).get(kind) or {}).items():
                labels = {**own, "container": container["name"], "resource": resource}
                yield Series(f"kube_pod_container_resource_{kind}", labels, _quantity(str(quantity)))
    for each in status.get("containerStatuses") or ():
        yield from _container(each, {**own, "container": each["name"]}, now)


def _container(status: Mapping[str, Any], own: Mapping[str, str], now: datetime) -> Iterator[Series]:
    state, last = status.get("state") or {}, (status.get("lastState") or {}).get("terminated")
    yield Series("kube_pod_container_info", {**own, "image": status.get("image", "")}, 1)
    yield Series("kube_pod_container_status_ready", own, bool(status.get("ready")))
    yield Series("kube_pod_container_status_running", own, "running" in state)
    restarts = float(status.get("restartCount") or 0)
    # An old restart is history: only those of a container that ended within the last hour are growing.
    fresh = last and last.get("finishedAt") and now - datetime.fromisoformat(last["finishedAt"]) < timedelta(hours=1)
    rate = restarts / HISTORY.total_seconds() if fresh else 0.0
    yield Series("kube_pod_container_status_restarts_total", own, restarts, rate)
    if reason := (state.get("waiting") or {}).get("reason"):
        yield Series("kube_pod_container_status_waiting_reason", {**own, "reason": reason}, 1)
    if last:
        reason = last.get("reason", "Error")
        yield Series("kube_pod_container_status_last_terminated_reason", {**own, "reason": reason}, 1)
        yield Series("kube_pod_container_status_last_terminated_exitcode", own, last.get("exitCode", 0))


def _replicas(found: Mapping[str, Any], _now: datetime) -> Iterator[Series]:
    kind, status = found["kind"].lower(), found.get("status") or {}
    own = {"namespace": found["metadata"]["namespace"], kind: found["metadata"]["name"]}
    spec = "kube_statefulset_replicas" if kind == "statefulset" else f"kube_{kind}_spec_replicas"
    yield Series(spec, own, (found.get("spec") or {}).get("replicas", 1))
    for field, name in (
        ("replicas", "replicas"),
        ("readyReplicas", "replicas_ready"),
        ("availableReplicas", "replicas_available"),
        ("updatedReplicas", "replicas_updated"),
        ("unavailableReplicas", "replicas_unavailable"),
    ):
        yield Series(f"kube_{kind}_status_{name}", own, status.get(field) or 0)
    for each in status.get("conditions") or ():
        for value in ("true", "false", "unknown"):
            labels = {**own, "condition": each["type"], "status": value}
            yield Series(f"kube_{kind}_status_condition", labels, each["status"].lower() == value)


def _replica_set(found: Mapping[str, Any], _now: datetime) -> Iterator[Series]:
    own = {"namespace": found["metadata"]["namespace"], "replicaset": found["metadata"]["name"]}
    created = datetime.fromisoformat(found["metadata"]["creationTimestamp"])
    yield Series("kube_replicaset_created", own, created.timestamp())
    yield Series("kube_replicaset_spec_replicas", own, (found.get("spec") or {}).get("replicas", 0))
    for owner in found["metadata"].get("ownerReferences") or ():
        labels = {**own, "owner_kind": owner["kind"], "owner_name": owner["name"]}
        yield Series("kube_replicaset_owner", labels, 1)


def _node(found: Mapping[str, Any], _now: datetime) -> Iterator[Series]:
    own = {"node": found["metadata"]["name"]}
    for each in (found.get("status") or {}).get("conditions") or ():
        for value in ("true", "false", "unknown"):
            labels = {**own, "condition": each["type"], "status": value}
            yield Series("kube_node_status_condition", labels, each["status"].lower() == value)


def _job(found: Mapping[str, Any], _now: datetime) -> Iterator[Series]:
    own = {"namespace": found["metadata"]["namespace"], "job_name": found["metadata"]["name"]}
    status = found.get("status") or {}
    for field in ("active", "failed", "succeeded"):
        yield Series(f"kube_job_status_{field}", own, status.get(field) or 0)


def _quota(found: Mapping[str, Any], _now: datetime) -> Iterator[Series]:
    own = {"namespace": found["metadata"]["namespace"], "resourcequota": found["metadata"]["name"]}
    for kind in ("hard", "used"):
        for resource, quantity in ((found.get("status") or {}).get(kind) or {}).items():
            yield Series("kube_resourcequota", {**own, "resource": resource, "type": kind}, _quantity(str(quantity)))


def _autoscaler(found: Mapping[str, Any], _now: datetime) -> Iterator[Series]:
    own = {"namespace": found["metadata"]["namespace"], "horizontalpodautoscaler": found["metadata"]["name"]}
    yield Series("kube_horizontalpodautoscaler_spec_max_replicas", own, found["spec"]["maxReplicas"])
    current = (found.get("status") or {}).get("currentReplicas") or 0
    yield Series("kube_horizontalpodautoscaler_status_current_replicas", own, current)


_MAKERS = {
    "Pod": _pod,
    "Deployment": _replicas,
    "StatefulSet": _replicas,
    "ReplicaSet": _replica_set,
    "Node": _node,
    "Job": _job,
    "ResourceQuota": _quota,
    "HorizontalPodAutoscaler": _autoscaler,
}
_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "k": 1e3, "M": 1e6, "G": 1e9, "m": 1e-3}


def _quantity(text: str) -> float:
    unit = next((each for each in _UNITS if text.endswith(each)), "")
    return float(text.removesuffix(unit)) * _UNITS.get(unit, 1.0)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
