"""PodDisruptionBudgets that allow no eviction: too few healthy pods, or a budget that never allows one."""

from collections.abc import Iterator

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.scene import Scene
from responder.model.clue import Clue, Role


def look(scene: Scene) -> tuple[Clue, ...]:
    """Return the state of the budget that the alert names, or those that keep pods on a cordoned node it names."""
    named = scene.place.named.get("PodDisruptionBudget", "")
    if named and (budget := scene.find("PodDisruptionBudget", named)) is not None:
        return (_clue(scene, budget),)
    return tuple(_of_node(scene))


def _of_node(scene: Scene) -> Iterator[Clue]:
    name = scene.place.named.get("Node", "")
    node = scene.find("Node", name)
    if objects.at(node, "spec", "unschedulable") is not True:
        return
    for pod in scene.of("Pod", ""):
        if objects.text(pod, "spec", "nodeName") != name or objects.controller(pod)[0] == "DaemonSet":
            continue
        for budget in scene.of("PodDisruptionBudget", objects.namespace(pod)):
            closed = objects.number(budget, "status", "disruptionsAllowed") == 0
            if closed and objects.selects(objects.at(budget, "spec", "selector"), objects.labels(pod)):
                says = f"node {name} is cordoned and {objects.name(pod)} cannot be evicted from it: {_says(budget)}"
                yield Clue(
                    code=_code(budget),
                    role=Role.SYMPTOM,
                    entity=objects.reference(budget),
                    says=says,
                    namespace=objects.namespace(budget),
                )


def _clue(scene: Scene, budget: Object) -> Clue:
    closed = objects.number(budget, "status", "disruptionsAllowed") == 0
    role = Role.SYMPTOM if closed else Role.FINE
    selector = objects.at(budget, "spec", "selector")
    drained = {objects.name(each) for each in scene.of("Node") if objects.at(each, "spec", "unschedulable") is True}
    kept = sorted(
        node
        for each in scene.of("Pod")
        if (node := objects.text(each, "spec", "nodeName")) in drained
        and objects.selects(selector, objects.labels(each))
    )
    waits = f"; it keeps {len(kept)} of them on cordoned node {kept[0]}" if kept and closed else ""
    return Clue(code=_code(budget), role=role, entity=objects.reference(budget), says=_says(budget) + waits)


def _code(budget: Object) -> str:
    return "budget" if _healthy(budget)[0] < _healthy(budget)[1] else "budget-tight"


def _healthy(budget: Object) -> tuple[int, int]:
    return objects.number(budget, "status", "currentHealthy"), objects.number(budget, "status", "expectedPods")


def _says(budget: Object) -> str:
    """Return how many pods are healthy, how many must be, and how many may be evicted."""
    healthy, expected = _healthy(budget)
    allowed = objects.number(budget, "status", "disruptionsAllowed")
    rules = (f", {key} {_rule(budget, key)}" for key in ("minAvailable", "maxUnavailable") if _rule(budget, key))
    given = next(rules, "")
    must = objects.number(budget, "status", "desiredHealthy")
    allows = f"allows {allowed} evictions" if allowed else "allows no disruption"
    return (
        f"PodDisruptionBudget {objects.name(budget)} {allows}: {healthy} of {expected} pods healthy, "
        f"{must} must be{given}"
    )


def _rule(budget: Object, key: str) -> str:
    value = objects.at(budget, "spec", key)
    return "" if value is None else str(value)
