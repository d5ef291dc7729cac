"""Tables of a Kubernetes API: the columns that kubectl prints, by kind (kubernetes, pkg/printers/internalversion)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

Object = Mapping[str, Any]
_NONE = "<none>"


def table(kind: str, found: Sequence[Object]) -> Mapping[str, Any]:
    """Return objects of a kind as a Table. A column that is shown only with ``-o wide`` has the priority 1."""
    heads, cells = _KINDS.get(kind, ("Name Age", _named))
    columns = [
        {
            "name": head.strip("+").replace("_", " "),
            "type": "string",
            "format": "",
            "description": "",
            "priority": int("+" in head),
        }
        for head in heads.split()
    ]
    if columns:
        columns[0]["format"] = "name" if columns[0]["name"] == "Name" else ""
    now = datetime.now(UTC)
    rows = [{"cells": cells(each, now), "object": {**each, "kind": "PartialObjectMetadata"}} for each in found]
    return {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {}, "columnDefinitions": columns, "rows": rows}


def _age(written: Any, now: datetime) -> str:
    """Return the time since then as kubectl shows it (apimachinery, duration.HumanDuration)."""
    if not isinstance(written, str):
        return "<unknown>"
    seconds = max(0, int((now - datetime.fromisoformat(written)).total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    for below, count, unit, rest, small in (
        (120, seconds, "s", 0, ""),
        (600, minutes, "m", seconds % 60, "s"),
        (3 * 3600, minutes, "m", 0, ""),
        (8 * 3600, hours, "h", minutes % 60, "m"),
        (48 * 3600, hours, "h", 0, ""),
        (8 * 86400, days, "d", hours % 24, "h"),
    ):
        if seconds < below:
            return f"{count}{unit}{f'{rest}{small}' if rest else ''}"
    return f"{days}d"


def _of(found: Object) -> tuple[str, Mapping[str, Any], Mapping[str, Any]]:
    return found["metadata"]["name"], found.get("spec") or {}, found.get("status") or {}


def _made(found: Object, now: datetime) -> str:
    return _age(found["metadata"].get("creationTimestamp"), now)


def _named(found: Object, now: datetime) -> list[Any]:
    return [found["metadata"]["name"], _made(found, now)]


def _pod(found: Object, now: datetime) -> list[Any]:
    name, spec, status = _of(found)
    containers = status.get("containerStatuses") or ()
    restarts = sum(each.get("restartCount", 0) for each in containers)
    ends = [(each.get("lastState") or {}).get("terminated", {}).get("finishedAt") for each in containers]
    ended = max((each for each in ends if each), default=None)
    ago = f" ({_age(ended, now)} ago)" if restarts and ended else ""
    ready = sum(bool(each.get("ready")) for each in containers)
    total = len(spec.get("containers") or containers)
    return [
        name,
        f"{ready}/{total}",
        _phase(found),
        f"{restarts}{ago}",
        _made(found, now),
        status.get("podIP") or _NONE,
        spec.get("nodeName") or _NONE,
        _NONE,
        _NONE,
    ]


def _phase(pod: Object) -> str:
    """Return the status that kubectl shows for a pod."""
    status = pod.get("status") or {}
    said = str(status.get("reason") or status.get("phase") or "Unknown")
    for each in status.get("initContainerStatuses") or ():
        state = each.get("state") or {}
        if reason := (state.get("waiting") or {}).get("reason"):
            return f"Init:{reason}"
        if (ended := state.get("terminated")) and ended.get("exitCode"):
            return f"Init:{ended.get('reason', 'Error')}"
    for each in status.get("containerStatuses") or ():
        state = each.get("state") or {}
        found = (state.get("waiting") or {}).get("reason") or (state.get("terminated") or {}).get("reason")
        said = str(found or said)
    return "Terminating" if pod["metadata"].get("deletionTimestamp") else said


def _containers(spec: Mapping[str, Any]) -> list[str]:
    found = ((spec.get("template") or {}).get("spec") or {}).get("containers") or ()
    return [",".join(each["name"] for each in found), ",".join(each.get("image", "") for each in found)]


def _selector(spec: Mapping[str, Any]) -> str:
    labels = (spec.get("selector") or {}).get("matchLabels") or {}
    return ",".join(f"{key}={value}" for key, value in labels.items()) or _NONE


def _deployment(found: Object, now: datetime) -> list[Any]:
    name, spec, status = _of(found)
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 1)}"
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    return [name, ready, updated, available, _made(found, now), *_containers(spec), _selector(spec)]


def _replica_set(found: Object, now: datetime) -> list[Any]:
    name, spec, status = _of(found)
    counts = [spec.get("replicas", 0), status.get("replicas", 0), status.get("readyReplicas", 0)]
    return [name, *counts, _made(found, now), *_containers(spec), _selector(spec)]


def _stateful_set(found: Object, now: datetime) -> list[Any]:
    name, spec, status = _of(found)
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 1)}"
    return [name, ready, _made(found, now), *_containers(spec)]


def _service(found: Object, now: datetime) -> list[Any]:
    name, spec, _ = _of(found)
    ports = ",".join(f"{each['port']}/{each.get('protocol', 'TCP')}" for each in spec.get("ports") or ())
    selector = ",".join(f"{key}={value}" for key, value in (spec.get("selector") or {}).items()) or _NONE
    return [
        name,
        spec.get("type", "ClusterIP"),
        spec.get("clusterIP", "None"),
        _NONE,
        ports or _NONE,
        _made(found, now),
        selector,
    ]


def _node(found: Object, now: datetime) -> list[Any]:
    name, spec, status = _of(found)
    conditions = {each["type"]: each["status"] for each in status.get("conditions") or ()}
    state = "Ready" if conditions.get("Ready") == "True" else "NotReady"
    if spec.get("unschedulable"):
        state += ",SchedulingDisabled"
    info = status.get("nodeInfo") or {}
    address = next((each["address"] for each in status.get("addresses") or () if each["type"] == "InternalIP"), _NONE)
    wide = [
        address,
        _NONE,
        info.get("osImage", ""),
        info.get("kernelVersion", ""),
        info.get("containerRuntimeVersion", ""),
    ]
    return [name, state, _NONE, _made(found, now), info.get("kubeletVersion", ""), *wide]


def _event(found: Object, now: datetime) -> list[Any]:
    about = found.get("involvedObject") or {}
    last = (found.get("series") or {}).get("lastObservedTime") or found.get("lastTimestamp") or found.get("eventTime")
    what = f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"
    source = (found.get("source") or {}).get("component", "")
    first = _age(found.get("firstTimestamp") or last, now)
    rest = [str(found.get("message", "")).strip(), first, found.get("count") or 1, found["metadata"]["name"]]
    return [
        _age(last, now),
        found.get("type", ""),
        found.get("reason", ""),
        what,
        about.get("fieldPath", ""),
        source,
        *rest,
    ]


def _autoscaler(found: Object, now: datetime) -> list[Any]:
    name, spec, status = _of(found)
    target = spec.get("scaleTargetRef") or {}
    metrics = [each["resource"] for each in spec.get("metrics") or () if each.get("type") == "Resource"]
    shown = [
        f"{each['name']}: {_current(status, each['name'])}/{each['target'].get('averageUtilization')}%"
        for each in metrics
    ]
    limits = [spec.get("minReplicas", 1), spec.get("maxReplicas")]
    reference = f"{target.get('kind')}/{target.get('name')}"
    return [
        name,
        reference,
        ", ".join(shown) or "<unknown>",
        *limits,
        status.get("currentReplicas", 0),
        _made(found, now),
    ]


def _current(status: Mapping[str, Any], resource: str) -> str:
    for each in status.get("currentMetrics") or ():
        used = each.get("resource") or {}
        if used.get("name") == resource and "averageUtilization" in (used.get("current") or {}):
            return f"{used['current']['averageUtilization']}%"
    return "<unknown>"


def _claim(found: Object, now: datetime) -> list[Any]:
    name, spec, status = _of(found)
    size = (status.get("capacity") or {}).get("storage", "")
    modes = ",".join(
        "".join(word[0] for word in _WORDS.get(each, each).split()) for each in spec.get("accessModes") or ()
    )
    rest = [spec.get("storageClassName", ""), "<unset>", _made(found, now), spec.get("volumeMode", "Filesystem")]
    return [name, status.get("phase", ""), spec.get("volumeName", ""), size, modes, *rest]


_WORDS = {"ReadWriteOnce": "R W O", "ReadWriteMany": "R W X", "ReadOnlyMany": "R O X", "ReadWriteOncePod": "R W O P"}


def _class(found: Object, now: datetime) -> list[Any]:
    default = (found["metadata"].get("annotations") or {}).get("storageclass.kubernetes.io/is-default-class") == "true"
    name = f"{found['metadata']['name']}{' (default)' if default else ''}"
    policy, mode = found.get("reclaimPolicy", "Delete"), found.get("volumeBindingMode", "Immediate")
    return [
        name,
        found.get("provisioner", ""),
        policy,
        mode,
        str(bool(found.get("allowVolumeExpansion"))).lower(),
        _made(found, now),
    ]


def _namespace(found: Object, now: datetime) -> list[Any]:
    name, _, status = _of(found)
    return [name, status.get("phase", "Active"), _made(found, now)]


def _slice(found: Object, now: datetime) -> list[Any]:
    ports = ",".join(str(each.get("port")) for each in found.get("ports") or ()) or "<unset>"
    addresses = ",".join(address for each in found.get("endpoints") or () for address in each.get("addresses") or ())
    return [
        found["metadata"]["name"],
        found.get("addressType", "IPv4"),
        ports,
        addresses or "<unset>",
        _made(found, now),
    ]


def _certificate(found: Object, now: datetime) -> list[Any]:
    name, spec, status = _of(found)
    ready = next((each["status"] for each in status.get("conditions") or () if each["type"] == "Ready"), "Unknown")
    return [name, ready, spec.get("secretName", ""), _made(found, now)]


def _budget(found: Object, now: datetime) -> list[Any]:
    name, spec, status = _of(found)
    return [
        name,
        spec.get("minAvailable", "N/A"),
        spec.get("maxUnavailable", "N/A"),
        status.get("disruptionsAllowed", 0),
        _made(found, now),
    ]


def _quota(found: Object, now: datetime) -> list[Any]:
    hard, used = found["status"].get("hard", {}), found["status"].get("used", {})
    both = {key: f"{key}: {used.get(key, '0')}/{most}" for key, most in hard.items()}
    limits = ", ".join(each for key, each in both.items() if key.startswith("limits"))
    return [
        found["metadata"]["name"],
        ", ".join(each for key, each in both.items() if not key.startswith("limits")),
        limits,
        _made(found, now),
    ]


def _ingress(found: Object, now: datetime) -> list[Any]:
    name, spec, status = _of(found)
    hosts = ",".join(each.get("host", "*") for each in spec.get("rules") or ()) or "*"
    addresses = ",".join(each.get("ip", "") for each in (status.get("loadBalancer") or {}).get("ingress") or ())
    return [
        name,
        spec.get("ingressClassName", _NONE),
        hosts,
        addresses,
        "80, 443" if spec.get("tls") else "80",
        _made(found, now),
    ]


def _policy(found: Object, now: datetime) -> list[Any]:
    name, spec, _ = _of(found)
    labels = (spec.get("podSelector") or {}).get("matchLabels") or {}
    return [name, ",".join(f"{key}={value}" for key, value in labels.items()) or _NONE, _made(found, now)]


def _job(found: Object, now: datetime) -> list[Any]:
    name, spec, status = _of(found)
    true = [each["type"] for each in status.get("conditions") or () if each["status"] == "True"]
    state = next((each for each in ("Complete", "Failed", "Suspended") if each in true), "Running")
    done = f"{status.get('succeeded', 0)}/{spec.get('completions', 1)}"
    begun, ended = status.get("startTime"), status.get("completionTime")
    took = _age(begun, datetime.fromisoformat(ended)) if begun and ended else _age(begun, now) if begun else ""
    return [name, state, done, took, _made(found, now)]


def _cron_job(found: Object, now: datetime) -> list[Any]:
    name, spec, status = _of(found)
    last = _age(status.get("lastScheduleTime"), now) if status.get("lastScheduleTime") else _NONE
    active = len(status.get("active") or ())
    return [
        name,
        spec.get("schedule", ""),
        spec.get("timeZone", _NONE),
        str(bool(spec.get("suspend"))),
        active,
        last,
        _made(found, now),
    ]


#: By kind, the names of the columns (``+`` for those of ``-o wide``), and the cells of an object.
_KINDS: Mapping[str, tuple[str, Callable[[Object, datetime], list[Any]]]] = {
    "Pod": ("Name Ready Status Restarts Age IP+ Node+ Nominated_Node+ Readiness_Gates+", _pod),
    "Deployment": ("Name Ready Up-to-date Available Age Containers+ Images+ Selector+", _deployment),
    "ReplicaSet": ("Name Desired Current Ready Age Containers+ Images+ Selector+", _replica_set),
    "StatefulSet": ("Name Ready Age Containers+ Images+", _stateful_set),
    "Service": ("Name Type Cluster-IP External-IP Port(s) Age Selector+", _service),
    "Node": (
        "Name Status Roles Age Version Internal-IP+ External-IP+ OS-Image+ Kernel-Version+ Container-Runtime+",
        _node,
    ),
    "Event": ("Last_Seen Type Reason Object Subobject+ Source+ Message First_Seen+ Count+ Name+", _event),
    "HorizontalPodAutoscaler": ("Name Reference Targets MinPods MaxPods Replicas Age", _autoscaler),
    "PersistentVolumeClaim": (
        "Name Status Volume Capacity Access_Modes StorageClass VolumeAttributesClass Age VolumeMode+",
        _claim,
    ),
    "StorageClass": ("Name Provisioner ReclaimPolicy VolumeBindingMode AllowVolumeExpansion Age", _class),
    "Namespace": ("Name Status Age", _namespace),
    "EndpointSlice": ("Name AddressType Ports Endpoints Age", _slice),
    "PodDisruptionBudget": ("Name Min_Available Max_Unavailable Allowed_Disruptions Age", _budget),
    "ResourceQuota": ("Name Request Limit Age", _quota),
    "Ingress": ("Name Class Hosts Address Ports Age", _ingress),
    "NetworkPolicy": ("Name Pod-Selector Age", _policy),
    "Job": ("Name Status Completions Duration Age", _job),
    "CronJob": ("Name Schedule Timezone Suspend Active Last_Schedule Age", _cron_job),
    "Certificate": ("Name Ready Secret Age", _certificate),
}
