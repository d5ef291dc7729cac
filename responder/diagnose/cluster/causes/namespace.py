"""Namespaces: which workloads have pods that are not ready, for an alert that names none."""

from responder.diagnose.cluster.scene import Scene
from responder.model.clue import Clue, Role

#: Workloads that a sentence names.
_NAMED = 4


def look(scene: Scene) -> tuple[Clue, ...]:
    """Return the workloads of the namespace with unready pods, or that there are none."""
    space = scene.place.namespace
    if not scene.is_wide or not space or not scene.was_read("Pod"):
        return ()
    unready = scene.unready_workloads
    total = sum(len(scene.of(kind)) for kind in ("Deployment", "StatefulSet", "DaemonSet"))
    if not unready:
        says = f"all pods of the {total} workloads of namespace {space} are ready"
        return (Clue(code="namespace-ready", role=Role.FINE, entity=f"Namespace/{space}", says=says),)
    which = ", ".join(f"{name.partition('/')[2]} ({ready} of {of})" for name, (ready, of, _) in unready.items())
    more = f" and {len(unready) - _NAMED} more" if len(unready) > _NAMED else ""
    which = ", ".join(which.split(", ")[:_NAMED])
    says = f"{len(unready)} of {total} workloads of namespace {space} have pods that are not ready: {which}{more}"
    return (Clue(code="namespace-unready", role=Role.FACT, entity=f"Namespace/{space}", says=says),)
