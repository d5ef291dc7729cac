"""Owners that were not read, by what their pods say of them. Pure."""

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.scene import Scene

#: Lists of the owners of pods, by the kind that a pod names.
OWNERS = {"ReplicaSet": ("Deployment", "ReplicaSet"), "StatefulSet": ("StatefulSet",), "DaemonSet": ("DaemonSet",)}


def replica_sets(scene: Scene) -> tuple[Object, ...]:
    """Return the ReplicaSets of Deployments that pods name, where none could be read: without them no pod has one."""
    found: dict[str, Object] = {}
    for pod in scene.of("Pod") if not scene.was_read("ReplicaSet") else ():
        kind, name, uid = objects.controller(pod)
        hash_ = objects.labels(pod).get("pod-template-hash", "")
        owner = scene.find("Deployment", name.removesuffix(f"-{hash_}")) if kind == "ReplicaSet" else None
        if owner is not None:
            by = [{"kind": "Deployment", "name": objects.name(owner), "uid": objects.uid(owner), "controller": True}]
            metadata = {"name": name, "namespace": scene.place.namespace, "uid": uid, "ownerReferences": by}
            found[uid] = {"kind": "ReplicaSet", "metadata": metadata}
    return tuple(found.values())


def elsewhere(scene: Scene) -> dict[str, tuple[Object, ...]]:
    """Return workloads by kind with those of which only the pods were read: what the pods say of their owner.

    The last wave reads the pods of another namespace; what owns them would take reads that a page may not have left.
    """
    found: dict[str, dict[str, Object]] = {}
    for pod in scene.of("Pod", ""):
        kind, name, uid = objects.controller(pod)
        namespace = objects.namespace(pod)
        if namespace == scene.place.namespace or kind not in OWNERS or (OWNERS[kind][0], namespace) in scene.reads:
            continue
        hash_ = objects.labels(pod).get("pod-template-hash", "")
        metadata = {"name": name.removesuffix(f"-{hash_}"), "namespace": namespace, "uid": uid}
        spec = {"template": {"metadata": {"labels": objects.labels(pod)}}}
        top = OWNERS[kind][0]
        found.setdefault(top, {})[uid] = {"kind": top, "metadata": metadata, "spec": spec}
    return {kind: (*scene.objects.get(kind, ()), *made.values()) for kind, made in found.items()}
