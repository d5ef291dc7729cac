"""Finds the namespace of an alert that names none, by the object or the address that it names."""

from dataclasses import replace

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.reader import Reader, listing
from responder.diagnose.cluster.scene import Scene
from responder.diagnose.cluster.wave import answered
from responder.model.clock import Clock, Deadline

#: Kinds by whose name an object is looked for in all namespaces, if the alert names none.
_KINDS_BY_PREFERENCE = (
    "Pod",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
    "HorizontalPodAutoscaler",
    "PersistentVolumeClaim",
    "Service",
)
#: Part of the time left that a wave may take, so that the next one is asked too.
SHARE = 0.6


def located(scene: Scene, reader: Reader, deadline: Deadline, clock: Clock) -> Scene:
    """Return the scene in the one namespace that has the object of an alert that names none, or a pod's address.

    An address that no pod has may be that of a node.

    A name such as ``ship.shop`` is that of a Service and its namespace, if there is one, else a host elsewhere.
    """
    place = scene.place
    names = {**({"Service": place.workload} if place.workload else {}), **place.named}
    kind = next((each for each in _KINDS_BY_PREFERENCE if each in names), "")
    name, _, space = names[kind].partition(".") if kind == "Service" else (names.get(kind, ""), "", "")
    wanted = f"metadata.name={name}" if kind else f"status.podIP={place.address}"
    if place.namespace or "Node" in place.named or not (kind or place.address):
        return scene
    now = clock.monotonic()
    until = deadline.earlier(deadline.left(now) * SHARE, now)
    found = answered(scene, [listing(kind or "Pod", fieldSelector=wanted)], reader, until, clock)
    there = found.objects.get(kind or "Pod", ())
    there = there if kind else tuple(objects.at_address(there, place.address))
    spaces = {objects.namespace(each) for each in there} - {""}
    if space in spaces:
        return replace(scene, place=replace(place, namespace=space, workload=name))
    if not spaces and not kind:
        node = objects.node_at(answered(scene, [listing("Node")], reader, until, clock).of("Node"), place.address)
        named = {"Node": objects.name(node)} if node is not None else {}
        return replace(scene, place=replace(place, named=named), unseen=found.unseen)
    if len(spaces) != 1 or space:
        return replace(scene, unseen=found.unseen)
    return replace(scene, place=replace(place, namespace=spaces.pop()))
