"""Objects of a namespace beside its services: quota, network policy, Ingress, jobs."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

JOB = "nightly-export"


def beside(
    namespace: str,
    service: str,
    made: Callable[..., dict[str, Any]],
    ago: Callable[..., str],
    *,
    failing: bool,
    idle: bool,
) -> Iterator[Mapping[str, Any]]:
    """Yield them. ``made`` makes an object of a kind, ``ago`` a time before now; ``service`` is what they are about."""
    hard = {"requests.cpu": "10", "requests.memory": "20Gi", "limits.memory": "30Gi", "pods": "50"}
    used = {
        "requests.cpu": "9800m" if failing else "4",
        "requests.memory": "9Gi",
        "limits.memory": "14Gi",
        "pods": "16",
    }
    yield made("ResourceQuota", "compute", namespace, spec={"hard": hard}, status={"hard": hard, "used": used})
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": service, "port": {"number": 8080}}}}
    rule = {"host": f"{service}.example", "http": {"paths": [path]}}
    ingress = {"ingressClassName": "nginx", "rules": [rule], "tls": [{"hosts": [f"{service}.example"]}]}
    balancer = {"loadBalancer": {"ingress": [{"ip": "192.0.2.10"}]}}
    yield made("Ingress", service, namespace, spec=ingress, status=balancer)
    yield made("IngressClass", "nginx", "", spec={"controller": "k8s.io/ingress-nginx"})
    callers = [{"from": [{"podSelector": {}}], "ports": [{"port": 8080, "protocol": "TCP"}]}]
    policy = {"podSelector": {"matchLabels": {"app": service}}, "policyTypes": ["Ingress"], "ingress": callers}
    if not idle:
        yield made("NetworkPolicy", f"{service}-callers", namespace, spec=policy)
    budget = {"minAvailable": 2, "selector": {"matchLabels": {"app": service}}}
    yield made("PodDisruptionBudget", service, namespace, spec=budget, status={"disruptionsAllowed": int(not failing)})
    yield from _jobs(namespace, made, ago, failing=failing)


def _jobs(
    namespace: str, made: Callable[..., dict[str, Any]], ago: Callable[..., str], *, failing: bool
) -> Iterator[Mapping[str, Any]]:
    container = {"name": "main", "image": "registry.example/export:2.0.1"}
    template = {"spec": {"containers": [container], "restartPolicy": "Never"}}
    job = {"completions": 1, "backoffLimit": 3, "template": template}
    cron = {"schedule": "0 3 * * *", "concurrencyPolicy": "Forbid", "suspend": False, "jobTemplate": {"spec": job}}
    times = {"lastScheduleTime": ago(hours=5), "lastSuccessfulTime": ago(hours=4.9)}
    yield made("CronJob", JOB, namespace, spec=cron, status=times)
    ended = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "it has failed 4 times"}
    done = {"type": "Complete", "status": "True", "reason": "CompletionsReached", "message": ""}
    status = {"startTime": ago(hours=5), "completionTime": ago(hours=4.9), "conditions": [ended if failing else done]}
    counts = {"failed": 4} if failing else {"succeeded": 1}
    yield made("Job", f"{JOB}-1", namespace, 0.2, spec=job, status={**status, **counts})
    labels = {"batch.kubernetes.io/job-name": f"{JOB}-1"}
    if not failing:  # the pod of a finished job was deleted
        return
    state = {"terminated": {"reason": "Error", "exitCode": 1}}
    ran = {"name": "main", "ready": False, "restartCount": 0, "state": state}
    pod = {"phase": "Failed", "containerStatuses": [ran]}
    spec = {"containers": [container], "nodeName": "node-b"}
    yield made("Pod", f"{JOB}-1-b8w5q", namespace, 0.2, metadata={"labels": labels}, spec=spec, status=pod)
