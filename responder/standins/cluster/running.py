"""A cluster in which the services of a catalog run: all well, or each with a common fault. For drills of runbooks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from responder.diagnose.cluster.reader import RESOURCES
from responder.model.clock import Deadline
from responder.model.message import Request, Response
from responder.standins.cluster.api import Cluster, LogText
from responder.standins.cluster.beside import JOB, beside

_NODES = ("node-a", "node-b", "node-c")
_REPLICAS = 3
_HASH, _OLD_HASH = "6f9d8c7b5", "5c4b9d8f7"
_LOG = (
    "{at} INFO  Starting {name}\n"
    "{at} INFO  Started {name} in 12.4 seconds\n"
    "{at} WARN  Slow request: 812 ms\n"
    "{at} ERROR Request failed\n"
    "Caused by: java.net.SocketTimeoutException: connect timed out\n"
)
_LAST_LOG = "{at} ERROR Application run failed\nCaused by: java.lang.OutOfMemoryError: Java heap space\n"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A cluster with its services, by their namespaces.

    ``failing`` is True if each service has a crashing and a pending pod, ``idle`` if all are scaled to zero.
    """

    title: str
    names: Mapping[str, str]
    failing: bool = False
    idle: bool = False

    @property
    def replicas(self) -> int:
        """Number of pods of a service."""
        return 0 if self.idle else _REPLICAS

    def values(self, service: str) -> dict[str, str]:
        """Return values of the placeholders that alerts about a service would give."""
        return {
            "service": service,
            "namespace": self.names[service],
            "pod": _pod_name(service, 0),
            "container": service,
            "deployment": service,
            "node": _NODES[0],
            "persistentvolumeclaim": f"data-{service}",
            "horizontalpodautoscaler": service,
            "hpa": service,
            "name": f"{service}-tls",
            "job_name": f"{JOB}-1",
            "cronjob": JOB,
        }

    def cluster(self) -> Cluster:
        """Return the Kubernetes API of it."""
        now = datetime.now(UTC)
        at = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        logs = [
            LogText(namespace, _pod_name(name, number), name, previous, text.format(at=at, name=name))
            for name, namespace in self.names.items()
            for number in range(self.replicas)
            for previous, text in ((False, _LOG), *([(True, _LAST_LOG)] if self.failing and not number else []))
        ]
        return Cluster(list(_Objects(self, now).all()), logs)

    def send(self, request: Request, _deadline: Deadline, _cap: int) -> Response:
        """Answer a GET as Spring Boot, Prometheus and responder do."""
        path = urlsplit(request.url).path
        status, body = 404, '{"status":404,"error":"Not Found"}'
        if path.endswith("/health") or "/health/" in path:
            status, body = (503, '{"status":"DOWN"}') if self.failing else (200, '{"status":"UP"}')
        elif "/metrics/" in path:
            name = path.rpartition("/")[2]
            value = 34.0 if self.failing else 0.0
            body = f'{{"name":"{name}","measurements":[{{"statistic":"VALUE","value":{value}}}],"availableTags":[]}}'
            status = 200
        elif path in {"/-/ready", "/-/healthy"}:
            status, body = 200, "OK" if "alertmanager" in request.url else "Prometheus Server is Ready.\n"
        elif path in {"/readyz", "/healthz"}:
            status, body = 200, '{"status":"ok"}'
        return Response(status, body.encode())


class _Objects:
    """The objects of a scenario."""

    def __init__(self, scenario: Scenario, now: datetime) -> None:
        self._scenario = scenario
        self._now = now

    def all(self) -> Iterator[Mapping[str, Any]]:
        for number, node in enumerate(_NODES):
            yield from self._node(node, ready=not (self._scenario.failing and number == 0))
        yield self._made(
            "StorageClass", "standard", "", provisioner="csi.example", reclaimPolicy="Delete", allowVolumeExpansion=True
        )
        for namespace in dict.fromkeys(self._scenario.names.values()):
            yield self._made("Namespace", namespace, "", status={"phase": "Active"})
            service = next(name for name, where in self._scenario.names.items() if where == namespace)
            state = {"failing": self._scenario.failing, "idle": self._scenario.idle}
            yield from beside(namespace, service, self._made, self._ago, **state)
        for name, namespace in self._scenario.names.items():
            yield from self._service(name, namespace)

    def _made(self, kind: str, name: str, namespace: str, days: float = 20, **parts: Any) -> dict[str, Any]:
        metadata = {
            "name": name,
            "uid": f"{kind.lower()}-{namespace}-{name}",
            "creationTimestamp": self._ago(days=days),
        }
        if namespace:
            metadata["namespace"] = namespace
        version = RESOURCES[kind].root.removeprefix("/apis/").removeprefix("/api/")
        return {"apiVersion": version, "kind": kind, "metadata": {**metadata, **parts.pop("metadata", {})}, **parts}

    def _ago(self, **span: float) -> str:
        return (self._now - timedelta(**span)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _node(self, name: str, *, ready: bool) -> Iterator[dict[str, Any]]:
        good = {
            "type": "Ready",
            "status": "True",
            "reason": "KubeletReady",
            "message": "kubelet is posting ready status",
        }
        bad = {
            "type": "Ready",
            "status": "Unknown",
            "reason": "NodeStatusUnknown",
            "message": "Kubelet stopped posting",
        }
        pressures = [
            {"type": each, "status": "False" if ready else "Unknown", "reason": f"KubeletHasNo{each}", "message": ""}
            for each in ("MemoryPressure", "DiskPressure", "PIDPressure")
        ]
        there = {"cpu": "3920m", "memory": "14Gi", "pods": "110"}
        status = {
            "conditions": [*pressures, good if ready else bad],
            "allocatable": there,
            "capacity": there,
            "addresses": [{"type": "InternalIP", "address": f"10.0.0.{_NODES.index(name) + 1}"}],
            "nodeInfo": {
                "kubeletVersion": "v1.37.1",
                "osImage": "Linux",
                "containerRuntimeVersion": "containerd://2.2.1",
            },
        }
        labels = {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": f"zone-{name[-1]}"}
        yield self._made("Node", name, "", metadata={"labels": labels}, spec={}, status=status)
        yield self._made("NodeMetrics", name, "", usage={"cpu": "1200m", "memory": "6Gi"})

    def _service(self, name: str, namespace: str) -> Iterator[dict[str, Any]]:
        failing = self._scenario.failing
        labels = {"app": name, "app.kubernetes.io/name": name}
        replicas = self._scenario.replicas
        ready = 1 if failing else replicas
        container: dict[str, Any] = {"name": name, "image": f"registry.example/{name}:1.4.2"}
        container["ports"] = [{"containerPort": 8080}]
        container["readinessProbe"] = {"httpGet": {"path": "/actuator/health/readiness", "port": 8080}}
        container["resources"] = {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"memory": "768Mi"}}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
        counts = {
            "replicas": replicas,
            "updatedReplicas": replicas,
            "readyReplicas": ready,
            "availableReplicas": ready,
        }
        conditions = [
            {"type": "Available", "status": str(not failing), "reason": "MinimumReplicasAvailable", "message": ""},
            {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable", "message": ""},
        ]
        if failing:
            counts["unavailableReplicas"] = replicas - ready
        deployment = self._made(
            "Deployment",
            name,
            namespace,
            metadata={"labels": labels, "generation": 7, "annotations": {"deployment.kubernetes.io/revision": "7"}},
            spec=spec,
            status={**counts, "observedGeneration": 7, "conditions": conditions},
        )
        yield deployment
        for number, (hash_, wanted) in enumerate(((_OLD_HASH, 0), (_HASH, replicas))):
            metadata = {
                "labels": {**labels, "pod-template-hash": hash_},
                "annotations": {"deployment.kubernetes.io/revision": str(6 + number)},
                "ownerReferences": [_owner(deployment)],
            }
            status = {"replicas": wanted, "readyReplicas": min(ready, wanted)}
            both = {"spec": {**spec, "replicas": wanted}, "status": status}
            yield self._made("ReplicaSet", f"{name}-{hash_}", namespace, 9 - 8 * number, **both, metadata=metadata)
        for number in range(replicas):
            yield from self._pod(name, namespace, number, labels, container)
        ports = [{"name": "http", "port": 8080, "protocol": "TCP", "targetPort": 8080}]
        yield self._made(
            "Service", name, namespace, spec={"clusterIP": "10.43.0.10", "ports": ports, "selector": {"app": name}}
        )
        addresses = [f"10.42.0.{number + 10}" for number in range(replicas)]
        endpoints = [{"addresses": [each], "conditions": {"ready": True}} for each in addresses[replicas - ready :]]
        service_label = {"labels": {"kubernetes.io/service-name": name}}
        parts: dict[str, Any] = {
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": 8080}],
            "endpoints": endpoints,
        }
        yield self._made("EndpointSlice", f"{name}-x7k2p", namespace, metadata=service_label, **parts)
        if self._scenario.idle:
            said = f"Scaled down replica set {name}-{_HASH} from {_REPLICAS} to 0"
            yield self._event("Deployment", name, namespace, "ScalingReplicaSet", said, "deployment-controller")
        else:
            yield self._autoscaler(name, namespace)
        claim = {"accessModes": ["ReadWriteOnce"], "storageClassName": "standard", "volumeName": f"pv-{name}"}
        bound = {"phase": "Bound", "capacity": {"storage": "20Gi"}}
        yield self._made("PersistentVolumeClaim", f"data-{name}", namespace, spec=claim, status=bound)
        state = {
            "type": "Ready",
            "status": str(not failing),
            "reason": "Ready",
            "message": "Certificate is up to date and has not expired",
        }
        times = {"notAfter": self._ago(days=2 if failing else -60), "renewalTime": self._ago(days=-30)}
        certificate = {"secretName": f"{name}-tls", "dnsNames": [f"{name}.example"]}
        yield self._made(
            "Certificate", f"{name}-tls", namespace, spec=certificate, status={"conditions": [state], **times}
        )

    def _autoscaler(self, name: str, namespace: str) -> dict[str, Any]:
        failing = self._scenario.failing
        target = {
            "type": "Resource",
            "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}},
        }
        current = {
            "type": "Resource",
            "resource": {"name": "cpu", "current": {"averageUtilization": 96 if failing else 41}},
        }
        conditions = [
            {"type": "AbleToScale", "status": "True", "reason": "ReadyForNewScale", "message": ""},
            {"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound", "message": ""},
            {
                "type": "ScalingLimited",
                "status": str(failing),
                "reason": "TooManyReplicas" if failing else "DesiredWithinRange",
                "message": "",
            },
        ]
        reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
        spec = {"scaleTargetRef": reference, "minReplicas": 2, "maxReplicas": 3 if failing else 8, "metrics": [target]}
        status = {"currentReplicas": _REPLICAS, "desiredReplicas": _REPLICAS, "currentMetrics": [current]}
        return self._made(
            "HorizontalPodAutoscaler", name, namespace, spec=spec, status={**status, "conditions": conditions}
        )

    def _pod(
        self, name: str, namespace: str, number: int, labels: Mapping[str, str], container: Mapping[str, Any]
    ) -> Iterator[dict[str, Any]]:
        crashing, pending = self._scenario.failing and number == 0, self._scenario.failing and number == 1
        owner = {
            "kind": "ReplicaSet",
            "name": f"{name}-{_HASH}",
            "controller": True,
            "uid": f"replicaset-{namespace}-{name}-{_HASH}",
        }
        metadata = {"labels": {**labels, "pod-template-hash": _HASH}, "ownerReferences": [owner]}
        spec: dict[str, Any] = {"containers": [container], "serviceAccountName": name}
        own = _pod_name(name, number)
        if pending:
            why = "0/3 nodes are available: 3 Insufficient memory."
            scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why}
            yield self._made(
                "Pod",
                own,
                namespace,
                0.01,
                metadata=metadata,
                spec=spec,
                status={"phase": "Pending", "conditions": [scheduled]},
            )
            yield self._event("Pod", own, namespace, "FailedScheduling", why, "default-scheduler")
            return
        spec["nodeName"] = _NODES[number]
        state: dict[str, Any] = {"running": {"startedAt": self._ago(days=1)}}
        last: dict[str, Any] = {}
        if crashing:
            state = {"waiting": {"reason": "CrashLoopBackOff", "message": f"back-off 2m40s restarting {name}"}}
            times = {"startedAt": self._ago(minutes=4), "finishedAt": self._ago(minutes=3)}
            last = {"terminated": {"reason": "OOMKilled", "exitCode": 137, **times}}
            yield self._event(
                "Pod", own, namespace, "BackOff", f"Back-off restarting failed container {name}", "kubelet"
            )
            yield self._event("Pod", own, namespace, "Unhealthy", "Readiness probe failed: 503", "kubelet")
        container_status = {
            "name": name,
            "ready": not crashing,
            "restartCount": 7 if crashing else 0,
            "state": state,
            "lastState": last,
        }
        container_status["image"] = container["image"]
        conditions = [
            {"type": each, "status": str(each in {"PodScheduled", "Initialized"} or not crashing)}
            for each in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
        ]
        status = {
            "phase": "Running",
            "podIP": f"10.42.0.{number + 10}",
            "conditions": conditions,
            "containerStatuses": [container_status],
        }
        yield self._made("Pod", own, namespace, 1, metadata=metadata, spec=spec, status=status)
        usage = {"cpu": "230m" if crashing else "120m", "memory": "760Mi" if crashing else "410Mi"}
        measured = {"metadata": {"labels": labels}, "containers": [{"name": name, "usage": usage}]}
        yield self._made("PodMetrics", own, namespace, 1, **measured)

    def _event(self, kind: str, name: str, namespace: str, reason: str, message: str, source: str) -> dict[str, Any]:
        about = {"kind": kind, "name": name, "namespace": namespace, "uid": f"{kind.lower()}-{namespace}-{name}"}
        times = {"firstTimestamp": self._ago(minutes=20), "lastTimestamp": self._ago(minutes=1)}
        rest = {
            "type": "Warning" if kind == "Pod" else "Normal",
            "reason": reason,
            "message": message,
            "count": 12,
            "source": {"component": source},
        }
        return self._made("Event", f"{name}.{reason.lower()}", namespace, 0.01, involvedObject=about, **times, **rest)


def _pod_name(service: str, number: int) -> str:
    return f"{service}-{_HASH}-{('x7k2p', 'm4q9z', 't2w8c')[number]}"


def _owner(found: Mapping[str, Any]) -> dict[str, Any]:
    metadata = found["metadata"]
    return {"kind": found["kind"], "name": metadata["name"], "controller": True, "uid": metadata["uid"]}
