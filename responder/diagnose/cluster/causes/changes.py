"""Changes before the alert: rollouts and rollbacks by revision, scale-downs, new policies and quotas, edits."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import takewhile

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.scene import Scene, last_seen
from responder.diagnose.cluster.template import differences, tag, unread
from responder.model.clock import ago
from responder.model.clue import Certainty, Clue, Role

#: A change counts if it came at most this long before the alert.
WINDOW = timedelta(hours=2)
#: The deployment controller's event.
_SCALED = re.compile(r"Scaled (?:up|down) replica set (\S+) from (\d+) to (\d+)")
#: Changed fields that a sentence names.
_NAMED = 3


def look(scene: Scene) -> tuple[Clue, ...]:
    """Return the changes of the subject, of what it depends on, and of the namespace; or that there was no rollout."""
    found: list[Clue] = []
    about = [each for each in (scene.workload, *scene.dependencies) if each is not None]
    for workload in about:
        found += [clue for clue in (_rollout(scene, workload), _scaled(scene, workload)) if clue is not None]
    found += _objects(scene, about)
    if scene.workload is not None and not any(each.role is Role.CHANGE for each in found):
        found += _quiet(scene, scene.workload)
    return tuple(found)


def revisions(scene: Scene, workload: Object) -> list[tuple[int, Object]]:
    """Return the revisions of a workload, newest first: by number, since a rollback gives an old template a new one."""
    if objects.kind(workload) == "Deployment":
        key = "deployment.kubernetes.io/revision"
        found = [
            (_integer(objects.annotations(each).get(key, "")), each) for each in _owned(scene, "ReplicaSet", workload)
        ]
    else:
        found = [(objects.number(each, "revision"), each) for each in _owned(scene, "ControllerRevision", workload)]
    return sorted((each for each in found if each[0]), key=lambda each: each[0], reverse=True)


def rolled_out_at(scene: Scene, workload: Object) -> datetime | None:
    """Return the time of the last change of the template.

    The creation of the newest revision, unless it is older than the one before: that is a rollback, whose time is that
    of the event or of the condition.
    """
    known = revisions(scene, workload)
    if len(known) < 2:
        return None
    newest, previous = objects.created(known[0][1]), objects.created(known[1][1])
    if newest and previous and newest >= previous:
        return newest
    name = objects.name(known[0][1])
    events = [each for each in scene.events_of(workload) if f" replica set {name} " in objects.text(each, "message")]
    scaled = [*takewhile(lambda each: objects.text(each, "message").startswith("Scaled up"), events)]
    started = objects.when(scaled[-1], "firstTimestamp") or last_seen(scaled[-1]) if scaled else None
    return started or objects.when(objects.condition(workload, "Progressing"), "lastUpdateTime")


def template_before(scene: Scene, workload: Object | None) -> Object:
    """Return the pod template that a recent rollout replaced, empty if there was none."""
    if workload is None or not is_recent(scene, rolled_out_at(scene, workload)):
        return {}
    return template_of(revisions(scene, workload)[1][1])


def template_of(revision: Object) -> Object:
    """Return the pod template of a ReplicaSet or a ControllerRevision."""
    found = objects.at(revision, "spec", "template") or objects.at(revision, "data", "spec", "template")
    return found if isinstance(found, dict) else {}


def versions(scene: Scene, workload: Object) -> tuple[str, str]:
    """Return the image tags of the previous and the newest revision; empty where they are not known."""
    tags = [_tag(template_of(each)) for _, each in revisions(scene, workload)[:2]]
    return (tags[1] if len(tags) > 1 else "", tags[0] if tags else "")


def is_recent(scene: Scene, moment: datetime | None) -> bool:
    """Return True if something happened at most `WINDOW` before the alert began, or since."""
    return moment is not None and scene.began - WINDOW <= moment <= scene.now + timedelta(minutes=1)


def before_alert(scene: Scene, moment: datetime) -> str:
    """Return ``14 min ago, 8 min before the alert``."""
    if moment <= scene.began:
        return f"{ago(scene.now, moment)} ago, {ago(scene.began, moment)} before the alert"
    return f"{ago(scene.now, moment)} ago, {ago(moment, scene.began)} after the alert began"


def _rollout(scene: Scene, workload: Object) -> Clue | None:
    moment, known = rolled_out_at(scene, workload), revisions(scene, workload)
    if moment is None or not is_recent(scene, moment):
        return None
    (number, newest), (_, previous) = known[0], known[1]
    templates = template_of(previous), template_of(newest)
    changed = differences(*templates) or unread(*templates)
    created, older = objects.created(newest), objects.created(previous)
    back = bool(created and older and created < older)
    verb = "rolled back" if back else "rolled out"
    old, new = versions(scene, workload)
    version = f" {new}" if new and new != old else ""
    more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
    what = f": {', '.join(changed[:_NAMED])}{more}" if changed else ""
    return Clue(
        code="change-after" if moment > scene.began else "change-rollback" if back else "change-rollout",
        role=Role.CHANGE,
        entity=objects.reference(workload),
        says=f"{objects.name(workload)}{version} (revision {number}) {verb} {before_alert(scene, moment)}{what}",
        certainty=Certainty.COINCIDES,
        since=moment,
        detail="\n".join(changed) if more else "",
    )


def _scaled(scene: Scene, workload: Object) -> Clue | None:
    """Return a recent change of the replica count by a person or a tool, other than an autoscaler's."""
    for each in objects.items(workload, "metadata", "managedFields"):
        moment = objects.when(each, "time")
        if objects.text(each, "subresource") != "scale" or moment is None or not is_recent(scene, moment):
            continue
        manager = objects.text(each, "manager") or "an unknown client"
        if "horizontal" in manager or "kube-controller-manager" in manager:
            continue
        count = objects.number(workload, "spec", "replicas")
        before, after, _ = _counts(scene, workload)
        size = f"from {before} to {after}" if after == str(count) else f"to {count}"
        says = f"{objects.name(workload)} was scaled {size} by {manager} {before_alert(scene, moment)}"
        return Clue(
            code="change-scale-down" if after == str(count) and int(before) > count else "change-scale",
            role=Role.CHANGE,
            entity=objects.reference(workload),
            says=says,
            certainty=Certainty.COINCIDES,
            since=moment,
        )
    return None


def _counts(scene: Scene, workload: Object) -> tuple[str, str, datetime | None]:
    """Return the counts of replicas before and after a recent scaling of the newest revision, by its event, and when.

    They are empty where there was none, or where a rollout scales its revisions.
    """
    known = revisions(scene, workload)
    for event in scene.events_of(workload) if known and not is_recent(scene, rolled_out_at(scene, workload)) else ():
        match, moment = _SCALED.search(objects.text(event, "message")), last_seen(event)
        if match and match[1] == objects.name(known[0][1]) and is_recent(scene, moment):
            return match[2], match[3], moment
    return "", "", None


def last_edit(value: Object) -> tuple[datetime | None, str]:
    """Return when an object was last edited after its creation, and by which client; None if it never was."""
    edits = [
        (moment, objects.text(field, "manager") or "an unknown client")
        for field in objects.items(value, "metadata", "managedFields")
        if not objects.text(field, "subresource") and (moment := objects.when(field, "time"))
    ]
    moment, manager = max(edits, default=(None, ""))
    created = objects.created(value)
    if moment is None or (created and moment - created < timedelta(minutes=1)):
        return None, ""
    return moment, manager


def _objects(scene: Scene, about: Sequence[Object]) -> list[Clue]:
    """Return new and edited objects: Services in front of these workloads, policies that select them, quotas."""
    found: list[Clue] = []
    for kind in ("Service", "NetworkPolicy", "ResourceQuota", "LimitRange", "HorizontalPodAutoscaler", "Ingress"):
        for each in scene.of(kind):
            created, (edited, manager) = objects.created(each), last_edit(each)
            if is_recent(scene, created) and created and kind in {"NetworkPolicy", "ResourceQuota", "LimitRange"}:
                code, moment, verb = "change-new", created, "created"
            elif is_recent(scene, edited) and edited:
                code, moment, verb = "change-edit", edited, f"edited by {manager}"
            else:
                continue
            if not _concerns(scene, each, about):  # last, since it compares a Service with all workloads
                continue
            found.append(
                Clue(
                    code=code,
                    role=Role.CHANGE,
                    entity=objects.reference(each),
                    says=f"{kind} {objects.name(each)} was {verb} {before_alert(scene, moment)}",
                    certainty=Certainty.COINCIDES,
                    since=moment,
                )
            )
    return found


def _concerns(scene: Scene, value: Object, about: Sequence[Object]) -> bool:
    """Return True if an object is about one of these workloads, or about the whole namespace."""
    match objects.kind(value):
        case "Service":
            behind = scene.behind(value)
            return any(each is behind for each in about)
        case "NetworkPolicy":
            selector = objects.at(value, "spec", "podSelector")
            carried = (objects.pairs(each, "spec", "template", "metadata", "labels") for each in about)
            return any(objects.selects(selector, each) for each in carried)
        case "HorizontalPodAutoscaler":
            return any(objects.text(value, "spec", "scaleTargetRef", "name") == objects.name(each) for each in about)
        case "Ingress":
            return scene.place.named.get("Ingress") == objects.name(value)
    return True


def _quiet(scene: Scene, workload: Object) -> list[Clue]:
    """Return that there was no rollout in the window, where the revisions were read."""
    known = revisions(scene, workload)
    moment = rolled_out_at(scene, workload) or (objects.created(known[0][1]) if known else None)
    if moment is None:
        return []
    made = objects.created(workload)
    if made is not None and is_recent(scene, made):
        says = f"{objects.name(workload)} was created {before_alert(scene, made)}"
        return [
            Clue(
                code="change-created",
                role=Role.CHANGE,
                entity=objects.reference(workload),
                says=says,
                certainty=Certainty.COINCIDES,
                since=made,
            )
        ]
    before, after, scaled = _counts(scene, workload)
    size = f"; scaled from {before} to {after} {before_alert(scene, scaled)}" if scaled else ""
    what = f"no {'rollout' if scaled else 'change'} of {objects.name(workload)} in the 2 h before the alert"
    says = f"{what}, last rollout {ago(scene.now, moment)} ago{size}"
    return [Clue(code="change-none", role=Role.FACT, entity=objects.reference(workload), says=says, since=moment)]


def _owned(scene: Scene, kind: str, workload: Object) -> tuple[Object, ...]:
    return scene.owned(kind, workload)


def _tag(template: Object) -> str:
    images = [objects.text(each, "image") for each in objects.items(template, "spec", "containers")]
    return tag(images[0]) if images else ""


def _integer(written: str) -> int:
    return int(written) if written.isdecimal() and len(written) < 19 else 0
