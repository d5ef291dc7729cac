"""CPU and memory in use (metrics.k8s.io): nodes that are full and the pod that takes most, pods at their CPU limit."""

from collections.abc import Iterable

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.pods import many
from responder.diagnose.cluster.scene import Scene
from responder.diagnose.cluster.usage import FULL, MOST, WORDS, Full, full_nodes, key_of, shown, takers, takes
from responder.model.clue import Certainty, Clue, Role


def look(scene: Scene) -> tuple[Clue, ...]:
    """Return the full nodes on which the subject runs, or that the alert names, and the pods at their CPU limit."""
    named = scene.place.named.get("Node", "")
    own = scene.pods_of(scene.workload)
    names = {named} if named else {objects.text(each, "spec", "nodeName") for each in own}
    full = [
        each
        for each in full_nodes(scene)
        if objects.name(each.node) in names and not objects.is_true(each.node, "MemoryPressure")  # it is said with that
    ]
    return (*(_noisy(scene, each, own) for each in full), *_at_limit(scene, own))


def _noisy(scene: Scene, full: Full, own: Iterable[Object]) -> Clue:
    """Return the pod that takes most of a full node, if that is one of others: else only that the node is full."""
    name, resource = objects.name(full.node), full.resource
    node = f"node {name} has {shown(full.used, resource)} of {shown(full.size, resource)} {WORDS[resource]} in use"
    taken = takers(scene, name, resource)
    here = [each for each in own if objects.text(each, "spec", "nodeName") == name]
    of = ""
    if here and scene.workload is not None:
        of = f"; {many(len(here), len(scene.pods_of(scene.workload)))} of {objects.name(scene.workload)} on it"
    entity = f"Node/{name}"
    if not taken or taken[0][0] < MOST * full.size:
        return Clue(code="node-full", role=Role.SYMPTOM, entity=entity, says=f"{node}{of}")
    amount, pod = taken[0]
    if key_of(pod) in {key_of(each) for each in here}:
        says = f"{node}: {objects.name(pod)} itself takes {shown(amount, resource)}"
        return Clue(code="node-full", role=Role.SYMPTOM, entity=entity, says=says)
    says = f"{node}: {takes(scene, pod, resource, amount)}{of}"
    return Clue(code="node-noisy", role=Role.CAUSE, entity=entity, says=says, certainty=Certainty.LIKELY)


def _at_limit(scene: Scene, pods: tuple[Object, ...]) -> tuple[Clue, ...]:
    """Return the pods of the subject that use all of their CPU limit."""
    workload = scene.workload
    measured = {key_of(each): each for each in scene.of("PodMetrics", "")}
    held: list[str] = []
    for pod in pods if workload is not None else ():
        limits = {
            objects.text(each, "name"): objects.quantity(objects.at(each, "resources", "limits", "cpu"))
            for each in objects.items(pod, "spec", "containers")
        }
        for each in objects.items(measured.get(key_of(pod)), "containers"):
            limit, used = limits.get(objects.text(each, "name")), objects.quantity(objects.at(each, "usage", "cpu"))
            if limit and used is not None and used >= FULL * limit:
                held.append(f"{objects.text(each, 'name')} uses {_cores(used)} of its CPU limit of {_cores(limit)}")
    if not held or workload is None:
        return ()
    says = f"{many(len(held), len(pods))} of {objects.name(workload)} throttled at the CPU limit: container {held[0]}"
    return (Clue(code="cpu-limit", role=Role.SYMPTOM, entity=objects.reference(workload), says=says),)


def _cores(value: float) -> str:
    return f"{value * 1000:.0f}m" if value < 1 else f"{value:.3g}"
