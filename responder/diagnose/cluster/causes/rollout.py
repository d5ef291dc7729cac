"""Rollouts that do not finish, workloads without pods, and the pods that still serve."""

import re

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.causes.changes import (
    before_alert,
    is_recent,
    revisions,
    rolled_out_at,
    template_of,
    versions,
)
from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.pods import is_overdue, is_ready, is_steady, ready_of, serves, wanted
from responder.diagnose.cluster.scene import Scene, involved, last_seen
from responder.model.clock import ago
from responder.model.clue import Certainty, Clue, Role
from responder.model.text import cut

#: The deployment controller's event; before 1.25 it did not name the count before.
_SCALED = re.compile(r"Scaled down replica set \S+ from (\d+) to 0|to 0 from (\d+)")
_GROWN = re.compile(r"Scaled up replica set \S+ from (\d+) to (\d+)")
#: Seconds in which a new pod may start; younger ones are not blamed while the wanted number is ready.
START_SECONDS = 90.0


def look(scene: Scene) -> tuple[Clue, ...]:
    """Return how many pods of the subject are ready, whether a rollout is stuck, and whether old pods serve."""
    workload = scene.workload
    if workload is None or objects.kind(workload) in {"Job", "CronJob"}:
        return ()
    if wanted(workload) == 0:
        return (scaled_to_nothing(scene, workload),)
    return (*_stuck(scene, workload), _ready(scene, workload))


def _ready(scene: Scene, workload: Object) -> Clue:
    """Return the ready pods of the wanted ones: well only if every pod was read and all are ready."""
    pods, name, needed = scene.pods_of(workload), objects.name(workload), wanted(workload)
    if objects.kind(workload) != "StatefulSet":  # whose next pod waits until this one has ended
        pods = tuple(each for each in pods if not is_overdue(scene, each))
    ready = sum(serves(scene, each) for each in pods)
    says = f"{ready} of {max(needed, len(pods))} pods of {name} ready"
    if not scene.was_read("Pod"):
        return _by_status(scene, workload, needed)
    if not all(map(is_ready, pods)) and is_under_way(scene, workload):
        what = f"{name} is being scaled up" if _grown(scene, workload) else f"a rollout of {name} is under way"
        says = f"{what}: {ready} of {needed} pods ready"
        return Clue(code="rollout-under-way", role=Role.FACT, entity=objects.reference(workload), says=says)
    if ready >= needed and ready == len(pods):
        newest = revisions(scene, workload)[:1]
        if newest and not pods_of_revision(scene, workload, newest[0][1]):
            says = _serving(scene, workload)
            return Clue(code="pods-old", role=Role.SYMPTOM, entity=objects.reference(workload), says=says)
        if not all(is_steady(scene, each) for each in pods):
            says += " at this moment"
            return Clue(code="pods-ready", role=Role.FACT, entity=objects.reference(workload), says=says)
        return Clue(code="pods-ready", role=Role.FINE, entity=objects.reference(workload), says=says)
    serving = f"; {_serving(scene, workload)}" if ready and _serving(scene, workload) else ""
    return Clue(
        code="pods-unready", role=Role.SYMPTOM, entity=objects.reference(workload), says=f"{says}{serving}", leads_to=()
    )


def _by_status(scene: Scene, workload: Object, needed: int) -> Clue:
    """Return the ready replicas that a workload reports, where its pods could not be read: never that all is well.

    The newest warning about one of these pods may say why.
    """
    ready = objects.number(workload, "status", "readyReplicas") or objects.number(workload, "status", "numberReady")
    says = f"{ready} of {needed} replicas of {objects.name(workload)} ready by its own status, its pods were not read"
    role = Role.SYMPTOM if ready < needed else Role.FACT
    owners = scene.owned("ReplicaSet", workload) or (workload,)
    begins = tuple(f"Pod/{objects.name(each)}-" for each in owners)
    warned = [
        (seen, objects.text(each, "message"))
        for each in scene.of("Event")
        if ready < needed
        and involved(each).startswith(begins)
        and objects.text(each, "type") == "Warning"
        and (seen := last_seen(each)) is not None
        and is_recent(scene, seen)
    ]
    if warned:
        seen, message = max(warned)
        says += f"; newest warning about one, {scene.minutes(seen)}: {cut(message, 120)}"
    return Clue(code="pods-unseen", role=role, entity=objects.reference(workload), says=says)


def is_under_way(scene: Scene, workload: Object) -> bool:
    """Return True if the newest revision is being rolled out: no more pods are missing than its strategy allows.

    Pods that are not ready are young. A Deployment adds pods first, the other kinds stop a pod and make it anew.
    """
    pods, spare = scene.pods_of(workload), 0
    status = objects.at(workload, "status")
    if objects.kind(workload) == "Deployment":
        under_way = objects.text(objects.condition(workload, "Progressing"), "reason") == "ReplicaSetUpdated"
        spare = _spare(workload)
        if grown := _grown(scene, workload):
            under_way, spare = True, max(spare, grown)
    else:
        spare = objects.number(workload, "spec", "updateStrategy", "rollingUpdate", "maxUnavailable") or 1
        revision = objects.text(status, "updateRevision")
        under_way = revision != objects.text(status, "currentRevision") if revision else _is_new(scene, workload)
    if not under_way or sum(map(is_ready, pods)) < wanted(workload) - spare:
        return False
    return all(
        (created := objects.created(each)) is not None and (scene.now - created).total_seconds() < START_SECONDS
        for each in pods
        if not is_ready(each)
    )


def _spare(deployment: Object) -> int:
    """Return how many pods of a Deployment may be missing during a rollout; shares are rounded down, as it does."""
    given = objects.at(deployment, "spec", "strategy", "rollingUpdate", "maxUnavailable")
    if isinstance(given, int):
        return given
    share = str(given).removesuffix("%")
    return wanted(deployment) * int(share) // 100 if share.isdecimal() else 0


def _grown(scene: Scene, workload: Object) -> int:
    """Return the pods by which the newest ReplicaSet of a Deployment was scaled up a moment ago, by its event."""
    for event in scene.events_of(workload):
        match, seen = _GROWN.search(objects.text(event, "message")), last_seen(event)
        if match and seen is not None and (scene.now - seen).total_seconds() < START_SECONDS:
            return max(0, int(match[2]) - int(match[1])) if match[1] != "0" else 0
    return 0


def _is_new(scene: Scene, daemons: Object) -> bool:
    """Return True if not all pods of a DaemonSet are of its newest revision, or that is recent: it keeps no other."""
    behind = objects.number(daemons, "status", "updatedNumberScheduled") < wanted(daemons)
    return behind or is_recent(scene, rolled_out_at(scene, daemons))


def _serving(scene: Scene, workload: Object) -> str:
    """Return which pods still serve, by the revision they are of."""
    known = revisions(scene, workload)
    if len(known) < 2:
        return "the others still serve"
    number, old = known[1]
    pods = pods_of_revision(scene, workload, old)
    if not any(map(is_ready, pods)):
        return "the others still serve"
    version, new = versions(scene, workload)
    which = version if version != new and version else f"revision {number}"
    return f"{ready_of(pods)} old pods ({which}) still serve"


def pods_of_revision(scene: Scene, workload: Object, revision: Object) -> tuple[Object, ...]:
    """Return the pods of a ReplicaSet, or those that carry the hash of a ControllerRevision."""
    if objects.kind(revision) == "ReplicaSet":
        return scene.owned("Pod", revision)
    hash_ = objects.labels(revision).get("controller.kubernetes.io/hash") or objects.name(revision).rpartition("-")[2]
    hashes = {hash_, objects.name(revision)}  # a StatefulSet labels pods by the name of the revision
    return tuple(
        each for each in scene.owned("Pod", workload) if objects.labels(each).get("controller-revision-hash") in hashes
    )


def _stuck(scene: Scene, workload: Object) -> tuple[Clue, ...]:
    known = revisions(scene, workload)
    progress = objects.condition(workload, "Progressing")
    name, version = objects.name(workload), versions(scene, workload)[1]
    new = scene.owned("Pod", known[0][1]) if known else ()
    number = f" (revision {known[0][0]})" if known else ""
    if objects.at(workload, "spec", "paused") is True:
        moment = objects.when(progress, "lastTransitionTime")
        stopped = moment is not None and objects.text(progress, "reason") == "DeploymentPaused"
        since = f" for {ago(scene.now, moment)}" if moment is not None and stopped else ""
        needed = max(wanted(workload), 1)
        says = (
            f"rollout of {name} {version}{number} is paused{since}, {len(new)} of {needed} pods are of the new revision"
        )
        # A finished rollout may stay paused without harm, and new pods that are not ready have a cause of their own.
        role = Role.FACT if len(new) >= needed else Role.CAUSE if all(map(is_ready, new)) else Role.SYMPTOM
        return (Clue(code="rollout-paused", role=role, entity=objects.reference(workload), says=says, since=moment),)
    if objects.text(progress, "reason") != "ProgressDeadlineExceeded":
        return _partial(scene, workload)
    seconds = objects.number(workload, "spec", "progressDeadlineSeconds") or 600
    return (
        Clue(
            code="rollout-stuck",
            role=Role.SYMPTOM,
            entity=objects.reference(workload),
            says=f"rollout of {name} {version}{number} is stuck past its deadline of {seconds} s "
            f"(ProgressDeadlineExceeded), {ready_of(new)} new pods ready",
            since=objects.when(progress, "lastTransitionTime"),
        ),
    )


def _partial(scene: Scene, workload: Object) -> tuple[Clue, ...]:
    """Return how far the rollout of a StatefulSet or DaemonSet is; a partition or OnDelete stops it by design."""
    kind, name, known = objects.kind(workload), objects.name(workload), revisions(scene, workload)
    if kind not in {"StatefulSet", "DaemonSet"} or not known:
        return ()
    needed = wanted(workload)
    updated = objects.number(
        workload, "status", "updatedReplicas" if kind == "StatefulSet" else "updatedNumberScheduled"
    )
    strategy = objects.at(workload, "spec", "updateStrategy")
    partition = objects.number(strategy, "rollingUpdate", "partition")
    if updated >= needed or len(known) < 2:
        return ()
    says = f"{updated} of {needed} pods of {name} are of the new revision {known[0][0]}"
    entity = objects.reference(workload)
    if objects.text(strategy, "type") == "OnDelete":
        says += ": its strategy is OnDelete, so pods change only when they are deleted"
        return (Clue(code="rollout-on-delete", role=Role.FACT, entity=entity, says=says),)
    if partition and updated >= needed - partition:
        says += f": its partition of {partition} keeps the others at the old one"
        return (Clue(code="rollout-partition", role=Role.FACT, entity=entity, says=says),)
    role = Role.FACT if is_under_way(scene, workload) else Role.SYMPTOM
    return (Clue(code="rollout-stuck", role=role, entity=entity, says=says),)


def scaled_to_nothing(scene: Scene, workload: Object) -> Clue:
    """Return who scaled a workload to no pods, and when."""
    by = [
        (moment, objects.text(each, "manager"))
        for each in objects.items(workload, "metadata", "managedFields")
        if objects.text(each, "subresource") == "scale" and (moment := objects.when(each, "time"))
    ]
    moment, manager = max(by, default=(None, ""))
    who = f" by {manager}" if manager else ""
    events = [
        (match[1], last_seen(each))
        for each in scene.events_of(workload)
        if (match := _SCALED.search(objects.text(each, "message")))
    ]
    before, moment = (events[0][0], moment or events[0][1]) if events else ("", moment)
    count = f"from {before} to 0" if before else "to 0"
    at = f" {before_alert(scene, moment)}" if moment else ""
    return Clue(
        code="scaled-down",
        role=Role.CAUSE,
        entity=objects.reference(workload),
        says=f"{objects.name(workload)} was scaled {count} replicas{who}{at}: it has no pods",
        certainty=Certainty.SHOWN,
        since=moment,
    )


def template_ports(workload: Object) -> dict[str, int]:
    """Return the container ports of a workload by name; unnamed ones by their number."""
    found: dict[str, int] = {}
    for container in objects.items(template_of(workload), "spec", "containers"):
        for each in objects.items(container, "ports"):
            port = objects.number(each, "containerPort")
            found[objects.text(each, "name") or str(port)] = port
    return found
