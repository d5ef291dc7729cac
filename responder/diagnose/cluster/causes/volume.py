"""Claims and volumes: pending and why, attached elsewhere, not mounted."""

import re

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.causes.scheduling import claims_of
from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.pods import is_ready
from responder.diagnose.cluster.scene import Scene, ago, times
from responder.model.clue import Clue, Role

_ATTACHED = re.compile(r"Multi-Attach error for volume \"([^\"]+)\"(.*)", re.DOTALL)


def look(scene: Scene) -> tuple[Clue, ...]:
    """Return what keeps the claims of the subject, or the claim the alert names, from being used."""
    named = scene.place.named.get("PersistentVolumeClaim", "")
    pods = scene.pods_of(scene.workload)
    wanted = {named} if named else {claim for pod in pods if not is_ready(pod) for claim in claims_of(pod)}
    found = [
        clue
        for claim in scene.of("PersistentVolumeClaim")
        if objects.name(claim) in wanted and (clue := _pending(scene, claim)) is not None
    ]
    return (*found, *_attached(scene, pods))


def _pending(scene: Scene, claim: Object) -> Clue | None:
    phase, name = objects.text(claim, "status", "phase"), objects.name(claim)
    entity = objects.reference(claim)
    if phase == "Lost":
        says = f"claim {name} has lost its volume {objects.text(claim, 'spec', 'volumeName')}"
        return Clue(code="volume-lost", role=Role.CAUSE, entity=entity, says=says)
    if phase != "Pending":
        return None
    class_ = objects.text(claim, "spec", "storageClassName")
    known = scene.of("StorageClass", "")
    events = scene.events_of(claim)
    failed = next((each for each in events if objects.text(each, "reason") == "ProvisioningFailed"), None)
    said = objects.text(failed, "message") if failed else ""
    created = objects.created(claim)
    age = f" for {ago(scene.now, created)}" if created else ""
    waits = [each for each in scene.of("Pod") if name in claims_of(each)]
    waiting = f", so {', '.join(objects.name(each) for each in waits)} cannot be scheduled" if waits else ""
    if class_ and scene.was_read("StorageClass") and not any(objects.name(each) == class_ for each in known):
        there = ", ".join(objects.name(each) for each in known) or "none"
        why = f"storage class {class_} does not exist (not found; there is {there})"
        return _claim("volume-class", entity, f"claim {name} is pending{age}: {why}{waiting}")
    if said:
        count = f" ({times(failed)} times)" if failed and times(failed) > 1 else ""
        return _claim("volume-provision", entity, f"claim {name} is pending{age}: {said[:140]}{count}{waiting}")
    if not class_ and scene.was_read("StorageClass") and not any(_is_default(each) for each in known):
        why = "it names no storage class, and none is the default"
        return _claim("volume-class", entity, f"claim {name} is pending{age}: {why}{waiting}")
    if any(objects.text(each, "reason") == "WaitForFirstConsumer" for each in events) and not waits:
        says = f"claim {name} waits for a pod to use it, as its storage class says"
        return Clue(code="volume-waits", role=Role.FINE, entity=entity, says=says)
    return _claim("volume-pending", entity, f"claim {name} is pending{age}{waiting}")


def _claim(code: str, entity: str, says: str) -> Clue:
    return Clue(code=code, role=Role.CAUSE, entity=entity, says=says)


def _is_default(class_: Object) -> bool:
    return objects.annotations(class_).get("storageclass.kubernetes.io/is-default-class") == "true"


def _attached(scene: Scene, pods: tuple[Object, ...]) -> list[Clue]:
    """Return volumes of the subject that hang on another node, often a dead one."""
    found: list[Clue] = []
    for pod in pods:
        for event in scene.events_of(pod) if not is_ready(pod) else ():
            match = _ATTACHED.search(objects.text(event, "message"))
            if match is None:
                continue
            where = match[2].strip(" .")
            says = f"{objects.name(pod)} cannot start: volume {match[1]} is attached to another node. {where[:100]}"
            found.append(
                Clue(code="volume-attached", role=Role.CAUSE, entity=objects.reference(pod), says=says.strip())
            )
            break
    return found
