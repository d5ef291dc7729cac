"""Pods that no node takes: the request, label, taint, port or claim that stands against it, and on how many nodes."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.causes.changes import is_recent
from responder.diagnose.cluster.causes.node import evicting_nodes
from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.pods import containers, is_ready, many, ready_of
from responder.diagnose.cluster.scene import Scene, last_seen
from responder.diagnose.cluster.usage import shown
from responder.model.clock import ago
from responder.model.clue import Clue, Role
from responder.model.text import cut

_HEAD = re.compile(r"(\d+)/(\d+) nodes are available: (.*)", re.DOTALL)
#: One counted reason of the scheduler's sentence (kube-scheduler, framework/types.go FitError).
_REASON = re.compile(r"(\d+) (.+?)(?=, \d+ |\.$|$)")
_INSUFFICIENT = re.compile(r"Insufficient (\S+)")
#: ``untolerated taint {team: ml}``; before 1.26 ``had taint {team: ml}, that the pod didn't tolerate``.
_TAINT = re.compile(r"\btaint(?:\(s\))? ?(?:\{(?P<key>[^:}]+): ?(?P<value>[^}]*)\})?")
#: Codes of nodes that suit a pod, and that others have taken.
_TAKEN = frozenset({"schedule-room", "schedule-pods", "schedule-port"})
#: Whose pod took the place: a uid, of older schedulers namespace and name, or nothing (kube-scheduler, preemption.go).
_PREEMPTOR = re.compile(r"Preempted by (?:pod )?(\S+) on node")


def look(scene: Scene) -> tuple[Clue, ...]:
    """Return a clue for each reason for which pods of the subject are not scheduled."""
    pods = scene.pods_of(scene.workload)
    found: dict[str, list[Object]] = defaultdict(list)
    for pod in pods:
        if objects.text(pod, "status", "phase") == "Pending" and not objects.text(pod, "spec", "nodeName"):
            found[message_of(scene, pod)].append(pod)
    clues = tuple(_clue(scene, len(pods), said, waiting) for said, waiting in found.items())
    taken = _preempted(scene) if clues else None
    if taken is None:
        return clues
    if taken.role is Role.FACT:
        return tuple(replace(each, says=f"{each.says}; {taken.says}") for each in clues)
    leads = (taken.entity,)
    clues = tuple(replace(each, leads_to=leads) if each.code == "schedule-room" else each for each in clues)
    return (*clues, taken)


def _preempted(scene: Scene) -> Clue | None:
    """Return that pods of the subject gave their place to pods of a higher priority, and to whose where that is known.

    The event has the pod that came as its related object; its message has the uid, of older schedulers the name.
    """
    workload = scene.workload
    if workload is None:
        return None
    name = objects.name(workload)
    owners = [objects.name(each) for each in scene.owned("ReplicaSet", workload)] or [name]
    begins = tuple(f"{each}-" for each in owners)  # the pod itself is gone
    events = [
        each
        for each in scene.of("Event")
        if objects.text(each, "reason") == "Preempted"
        and objects.text(each, "involvedObject", "name").startswith(begins)
        and is_recent(scene, last_seen(each))
    ]
    if not events:
        return None
    newest = max(events, key=lambda each: last_seen(each) or scene.began)
    moment = last_seen(newest)
    entity, by = _preemptor(scene, newest)
    gone = "a pod" if len(events) == 1 else f"{len(events)} pods"
    says = f"{gone} of {name} {'was' if len(events) == 1 else 'were'} preempted by {by}{_at(scene, moment)}"
    if not entity:
        return Clue(code="preempted", role=Role.FACT, entity=objects.reference(workload), says=says, since=moment)
    return Clue(code="schedule-preempted", role=Role.CAUSE, entity=entity, says=says, since=moment)


def _preemptor(scene: Scene, event: Object) -> tuple[str, str]:
    """Return the entity whose pod took the place, and it in words; no entity where only its priority is known."""
    match = _PREEMPTOR.search(objects.text(event, "message"))
    uid = objects.text(event, "related", "uid") or (match[1] if match else "")
    related = f"{objects.text(event, 'related', 'namespace')}/{objects.text(event, 'related', 'name')}".strip("/")
    full = related or uid
    for pod in scene.objects.get("Pod", ()):
        if uid and full in {objects.uid(pod), f"{objects.namespace(pod)}/{objects.name(pod)}"}:
            class_ = objects.text(pod, "spec", "priorityClassName")
            owner = scene.top(pod)
            return objects.reference(owner), f"{objects.name(owner)}{f' (priority class {class_})' if class_ else ''}"
    if "/" in full:
        return f"Pod/{full.partition('/')[2]}", f"pod {full}"
    return "", "a pod of a higher priority"


def _at(scene: Scene, moment: datetime | None) -> str:
    return f" {ago(scene.now, moment)} ago" if moment else ""


def message_of(scene: Scene, pod: Object) -> str:
    """Return the scheduler's sentence about a pod: of its condition, else of the newest event."""
    condition = objects.condition(pod, "PodScheduled")
    if objects.text(condition, "reason") == "SchedulingGated":
        return "SchedulingGated"
    if message := objects.text(condition, "message"):
        return message
    events = [each for each in scene.events_of(pod) if objects.text(each, "reason") == "FailedScheduling"]
    return objects.text(events[0], "message") if events else ""


def _clue(scene: Scene, total: int, said: str, waiting: list[Object]) -> Clue:
    code, why, leads = _why(scene, said, waiting[0])
    leads += tuple(f"Node/{each}" for each in evicting_nodes(scene))
    created = objects.created(waiting[0])
    pending = f" pending for {ago(scene.now, created)}" if created else " pending"
    pod, workload = objects.name(waiting[0]), scene.workload
    of = f" of {objects.name(workload)}" if workload is not None else ""
    home = _home(waiting[0])
    which = (
        f"pod {pod}{f' for node {home}' if home else ''}" if len(waiting) == 1 else f"{many(len(waiting), total)}{of}"
    )
    pending += ", " if code == "schedule-silent" else ", unschedulable: "
    why += _scale_up(scene, waiting[0])
    return Clue(
        code=code,
        role=Role.CAUSE,
        entity=objects.reference(waiting[0]),
        says=f"{which}{pending}{why}",
        since=created,
        leads_to=leads,
        detail=said,
    )


def _scale_up(scene: Scene, pod: Object) -> str:
    """Return why the cluster autoscaler adds no node for a pod."""
    for event in scene.events_of(pod):
        said = objects.text(event, "message")
        if objects.text(event, "reason") == "NotTriggerScaleUp":
            why = said.partition("scale-up")[2].lstrip(" :()")
            return f"; the cluster autoscaler adds no node: {cut(why or said, 80)}"
        if objects.text(event, "reason") == "FailedScaleUp":
            return f"; the cluster autoscaler could not add a node: {cut(said, 80)}"
        if objects.text(event, "reason") == "TriggeredScaleUp":
            return "; the cluster autoscaler is adding a node"
    return ""


def _silent(scene: Scene, pod: Object) -> str:
    """Return what is known of the scheduler of a pod that none has reported on."""
    name = objects.text(pod, "spec", "schedulerName")
    if name not in {"", "default-scheduler"}:
        return f"its scheduler {name} has reported nothing about it (no condition, no event): it may be down"
    said = "no scheduler has reported anything about it (no condition, no event)"
    servers = [
        each for each in scene.of("Pod", "kube-system") if objects.labels(each).get("component") == "kube-scheduler"
    ]
    if servers and not any(map(is_ready, servers)):
        reasons = ", ".join(sorted({each.waiting for pod in servers for each in containers(pod) if each.waiting}))
        return f"{said}: kube-scheduler is down, {ready_of(servers)} pods ready{f' ({reasons})' if reasons else ''}"
    return f"{said}: the scheduler may be down"


def _why(scene: Scene, said: str, pod: Object) -> tuple[str, str, tuple[str, ...]]:
    """Return code, reason and the entities that explain it."""
    if said == "SchedulingGated":
        gates = ", ".join(objects.text(each, "name") for each in objects.items(pod, "spec", "schedulingGates"))
        return "schedule-gate", f"it is held by scheduling gate {gates or 'of its own'}", ()
    if not said:
        return "schedule-silent", _silent(scene, pod), ()
    if match := re.search(r'persistentvolumeclaim "([^"]+)" not found', said):
        return "schedule-claim", f"claim {match[1]} does not exist (not found)", ()
    head = _HEAD.search(said)
    reasons = head[3].partition("preemption:")[0].strip() if head else said
    total = int(head[2]) if head else 0
    if "unbound immediate PersistentVolumeClaims" in reasons:
        claims = [f"PersistentVolumeClaim/{each}" for each in claims_of(pod)]
        named = ", ".join(each.partition("/")[2] for each in claims)
        return "schedule-claim", f"its claim {named} is not bound", tuple(claims)
    counted = [(int(count), reason.strip(" .")) for count, reason in _REASON.findall(reasons)]
    if not counted:
        return "schedule", cut(reasons, 160), ()
    if _home(pod):  # of a DaemonSet: the other nodes are not its own, so only the reasons of its own count
        counted = [each for each in counted if "NodeAffinity" not in each[1] and "affinity/selector" not in each[1]]
        total = 0
    parts: list[str] = []
    codes: Counter[str] = Counter()
    for count, reason in sorted(counted, reverse=True):
        code, words = _reason(scene, pod, reason)
        codes[code] += count
        parts.append(f"{words} ({count} of {total} nodes)" if total else words)
    # The others do not suit the pod: a node that is only cordoned would.
    cordoned = "schedule-cordon" in codes and codes.keys().isdisjoint(_TAKEN)
    code = "schedule-cordon" if cordoned else codes.most_common(1)[0][0]
    return code, "; ".join(dict.fromkeys(parts)), ()


def _home(pod: Object) -> str:
    """Return the one node that a pod of a DaemonSet is for; empty for other pods (`matchFields` by its controller)."""
    key = "requiredDuringSchedulingIgnoredDuringExecution"
    for term in objects.items(objects.at(pod, "spec", "affinity", "nodeAffinity", key), "nodeSelectorTerms"):
        for field in objects.items(term, "matchFields"):
            if objects.text(field, "key") == "metadata.name":
                return str(next(iter(objects.items(field, "values")), ""))
    return ""


def _reason(scene: Scene, pod: Object, reason: str) -> tuple[str, str]:
    if match := _INSUFFICIENT.search(reason):
        return "schedule-room", _room(scene, pod, match[1])
    if match := _TAINT.search(reason):
        taint = f"{match['key']}={match['value'].strip()}".rstrip("=") if match["key"] else ""
        on = _tainted(scene, match["key"] or "")
        return "schedule-taint", f"taint {taint}{on} is not tolerated" if taint else "a taint is not tolerated"
    if "node affinity/selector" in reason or "node selector" in reason:
        return "schedule-label", _label(scene, pod)
    if "anti-affinity" in reason:
        return "schedule-affinity", "anti-affinity: a pod it must not share a node with runs there"
    if "pod affinity" in reason:
        return "schedule-affinity", "pod affinity: no pod it must be near to runs there"
    if "unschedulable" in reason:
        return "schedule-cordon", f"cordoned{_named(scene)}"
    if "volume node affinity" in reason:
        return "schedule-volume", f"its volume{_claims(pod)} is in another zone (volume node affinity conflict)"
    if "Too many pods" in reason:
        return "schedule-pods", "too many pods"
    if "free ports" in reason:
        ports = ", ".join(
            str(objects.at(port, "hostPort"))
            for each in objects.items(pod, "spec", "containers")
            for port in objects.items(each, "ports")
            if objects.at(port, "hostPort")
        )
        return "schedule-port", f"its host port {ports} is taken".replace("  ", " ")
    if "topology spread" in reason:
        return "schedule-spread", f"topology spread constraints are not met{_spread(scene, pod)}"
    return "schedule", reason


def _tainted(scene: Scene, key: str) -> str:
    """Return the nodes with a taint that Kubernetes set for a fault of theirs, at most two: `` (node a-1)``."""
    names = [
        objects.name(each)
        for each in scene.of("Node")
        if key.startswith("node.kubernetes.io/") and any(objects.text(one, "key") == key for one in _taints(each))
    ]
    return f" (node {', '.join(names[:2])})" if names else ""


def _taints(node: Object) -> Sequence[Object]:
    return objects.items(node, "spec", "taints")


def _named(scene: Scene) -> str:
    """Return the names of the cordoned nodes, at most three."""
    names = [objects.name(each) for each in scene.of("Node") if objects.at(each, "spec", "unschedulable") is True]
    return f" {', '.join(names[:3])}" if names else ""


def _room(scene: Scene, pod: Object, resource: str) -> str:
    """Return the request beside the largest allocatable: more than any node has is not the same as full nodes."""
    asked = sum(
        objects.quantity(objects.at(each, "resources", "requests", resource)) or 0.0
        for each in objects.items(pod, "spec", "containers")
    )
    sizes = [
        size
        for each in scene.of("Node")
        if (size := objects.quantity(objects.at(each, "status", "allocatable", resource)))
    ]
    if not asked or not sizes:
        return f"insufficient {resource}"
    most = max(sizes)
    request = f"it requests {resource} {shown(asked, resource)}"
    if asked > most:
        return f"insufficient {resource}: {request}, and no node has more than {shown(most, resource)} allocatable"
    if len(sizes) < len(scene.of("Node")):
        nodes = f"{len(sizes)} of {len(scene.of('Node'))} nodes have it"
        return f"insufficient {resource}: {request}; {nodes} (up to {shown(most, resource)}), all of it is taken"
    return f"insufficient {resource}: {request}, and the nodes (up to {shown(most, resource)}) are full"


def _label(scene: Scene, pod: Object) -> str:
    """Return the label that the pod asks for, and that no node, or too few, have."""
    nodes = scene.of("Node")
    wanted = [(key, (value,)) for key, value in objects.pairs(pod, "spec", "nodeSelector").items()]
    required = objects.at(
        pod, "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"
    )
    for term in required or ():
        wanted += [
            (objects.text(each, "key"), tuple(objects.items(each, "values")))
            for each in objects.items(term, "matchExpressions")
            if objects.text(each, "operator") in {"In", "Exists"}
        ]
    for key, values in wanted:
        having = [
            each
            for each in nodes
            if key in objects.labels(each) and (not values or objects.labels(each)[key] in values)
        ]
        label = f"{key}={'|'.join(values)}" if values else key
        if not having and nodes and key == "kubernetes.io/hostname":
            return f"it asks for node {'|'.join(values)}, which does not exist (node affinity/selector)"
        if not having:
            return f"no node has the label {label} that it asks for (node affinity/selector)"
    labels = ", ".join(f"{key}={'|'.join(values)}" if values else key for key, values in wanted)
    return f"node affinity/selector {labels} does not match"


def _spread(scene: Scene, pod: Object) -> str:
    """Return the label over which a pod must be spread, and that no node has it, or how many places it has."""
    for each in objects.items(pod, "spec", "topologySpreadConstraints"):
        key = objects.text(each, "topologyKey")
        if objects.text(each, "whenUnsatisfiable") == "ScheduleAnyway" or not key:
            continue
        places = {objects.labels(node).get(key, "") for node in scene.of("Node")} - {""}
        return f": no node has the label {key}" if scene.of("Node") and not places else f" (over {key})"
    return ""


def _claims(pod: Object) -> str:
    names = ", ".join(claims_of(pod))
    return f" {names}" if names else ""


def claims_of(pod: Object) -> list[str]:
    """Return the names of the claims that a pod mounts."""
    found = (objects.text(each, "persistentVolumeClaim", "claimName") for each in objects.items(pod, "spec", "volumes"))
    return [each for each in found if each]
