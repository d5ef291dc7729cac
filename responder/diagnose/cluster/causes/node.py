"""Nodes: heartbeat lost or runtime down, pressure, who lives there, and whether they still serve from elsewhere."""

from collections import defaultdict

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.pods import is_ready
from responder.diagnose.cluster.scene import Scene, ago
from responder.model.clue import Clue, Role

_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")
#: Workloads on a node that a sentence names.
_NAMED = 4
#: Seconds after which a lease is old: four times the 10 s in which the kubelet renews it.
_LEASE_SECONDS = 40.0


def look(scene: Scene) -> tuple[Clue, ...]:
    """Return what is wrong with the node that the alert names, or with nodes of unready pods of the subject."""
    named = scene.place.named.get("Node", "")
    names = [named] if named else _of_unready(scene)
    found: list[Clue] = []
    for name in names:
        node = next((each for each in scene.objects.get("Node", ()) if objects.name(each) == name), None)
        if node is not None:
            found += _clues(scene, node, named=bool(named))
        elif named and scene.was_read("Node"):
            says = f"node {name} is no longer part of the cluster"
            found.append(Clue(code="node-gone", role=Role.CAUSE, entity=f"Node/{name}", says=says))
    return tuple(found)


def _of_unready(scene: Scene) -> list[str]:
    pods = [each for each in scene.pods_of(scene.workload) if not is_ready(each)]
    return sorted({objects.text(each, "spec", "nodeName") for each in pods} - {""})


def _clues(scene: Scene, node: Object, *, named: bool) -> list[Clue]:
    name, entity = objects.name(node), objects.reference(node)
    found: list[Clue] = []
    ready = objects.condition(node, "Ready")
    status, since = objects.text(ready, "status"), objects.when(ready, "lastTransitionTime")
    at = f" {ago(scene.now, since)} ago" if since else ""
    others = scene.objects.get("Node", ())
    down = [each for each in others if not objects.is_true(each, "Ready")]
    share = f" ({len(down)} of {len(others)} nodes not ready)" if len(others) > 1 else ""
    lives = _lives(scene, name)
    if status == "Unknown":
        lease = _lease(scene, name)
        says = f"node {name} stopped posting status{at}{share}: heartbeat lost{lease}{lives}"
        found.append(Clue(code="node-lost", role=Role.CAUSE, entity=entity, says=says, since=since))
    elif status == "False":
        why = objects.text(ready, "message") or objects.text(ready, "reason")
        says = f"node {name} is not ready{at}{share}: {why[:120]}{lives}"
        found.append(Clue(code="node-runtime", role=Role.CAUSE, entity=entity, says=says, since=since))
    for pressure in _PRESSURES:
        if objects.is_true(node, pressure):
            told = objects.condition(node, pressure)
            began = objects.when(told, "lastTransitionTime")
            at_time = f" since {ago(scene.now, began)}" if began else ""
            why = objects.text(told, "message") or objects.text(told, "reason")
            says = f"node {name} has {pressure}{at_time}: {why[:100]}{_evicted(scene, name)}{lives}"
            found.append(Clue(code="node-pressure", role=Role.CAUSE, entity=entity, says=says, since=began))
    if objects.at(node, "spec", "unschedulable") is True:
        found.append(
            Clue(code="node-cordoned", role=Role.FACT, entity=entity, says=f"node {name} is cordoned (unschedulable)")
        )
    if named and not found:
        found.append(Clue(code="node-ready", role=Role.FINE, entity=entity, says=f"node {name} is ready"))
    return found


def _lease(scene: Scene, node: str) -> str:
    for each in scene.objects.get("Lease", ()):
        renewed = objects.when(each, "spec", "renewTime")
        if objects.name(each) == node and renewed and (scene.now - renewed).total_seconds() > _LEASE_SECONDS:
            return f", lease renewed {ago(scene.now, renewed)} ago"
    return ""


def _evicted(scene: Scene, node: str) -> str:
    count = sum(
        objects.text(each, "status", "reason") == "Evicted" and objects.text(each, "spec", "nodeName") == node
        for each in scene.objects.get("Pod", ())
    )
    return f", {count} pods evicted" if count else ""


def _lives(scene: Scene, node: str) -> str:
    """Return the workloads with pods on a node, and how many of their pods are ready."""
    pods = [each for each in scene.objects.get("Pod", ()) if objects.controller(each)[0] != "DaemonSet"]
    by_owner: dict[str, list[Object]] = defaultdict(list)
    for each in pods:
        by_owner[objects.controller(each)[2]].append(each)
    here = {objects.controller(each)[2]: each for each in pods if objects.text(each, "spec", "nodeName") == node}
    parts: list[str] = []
    for owner, pod in here.items():
        mates = by_owner[owner] if owner else [pod]
        ready = [each for each in mates if is_ready(each) and objects.text(each, "spec", "nodeName") != node]
        serves = "still serves" if ready else "does not serve"
        parts.append(f"{workload_name(pod)} {serves} ({len(ready)} of {len(mates)} pods ready)")
    if not parts:
        return ""
    more = f" and {len(parts) - _NAMED} more" if len(parts) > _NAMED else ""
    return f"; {', '.join(sorted(parts)[:_NAMED])}{more}"


def workload_name(pod: Object) -> str:
    """Return the name of a pod's workload: that of its ReplicaSet without the hash of the template."""
    _, owner, _ = objects.controller(pod)
    hash_ = objects.labels(pod).get("pod-template-hash", "")
    return owner.removesuffix(f"-{hash_}") if owner else objects.name(pod)
