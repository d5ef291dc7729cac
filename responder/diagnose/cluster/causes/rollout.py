"""Rollouts that do not finish, workloads without pods, and the pods that still serve."""

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.causes.changes import before_alert, revisions, template_of, versions
from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.pods import is_ready, ready_of, wanted
from responder.diagnose.cluster.scene import Scene
from responder.model.clue import Certainty, Clue, Role


def look(scene: Scene) -> tuple[Clue, ...]:
    """Return how many pods of the subject are ready, whether a rollout is stuck, and whether old pods serve."""
    workload = scene.workload
    if workload is None or objects.kind(workload) in {"Job", "CronJob"}:
        return ()
    if wanted(workload) == 0:
        return (_scaled_to_nothing(scene, workload),)
    return (*_stuck(scene, workload), _ready(scene, workload))


def _ready(scene: Scene, workload: Object) -> Clue:
    """Return the ready pods of the wanted ones: well only if every pod was read and all are ready."""
    pods, name, needed = scene.pods_of(workload), objects.name(workload), wanted(workload)
    ready = sum(map(is_ready, pods))
    says = f"{ready} of {max(needed, len(pods))} pods of {name} ready"
    if not scene.was_read("Pod"):
        return Clue(code="pods-unseen", role=Role.UNSEEN, entity=objects.reference(workload), says=f"pods of {name}")
    if ready >= needed and ready == len(pods):
        return Clue(code="pods-ready", role=Role.FINE, entity=objects.reference(workload), says=f"all {says}")
    serving = f"; {_serving(scene, workload)}" if ready and _serving(scene, workload) else ""
    return Clue(
        code="pods-unready", role=Role.SYMPTOM, entity=objects.reference(workload), says=f"{says}{serving}", leads_to=()
    )


def _serving(scene: Scene, workload: Object) -> str:
    """Return which pods still serve, by the revision they are of."""
    known = revisions(scene, workload)
    if objects.kind(workload) != "Deployment" or len(known) < 2:
        return "the others still serve"
    number, old = known[1]
    pods = objects.owned(scene.of("Pod"), old)
    if not any(map(is_ready, pods)):
        return "the others still serve"
    version = versions(scene, workload)[0]
    return f"{ready_of(pods)} old pods ({version or f'revision {number}'}) still serve"


def _stuck(scene: Scene, workload: Object) -> tuple[Clue, ...]:
    known = revisions(scene, workload)
    progress = objects.condition(workload, "Progressing")
    name, version = objects.name(workload), versions(scene, workload)[1]
    if objects.text(progress, "reason") != "ProgressDeadlineExceeded":
        return ()
    new = objects.owned(scene.of("Pod"), known[0][1]) if known else ()
    number = f" (revision {known[0][0]})" if known else ""
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


def _scaled_to_nothing(scene: Scene, workload: Object) -> Clue:
    by = [
        (moment, objects.text(each, "manager"))
        for each in objects.items(workload, "metadata", "managedFields")
        if objects.text(each, "subresource") == "scale" and (moment := objects.when(each, "time"))
    ]
    moment, manager = max(by, default=(None, ""))
    who = f" by {manager}" if manager else ""
    at = f" {before_alert(scene, moment)}" if moment else ""
    return Clue(
        code="scaled-down",
        role=Role.CAUSE,
        entity=objects.reference(workload),
        says=f"{objects.name(workload)} is scaled to 0 replicas{who}{at}: it has no pods",
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
