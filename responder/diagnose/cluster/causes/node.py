"""Nodes: heartbeat lost or runtime down, pressure, who lives there, and whether they still serve from elsewhere."""

from collections import defaultdict

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.causes.changes import is_recent
from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.pods import is_ready, many, serves
from responder.diagnose.cluster.scene import Scene, involved, last_seen
from responder.diagnose.cluster.usage import eviction, takers, takes
from responder.model.clock import ago
from responder.model.clue import Certainty, Clue, Role
from responder.model.text import cut

_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")
#: Workloads on a node that a sentence names.
_NAMED = 4
#: DaemonSets on a node that a sentence names.
_DAEMONS = 2
_OWN_LIMIT = "Find out what it writes: logs, caches, temporary files; then raise its limit, or mount a volume for them."
#: Seconds after which a lease is old: four times the 10 s in which the kubelet renews it.
_LEASE_SECONDS = 40.0


def look(scene: Scene) -> tuple[Clue, ...]:
    """Return what is wrong with the node that the alert names, or with nodes of pods of the subject."""
    named = scene.place.named.get("Node", "")
    nodes = scene.objects.get("Node", ())
    names = list(dict.fromkeys((*([named] if named else ()), *_of_subject(scene), *evicting_nodes(scene))))
    if scene.is_wide and not scene.place.namespace:
        names = [objects.name(each) for each in nodes if not objects.is_true(each, "Ready") or _pressed(each)]
    found: list[Clue] = []
    for name in names:
        node = scene.find("Node", name)
        if node is not None:
            found += _clues(scene, node, named=name == named)
        elif named and scene.was_read("Node"):
            found.append(_gone(scene, name))
        elif not scene.was_read("Node"):
            found += _by_events(scene, name)
    return (*found, *_evictions(scene))


def _by_events(scene: Scene, name: str) -> list[Clue]:
    """Return that a node which could not be read is not ready, as the newest event of the subject's pods on it says.

    A newer one would come from its kubelet, so the node would be back.
    """
    here = [each for each in scene.pods_of(scene.workload) if objects.text(each, "spec", "nodeName") == name]
    newest = next(iter(scene.events_of(*here)), {})
    if objects.text(newest, "reason") != "NodeNotReady":
        return []
    since, likely = last_seen(newest), Certainty.LIKELY
    says = f"node {name} is not ready by the events of its pods, {scene.minutes(since)}{_hosts(scene, name)}"
    return [Clue(code="node-lost", role=Role.CAUSE, entity=f"Node/{name}", says=says, certainty=likely, since=since)]


def _gone(scene: Scene, name: str) -> Clue:
    """Return that a node was deleted, when, and by the newest event about it why."""
    events = [each for each in scene.of("Event", "") if involved(each) == f"Node/{name}"]
    newest = max(events, key=lambda each: last_seen(each) or scene.began, default={})
    since, said = last_seen(newest), objects.text(newest, "message")
    at = f" (last event {ago(scene.now, since)} ago: {cut(said, 120)})" if since and said else ""
    says = f"node {name} is no longer part of the cluster{at}"
    return Clue(code="node-gone", role=Role.CAUSE, entity=f"Node/{name}", says=says, since=since)


def _evictions(scene: Scene) -> tuple[Clue, ...]:
    """Return the pods of the subject that were evicted lately, and why; others have taken their place, or wait."""
    if scene.workload is None:
        return ()
    name = objects.name(scene.workload)
    gone = [
        (moment, each)
        for each in scene.of("Event")
        if objects.text(each, "reason") == "Evicted"
        and (moment := last_seen(each)) is not None
        and is_recent(scene, moment)
        and (pod := scene.find("Pod", objects.text(each, "involvedObject", "name"))) is not None
        and workload_name(pod) == name
    ]
    if not gone:
        return ()
    moment, newest = max(gone, key=lambda each: each[0])
    why, used, _ = eviction(objects.text(newest, "message"))
    count = f"{len(gone)} pods of {name} were" if len(gone) > 1 else f"1 pod of {name} was"
    says = f"{count} evicted {ago(scene.now, moment)} ago: {cut(why, 100)}{f', {used}' if used else ''}"
    entity = objects.reference(scene.workload)
    named = scene.find("Pod", scene.place.named.get("Pod", ""))
    # A pod that exceeds its own limit will be evicted again; of the others, others have taken the place.
    own = "limit" in why
    role = Role.CAUSE if own or objects.text(named or {}, "status", "reason") == "Evicted" else Role.FACT
    step = _OWN_LIMIT if own else ""
    return (Clue(code="evicted", role=role, entity=entity, says=says, since=moment, first_step=step),)


def evicting_nodes(scene: Scene) -> list[str]:
    """Return the nodes under pressure from which pods of the subject were evicted."""
    if scene.workload is None:
        return []
    name, nodes = objects.name(scene.workload), scene.objects.get("Node", ())
    gone = [each for each in scene.of("Pod") if objects.text(each, "status", "reason") == "Evicted"]
    left = {objects.text(each, "spec", "nodeName") for each in gone if workload_name(each) == name}
    return sorted(objects.name(each) for each in nodes if objects.name(each) in left and _pressed(each))


def _of_subject(scene: Scene) -> list[str]:
    """Return the nodes of unready pods of the subject, and those that are lost: their pods still say they are ready."""
    pods = [each for each in scene.pods_of(scene.workload) if not serves(scene, each)]
    return sorted({objects.text(each, "spec", "nodeName") for each in pods} - {""})


def _pressed(node: Object) -> list[str]:
    return [each for each in _PRESSURES if objects.is_true(node, each)]


def _clues(scene: Scene, node: Object, *, named: bool) -> list[Clue]:
    name, entity = objects.name(node), objects.reference(node)
    found: list[Clue] = []
    ready = objects.condition(node, "Ready")
    status, since = objects.text(ready, "status"), objects.when(ready, "lastTransitionTime")
    at = f" {ago(scene.now, since)} ago" if since else ""
    lives = _lives(scene, name) if named else _hosts(scene, name)
    if status == "Unknown":
        lease = _lease(scene, name)
        share = _share(scene, node) if named or scene.is_wide else ""
        says = f"node {name} stopped posting status{at}{share}: heartbeat lost{lease}{lives}"
        found.append(Clue(code="node-lost", role=Role.CAUSE, entity=entity, says=says, since=since))
    elif status == "False":
        why = objects.text(ready, "message") or objects.text(ready, "reason")
        why = why.rpartition("message:")[2]
        span = f" for {ago(scene.now, since)}" if since else ""
        share = _share(scene, node) if named or scene.is_wide else ""
        says = f"node {name} is not ready{span}{share}: {cut(why, 100)}{lives}"
        found.append(Clue(code="node-runtime", role=Role.CAUSE, entity=entity, says=says, since=since))
    for pressure in _pressed(node):
        began = objects.when(objects.condition(node, pressure), "lastTransitionTime")
        span = f" for {ago(scene.now, began)}" if began else ""
        all_ = scene.objects.get("Node", ())
        short = sum(pressure in _pressed(each) for each in all_)
        share = f" ({short} of {len(all_)} nodes)" if named and len(all_) > 1 else ""
        says = f"node {name} has {pressure}{span}{share}{_evicted(scene, name)}{_most(scene, name, pressure)}{lives}"
        found.append(Clue(code="node-pressure", role=Role.CAUSE, entity=entity, says=says, since=began))
    if objects.at(node, "spec", "unschedulable") is True:
        says = f"node {name} is cordoned (unschedulable){lives if named else ''}"
        found.append(Clue(code="node-cordoned", role=Role.FACT, entity=entity, says=says))
    if named and not any(each.role is Role.CAUSE for each in found):
        at = f" ({scene.place.address})" if objects.node_at((node,), scene.place.address) is not None else ""
        found.append(Clue(code="node-ready", role=Role.FINE, entity=entity, says=f"node {name}{at} is ready"))
    return found


def _share(scene: Scene, node: Object) -> str:
    """Return how many nodes are not ready, which the others are, and the zone if it is that of all of them."""
    nodes = scene.objects.get("Node", ())
    down = [each for each in nodes if not objects.is_true(each, "Ready")]
    if len(nodes) < 2:
        return ""
    others = [objects.name(each) for each in down if each is not node]
    zones = {objects.labels(each).get("topology.kubernetes.io/zone", "") for each in down}
    zone = f", all in zone {zones.pop()}" if len(down) > 1 and len(zones) == 1 and "" not in zones else ""
    also = f", also {', '.join(others[:2])}" if others else ""
    return f" ({len(down)} of {len(nodes)} nodes not ready{also}{zone})"


def _lease(scene: Scene, node: str) -> str:
    for each in scene.objects.get("Lease", ()):
        renewed = objects.when(each, "spec", "renewTime")
        if objects.name(each) == node and renewed and (scene.now - renewed).total_seconds() > _LEASE_SECONDS:
            return f", lease renewed {ago(scene.now, renewed)} ago"
    return ""


def _most(scene: Scene, node: str, pressure: str) -> str:
    """Return the pod that uses most of the memory of a node that is short of it."""
    taken = takers(scene, node, "memory") if pressure == "MemoryPressure" else []
    return f"; {takes(scene, taken[0][1], 'memory', taken[0][0])}" if taken else ""


def _evicted(scene: Scene, node: str) -> str:
    """Return the pods that were evicted from a node, and which of their containers used most of what is short."""
    gone = [
        each
        for each in scene.objects.get("Pod", ())
        if objects.text(each, "status", "reason") == "Evicted" and objects.text(each, "spec", "nodeName") == node
    ]
    if not gone:
        return ""
    of = ", ".join(sorted(set(map(workload_name, gone)))[:_NAMED])
    _, used, _ = max((eviction(objects.text(each, "status", "message")) for each in gone), key=lambda each: each[2])
    return f", {len(gone)} {'pods' if len(gone) > 1 else 'pod'} evicted (of {of}){f', {used}' if used else ''}"


def _hosts(scene: Scene, node: str) -> str:
    """Return how many pods of the subject are on a node, and how many of them still count as ready."""
    pods = scene.pods_of(scene.workload)
    here = [each for each in pods if objects.text(each, "spec", "nodeName") == node]
    if not here or scene.workload is None:
        return ""
    ready = sum(map(is_ready, here)) if node in scene.lost_nodes else 0
    count = "which still counts as ready" if len(here) == 1 else f"{ready} of which still count as ready"
    stale = f", {count}" if ready else ""
    return f"; {many(len(here), len(pods))} of {objects.name(scene.workload)} on it{stale}"


def _lives(scene: Scene, node: str) -> str:
    """Return the workloads with pods on a node or another lost one, evicted too, and how many are ready elsewhere.

    Namespaces of which only the pods of this node were read are left out: nothing is known of the others.
    """
    by_owner: dict[tuple[str, str, bool], list[Object]] = defaultdict(list)
    for each in scene.objects.get("Pod", ()):
        if (space := objects.namespace(each)) != "kube-system":
            by_owner[space, workload_name(each), objects.controller(each)[0] == "DaemonSet"].append(each)
    down = {node, *scene.lost_nodes}
    parts: list[str] = []
    daemons: list[str] = []
    for (_, owner, is_daemon), mates in by_owner.items():
        if down.isdisjoint(objects.text(each, "spec", "nodeName") for each in mates):
            continue
        living = [each for each in mates if objects.text(each, "status", "phase") not in {"Failed", "Succeeded"}]
        ready = [each for each in living if serves(scene, each)]
        if living and is_daemon:
            daemons.append(f"{owner} ({len(ready)} of {len(living)} pods ready)")
        elif living:
            verb = "still serves" if ready else "does not serve"
            parts.append(f"{owner} {verb} ({len(ready)} of {len(living)} pods ready)")
    ranked = sorted(parts, key=lambda each: ("does not" not in each, each))
    others = f"DaemonSet{'s' if len(daemons) > 1 else ''} " if daemons else ""
    return _named(ranked, _NAMED) + _named([f"{others}{daemons[0]}", *daemons[1:]] if daemons else [], _DAEMONS)


def _named(parts: list[str], most: int) -> str:
    more = f" and {len(parts) - most} more" if len(parts) > most else ""
    shown = [*parts[:1], *(each.replace(" pods ready)", " ready)") for each in parts[1:most])]  # short enough for four
    return f"; {', '.join(shown)}{more}" if parts else ""


def workload_name(pod: Object) -> str:
    """Return the name of a pod's workload: that of its ReplicaSet without the hash of the template."""
    _, owner, _ = objects.controller(pod)
    hash_ = objects.labels(pod).get("pod-template-hash", "")
    return owner.removesuffix(f"-{hash_}") if owner else objects.name(pod)
