"""Claims and volumes: pending and why, attached elsewhere, not mounted."""

import re

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.causes.scheduling import claims_of
from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.pods import is_ready, is_steady, logs_of, serves
from responder.diagnose.cluster.scene import Scene, last_seen, times
from responder.diagnose.cluster.signature import signature, without_time
from responder.model.clock import ago
from responder.model.clue import Clue, Role
from responder.model.text import cut

_ATTACHED = re.compile(r"Multi-Attach error for volume \"([^\"]+)\"(.*)", re.DOTALL)

_READ_ONLY = re.compile(r"read-only file ?system|EROFS", re.IGNORECASE)
_FAILED_MOUNT = re.compile(r"MountVolume\.\S+ failed for volume \"([^\"]+)\" ?: ?(.*)", re.DOTALL)
#: Mounts of Secrets and ConfigMaps that are missing, or not yet synchronized, have a look of their own.
#: The first step where the pod that holds the volume serves: a rolling update starts the new pod beside it.
_HELD = "Set the strategy to Recreate: the old pod serves and keeps the volume until it is stopped."
_MISSING = re.compile(r"not found|references non-existent|failed to sync", re.IGNORECASE)


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
    resized = [
        clue
        for claim in scene.of("PersistentVolumeClaim")
        if (objects.name(claim) == named or objects.name(claim) in {each for pod in pods for each in claims_of(pod)})
        and (clue := _resize(scene, claim)) is not None
    ]
    return (*found, *_attached(scene, pods), *_read_only(scene, pods), *resized)


def _resize(scene: Scene, claim: Object) -> Clue | None:
    """Return why a claim is smaller than it asks for: the resize failed, or waits for a restart of the pod."""
    wanted = objects.text(claim, "spec", "resources", "requests", "storage")
    size = objects.text(claim, "status", "capacity", "storage")
    users = [objects.name(each) for each in scene.of("Pod") if objects.name(claim) in claims_of(each)]
    using = f", used by {', '.join(users[:2])}" if users else ""
    name, entity = objects.name(claim), objects.reference(claim)
    if objects.text(claim, "status", "phase") != "Bound":
        return None
    failed = next((each for each in scene.events_of(claim) if "ResizeFailed" in objects.text(each, "reason")), None)
    pending = objects.condition(claim, "FileSystemResizePending")
    is_smaller = (objects.quantity(size) or 0.0) < (objects.quantity(wanted) or 0.0)
    if is_smaller and objects.text(pending, "status") == "True":
        moment = objects.when(pending, "lastTransitionTime")
        since = f" for {ago(scene.now, moment)}" if moment else ""
        says = f"resize of claim {name} from {size} to {wanted} waits{since} for a restart of its pod{using}"
        return Clue(code="volume-resize", role=Role.CAUSE, entity=entity, says=says, since=moment)
    if is_smaller and failed is not None:
        why = objects.text(failed, "message").rpartition("desc = ")[2]
        count = f" ({times(failed)} times)" if times(failed) > 1 else ""
        says = f"resize of claim {name} from {size} to {wanted} fails{count}: {cut(why, 120)}"
        return Clue(code="volume-resize", role=Role.CAUSE, entity=entity, says=says, since=last_seen(failed))
    if name != scene.place.named.get("PersistentVolumeClaim"):
        return None
    says = f"claim {name} is bound, {size or 'of unknown size'}{using}"
    return Clue(code="volume-bound", role=Role.FACT, entity=entity, says=says)


def _read_only(scene: Scene, pods: tuple[Object, ...]) -> tuple[Clue, ...]:
    """Return the pods that cannot write: their volume is read-only, or the root of the container by its template."""
    for log in logs_of(scene, [each for each in pods if not is_steady(scene, each)]):
        line = next((line for line in reversed(log.lines) if _READ_ONLY.search(line)), "")
        pod = next(each for each in pods if objects.name(each) == log.pod)
        if not line or scene.workload is None:
            continue
        by_template = any(
            objects.at(each, "securityContext", "readOnlyRootFilesystem") is True
            for each in objects.items(pod, "spec", "containers")
            if objects.text(each, "name") == log.container
        )
        claims = ", ".join(claims_of(pod))
        of = f" of claim {claims}" if claims else ""
        what = "its root file system is read-only (readOnlyRootFilesystem)" if by_template else f"a volume{of}"
        what += "" if by_template else " is read-only"
        says = f"{log.pod} is not ready, it cannot write: {what}: {signature([line]) or cut(without_time(line), 120)}"
        code = "config-read-only" if by_template else "volume-read-only"
        return (Clue(code=code, role=Role.CAUSE, entity=objects.reference(scene.workload), says=says),)
    return ()


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
        return _claim("volume-provision", entity, f"claim {name} is pending{age}: {cut(said, 140)}{count}{waiting}")
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
    """Return volumes of the subject that cannot be mounted: attached to another node, or their server fails."""
    found: list[Clue] = []
    for pod in pods:
        for event in scene.events_of(pod) if not is_ready(pod) else ():
            message, reason = objects.text(event, "message"), objects.text(event, "reason")
            if match := _ATTACHED.search(message):
                found.append(_elsewhere(scene, pod, match[1]))
                break
            if reason == "FailedMount" and (match := _FAILED_MOUNT.search(message)) and not _MISSING.search(message):
                count = f" ({times(event)} times)" if times(event) > 1 else ""
                why = match[2].rpartition("Output: ")[2].strip()
                says = f"{objects.name(pod)} cannot start: volume {match[1]} is not mounted{count}: "
                workload = scene.workload
                found.append(
                    Clue(
                        code="volume-mount",
                        role=Role.CAUSE,
                        entity=objects.reference(workload if workload is not None else pod),
                        says=f"{says}{_server(pod, match[1])}{cut(why, 120)}",
                    )
                )
                break
    return found


def _server(pod: Object, volume: str) -> str:
    """Return the server of an NFS volume, as ``from files.example.net: ``; empty for other volumes."""
    for each in objects.items(pod, "spec", "volumes"):
        if objects.text(each, "name") == volume and (server := objects.text(each, "nfs", "server")):
            return f"from {server}: "
    return ""


def _elsewhere(scene: Scene, pod: Object, volume: str) -> Clue:
    """Return where a volume is attached: by its VolumeAttachment, else by the other pod that uses the claim."""
    claims = set(claims_of(pod))
    own = objects.text(pod, "spec", "nodeName")
    nodes = [
        objects.text(each, "spec", "nodeName")
        for each in scene.of("VolumeAttachment", "")
        if objects.text(each, "spec", "source", "persistentVolumeName") == volume
    ]
    nodes += [objects.text(each, "spec", "nodeName") for each in scene.of("Pod") if claims & set(claims_of(each))]
    node = next((each for each in nodes if each not in {"", own}), "")
    holders = [each for each in scene.of("Pod") if claims & set(claims_of(each)) and each is not pod]
    serving = any(serves(scene, each) for each in holders)
    dead = " (which is lost)" if node in scene.lost_nodes else ""
    where = f"node {node}{dead}" if node else "another node"
    of = f" of claim {', '.join(sorted(claims))}" if claims else ""
    return Clue(
        code="volume-attached",
        role=Role.CAUSE,
        entity=objects.reference(pod),
        says=f"{objects.name(pod)} cannot start: volume {volume}{of} is still attached to {where}",
        leads_to=(f"Node/{node}",) if dead else (),
        first_step=_HELD if serving else "",
    )
