"""CPU and memory in use, as metrics.k8s.io reports them: nodes that are full, and the pods that take most. Pure."""

import re
from dataclasses import dataclass

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.scene import Scene
from responder.model.clock import ago

#: Part of what a node can allocate from which it is full; part of a limit from which a container is at it.
FULL = 0.9
#: Part of what a node can allocate from which one pod explains that it is full.
MOST = 0.4
WORDS = {"cpu": "CPU cores", "memory": "memory"}
#: Seconds before the alert in which a pod is new.
_NEW_SECONDS = 7200.0
#: The kubelet's message of an eviction: which container used how much.
_USING = re.compile(r"Container (\S+) was using (\w+)")


@dataclass(frozen=True, slots=True)
class Full:
    """A resource of a node that is used up: what is in use, and of how much."""

    node: Object
    resource: str
    used: float
    size: float


def full_nodes(scene: Scene) -> list[Full]:
    """Return the resources that are used up, by node."""
    found: list[Full] = []
    for measured in scene.objects.get("NodeMetrics", ()):
        node = scene.find("Node", objects.name(measured))
        for resource in WORDS if node is not None else ():
            size = objects.quantity(objects.at(node, "status", "allocatable", resource)) or 0.0
            used = objects.quantity(objects.at(measured, "usage", resource)) or 0.0
            pressed = resource == "memory" and objects.is_true(node or {}, "MemoryPressure")
            if size and node is not None and (used >= FULL * size or pressed):
                found.append(Full(node, resource, used, size))
    return found


def usage_of(measured: Object, resource: str) -> float:
    """Return what the containers of a pod use together: cores or bytes."""
    each = (objects.quantity(objects.at(one, "usage", resource)) for one in objects.items(measured, "containers"))
    return sum(value or 0.0 for value in each)


def takers(scene: Scene, node: str, resource: str) -> list[tuple[float, Object]]:
    """Return the pods of a node with what they use of a resource, those that use most first."""
    there = {key_of(each): each for each in scene.of("Pod", "") if objects.text(each, "spec", "nodeName") == node}
    found = [
        (usage_of(each, resource), there[key_of(each)]) for each in scene.of("PodMetrics", "") if key_of(each) in there
    ]
    return sorted(found, key=lambda each: each[0], reverse=True)


def takes(scene: Scene, pod: Object, resource: str, amount: float) -> str:
    """Return ``pod reindex-1 of namespace batch takes 3.43 (requests 0.1, no limit, created 12 min ago)``."""
    space = objects.namespace(pod)
    where = f" of namespace {space}" if space != scene.place.namespace else ""
    created = objects.created(pod)
    is_new = created is not None and (scene.began - created).total_seconds() < _NEW_SECONDS
    new = f", created {ago(scene.now, created)} ago" if created and is_new else ""
    return f"pod {objects.name(pod)}{where} takes {shown(amount, resource)} ({bounds(pod, resource)}{new})"


def key_of(value: Object) -> tuple[str, str]:
    """Return namespace and name."""
    return objects.namespace(value), objects.name(value)


def bounds(pod: Object, resource: str) -> str:
    """Return what a pod requests, and the limit that it has."""
    parts = []
    for key, word in (("requests", "requests"), ("limits", "limit")):
        given = (objects.at(each, "resources", key, resource) for each in objects.items(pod, "spec", "containers"))
        known = [value for each in given if (value := objects.quantity(each)) is not None]
        parts.append(f"{word} {shown(sum(known), resource)}" if known else f"no {word.removesuffix('s')}")
    return ", ".join(parts)


def shown(value: float, resource: str) -> str:
    """Return a quantity for people: cores with three digits, memory in GiB or MiB."""
    if resource in {"memory", "ephemeral-storage"} or resource.startswith("hugepages"):
        return f"{value / 2**30:.3g}Gi" if value >= 2**30 else f"{value / 2**20:.3g}Mi"
    return f"{value:.3g}"


def eviction(said: str) -> tuple[str, str, float]:
    """Return why the kubelet evicted a pod, the container that used most with how much, and that amount; empty, 0.0."""
    why, _, used = said.strip().partition(". Threshold")
    match = _USING.search(used)
    amount = objects.quantity(match[2]) if match else None
    return (why, f"container {match[1]} used {shown(amount, 'memory')}", amount) if match and amount else (why, "", 0.0)
