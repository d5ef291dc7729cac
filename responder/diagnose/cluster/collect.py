"""Collects the scene of a page in five waves: what the alert names, then what the answers name."""

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.health import PodHealth
from responder.diagnose.cluster.locate import SHARE, located
from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.owners import OWNERS, elsewhere, replica_sets
from responder.diagnose.cluster.pods import containers, is_down, is_steady, restarts
from responder.diagnose.cluster.reader import LIST_LIMIT, Read, Reader, is_name, listing, log_of, single
from responder.diagnose.cluster.scene import Place, Scene
from responder.diagnose.cluster.usage import full_nodes
from responder.diagnose.cluster.wave import answered
from responder.model.clock import Clock, Deadline

#: Lists of the namespace that every investigation starts with. Whole lists, so that incidents of one namespace share
#: them, and neighbors are seen too.
FIRST = ("Pod", "Event", "Deployment", "ReplicaSet", "Service")
#: Lists about what reaches the pods, and how many there are: left out where the pods themselves say what is wrong.
_AROUND = ("EndpointSlice", "HorizontalPodAutoscaler", "NetworkPolicy")
#: Lists that an alert has to name.
_NAMED = (
    *("StatefulSet", "DaemonSet", "Job", "CronJob", "PersistentVolumeClaim", "Ingress", "Certificate"),
    *("PodDisruptionBudget", "HorizontalPodAutoscaler"),
)
#: Lists of another namespace that a log names.
_OTHER = ("Pod", "Service")
#: Pods whose logs are read, with distinct failures where there are several.
MOST_LOGS = 3
#: Namespaces of pods on a node whose other pods are read.
MOST_NAMESPACES = 4
#: Nodes of the subject's pods that are read.
MOST_NODES = 3
#: The namespace of the cluster's own workloads.
SYSTEM = "kube-system"
#: A label's value, and its key with an optional prefix (Kubernetes API, labels).
_LABEL = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_KEY = re.compile(rf"(?:[a-z0-9.-]{{1,253}}/)?{_LABEL.pattern}")
#: Errors about the certificate of the other end, in logs of Go, Java, Python, Node.js and OpenSSL.
_CERTIFICATE = re.compile(
    r"x509|PKIX|CERT_|certificate.{0,20}(?:expired|verify|not yet valid)|expired certificate", re.IGNORECASE
)
#: Log lines of connections that a policy may have stopped: an answer such as 503 shows that none did.
_NO_ANSWER = re.compile(r"time[sd]?[- ]?out|timeout|deadline|refused|unreachable|canceled|no route", re.IGNORECASE)
#: Log lines of an answer that is an error of what was called: its own log says why.
_FAILED = re.compile(r"\b50[0-4]\b|MISCONF|READONLY|too many (?:clients|connections)")
#: Other namespaces that are read.
MOST_OTHER = 2


def collect(
    place: Place,
    reader: Reader,
    deadline: Deadline,
    clock: Clock,
    began: datetime,
    pods: PodHealth | None = None,
) -> Scene:
    """Return what could be read by the deadline; what could not is listed in the scene. Raises nothing.

    Single pods are asked for their health as soon as they are known, while the next answers are read.
    """
    scene = located(Scene(place=place, now=clock.now(), began=began), reader, deadline, clock)
    asked: set[Read] = set()
    for wave in (_first, _second, _third, _fourth, _last):
        now = clock.monotonic()
        until = deadline.earlier(deadline.left(now) * SHARE, now) if wave is not _last else deadline
        reads = [read for read in dict.fromkeys(wave(scene)) if read not in asked]
        asked.update(reads)
        health = pods.start(scene, deadline) if pods is not None and wave is _third else None
        # What was worked out about a scene is kept with it, so it is made anew only by answers.
        scene = answered(scene, reads, reader, until, clock) if reads else scene
        if wave is _first and (sets := replica_sets(scene)):
            scene = scene.with_more({"ReplicaSet": sets}, (), ())
        if health is not None:
            scene = replace(scene, health=health())
    return replace(scene, objects={**scene.objects, **elsewhere(scene)})


def _first(scene: Scene) -> list[Read]:
    place = scene.place
    reads = [listing(kind, place.namespace) for kind in FIRST] if place.namespace else []
    named = place.named
    if place.namespace:
        reads += [listing(kind, place.namespace) for kind in _NAMED if kind in named]
        reads += [listing("Certificate", place.namespace)] if "Ingress" in named else []
    if not place.namespace and "Node" not in named:  # an alert about the whole cluster
        return [listing("Node"), *(listing(kind, SYSTEM) for kind in ("Pod", "Event", "Deployment", "DaemonSet"))]
    if node := named.get("Node"):
        reads += [listing("Node"), listing("Lease", "kube-node-lease")]
        reads.append(listing("Pod", fieldSelector=f"spec.nodeName={node}"))
        reads.append(listing("Event", "default", fieldSelector=f"involvedObject.name={node}"))
    return reads


def _second(scene: Scene) -> list[Read]:
    """Return the reads that the first answers name: owners of other kinds, claims, nodes, logs."""
    namespace = scene.place.namespace
    if not namespace:
        return [*_neighbors(scene), *_of_node(scene)] if "Node" in scene.place.named else []
    reads = [*_own_pods(scene), *_delivery(scene)]
    owners = {objects.controller(each)[0] for each in scene.of("Pod")}
    owners |= {objects.text(each, "involvedObject", "kind") for each in scene.of("Event")}
    others = ("StatefulSet", "DaemonSet", "Job")
    if owners & {"StatefulSet", "DaemonSet"}:
        reads.append(listing("ControllerRevision", namespace))
    reads += [listing(kind, namespace) for kind in others if kind in owners and not scene.was_read(kind)]
    if (scene.was_read("Job") or "Job" in owners) and not scene.was_read("CronJob"):
        reads.append(listing("CronJob", namespace))
    if scene.was_read("CronJob") and "Job" not in owners and not scene.was_read("Job"):
        reads.append(listing("Job", namespace))
    said = [objects.text(each, "message") for each in (*scene.of("Event"), *_refusals(scene))]
    for word, kind in (("quota", "ResourceQuota"), (" usage per ", "LimitRange")):
        reads += [listing(kind, namespace)] if any(word in each for each in said) else []
    waiting = [each for each in scene.of("Pod") if objects.text(each, "status", "phase") == "Pending"]
    if any(_claims(each) for each in waiting) or "PersistentVolumeClaim" in scene.place.named:
        reads += [] if scene.was_read("PersistentVolumeClaim") else [listing("PersistentVolumeClaim", namespace)]
        reads.append(listing("StorageClass"))
    pods = scene.pods_of(scene.workload)
    reads += [] if any(map(is_down, pods)) else [listing(kind, namespace) for kind in _AROUND]
    if waiting or not all(map(_is_ready, pods)):
        reads += _nodes(scene, waiting)
    return reads + _logs(scene, pods)


def _refusals(scene: Scene) -> list[Object]:
    """Return the conditions of Deployments whose pods are refused: events say it for an hour only."""
    return [objects.condition(each, "ReplicaFailure") for each in scene.of("Deployment")]


def _delivery(scene: Scene) -> list[Read]:
    """Return the read of the object of Argo CD or Flux that the workload names.

    An Application is looked for in all namespaces, where the workload does not say in which it is.
    """
    kind, name, namespace = objects.delivered_by(scene.workload) if scene.workload is not None else ("", "", "")
    if not is_name(name):
        return []
    if is_name(namespace):
        return [single(kind, name, namespace)]
    return [listing(kind, fieldSelector=f"metadata.name={name}")] if kind == "Application" else []


def _own_pods(scene: Scene) -> list[Read]:
    """Return the reads of the subject's pods by its selector, where the list of all pods was cut or too large."""
    if scene.was_read("Pod") and len(scene.of("Pod")) < LIST_LIMIT:
        return []
    named = scene.place.named.get("Pod", "")
    if scene.workload is None and is_name(named):
        return [single("Pod", named, scene.place.namespace)]  # it names its workload, which the next wave asks about
    labels = objects.pairs(scene.workload, "spec", "selector", "matchLabels")
    if not labels or not all(_LABEL_KEY.fullmatch(key) and _LABEL.fullmatch(value) for key, value in labels.items()):
        return []
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    return [listing("Pod", scene.place.namespace, labelSelector=selector)]


def _neighbors(scene: Scene) -> list[Read]:
    """Return the reads of all pods of the namespaces with pods on the node: whether their workloads still serve."""
    spaces = sorted({objects.namespace(each) for each in scene.of("Pod")} - {"kube-system", ""})
    return [listing("Pod", each) for each in spaces[:MOST_NAMESPACES] if is_name(each)]


def _of_node(scene: Scene) -> list[Read]:
    """Return the reads of what uses the node that the alert names, and of what keeps its pods there."""
    node = scene.find("Node", scene.place.named["Node"])
    if node is None or not objects.is_true(node, "Ready"):
        return []
    spaces = sorted({objects.namespace(each) for each in scene.of("Pod")} - {""})
    reads = [listing("NodeMetrics"), *(listing("PodMetrics", each) for each in spaces[:MOST_NAMESPACES])]
    return [*reads, listing("PodDisruptionBudget")] if objects.at(node, "spec", "unschedulable") is True else reads


def _usage(scene: Scene) -> list[Read]:
    """Return the reads of what the subject's nodes and the namespace use, where all pods are ready and log no error."""
    pods = scene.pods_of(scene.workload)
    if not pods or scene.failures or not all(map(_is_ready, pods)):
        return []
    return [listing("NodeMetrics"), listing("PodMetrics", scene.place.namespace)]


def _last(scene: Scene) -> list[Read]:
    """Return the reads of what the other pods of a full node use, and of what the fourth wave named elsewhere."""
    named = {each.partition("=")[2] for each in _full(scene)}
    there = [each for each in scene.of("Pod", "") if objects.text(each, "spec", "nodeName") in named]
    spaces = sorted({objects.namespace(each) for each in there} - {"", scene.place.namespace})
    reads = [listing("PodMetrics", each) for each in spaces[:MOST_NAMESPACES] if is_name(each)]
    return [*reads, *_dependencies(scene), *_elsewhere(scene), *_namespace(scene)]


def _namespace(scene: Scene) -> list[Read]:
    """Return the read of the subject's namespace, where a policy of another one admits namespaces by their labels."""
    peers = [
        objects.pairs(peer, "namespaceSelector", "matchLabels")
        for policy in scene.of("NetworkPolicy", "")
        if objects.namespace(policy) != scene.place.namespace
        for rule in objects.items(policy, "spec", "ingress")
        for peer in objects.items(rule, "from")
    ]
    own = any(key != "kubernetes.io/metadata.name" for labels in peers for key in labels)
    return [single("Namespace", scene.place.namespace)] if own and scene.place.namespace else []


def _full(scene: Scene) -> list[str]:
    """Return the field selectors of the pods on the first full node of the subject."""
    own = {objects.text(each, "spec", "nodeName") for each in scene.pods_of(scene.workload)}
    if not scene.place.namespace:
        return []
    names = dict.fromkeys(objects.name(each.node) for each in full_nodes(scene))
    return [f"spec.nodeName={each}" for each in names if each in own and is_name(each)][:1]


def _claims(pod: Object) -> bool:
    return any(objects.at(volume, "persistentVolumeClaim") for volume in objects.items(pod, "spec", "volumes"))


def _nodes(scene: Scene, waiting: Iterable[Object]) -> list[Read]:
    """Return the read of all nodes if a pod cannot be scheduled, else of those of the subject, unready pods first.

    The pods of a node that is lost still say that they are ready, for a while.
    """
    if scene.was_read("Node"):
        return []
    if any(objects.text(each, "spec", "nodeName") == "" for each in waiting):
        return [listing("Node")]
    ranked = sorted(scene.pods_of(scene.workload), key=lambda each: objects.is_true(each, "Ready"))
    names = dict.fromkeys(objects.text(each, "spec", "nodeName") for each in ranked)
    return [single("Node", node) for node in list(names)[:MOST_NODES] if is_name(node)]


def _third(scene: Scene) -> list[Read]:
    """Return the reads that logs and owners of the second wave name: a dependency, the cluster's DNS, an ingress."""
    if not scene.place.namespace:
        return []
    reads = _delivery(scene)
    reads += _nodes(scene, ()) if not scene.other_namespaces and not _unready(scene) else []
    reads += [] if scene.logs else [*_own_pods(scene), *_logs(scene, scene.pods_of(scene.workload))]
    if any(_is_unnoticed(each) for each in scene.pods_of(scene.workload)):
        reads.append(listing("Pod", SYSTEM, labelSelector="component=kube-scheduler"))
    if scene.fails_lookups:
        reads.append(listing("Pod", SYSTEM, labelSelector="k8s-app=kube-dns"))
    if not scene.logs or scene.fails_lookups or any(map(_NO_ANSWER.search, scene.failures)):
        reads.append(listing("NetworkPolicy", scene.place.namespace))
    if any(_CERTIFICATE.search(line) for line in scene.failures) and not scene.was_read("Certificate"):
        reads.append(listing("Certificate", scene.place.namespace))
    if any("Multi-Attach" in objects.text(each, "message") for each in scene.of("Event")):
        reads.append(listing("VolumeAttachment"))
    for pod in scene.pods_of(scene.workload):  # of a driver that is not registered, the pod on that node
        node = objects.text(pod, "spec", "nodeName")
        said = (objects.text(each, "message") for each in scene.events_of(pod))
        if is_name(node) and any("registered CSI drivers" in each for each in said):
            reads.append(listing("Pod", fieldSelector=f"spec.nodeName={node}"))
    if scene.was_read("Ingress") or (not scene.failures and all(map(_is_ready, scene.pods_of(scene.workload)))):
        reads += [listing("Ingress", scene.place.namespace), listing("IngressClass")]
    return reads + _usage(scene) + _dependencies(scene) + ([] if scene.fails_lookups else _elsewhere(scene))


def _fourth(scene: Scene) -> list[Read]:
    """Return the reads about a dependency that the third wave found, cluster DNS and full nodes."""
    servers = [each for each in scene.of("Pod", SYSTEM) if objects.labels(each).get("k8s-app") == "kube-dns"]
    broken = [each for each in servers if not _is_ready(each)] if scene.fails_lookups else []
    asked = broken or (servers if scene.fails_lookups else [])
    full = [listing("Pod", fieldSelector=each) for each in _full(scene)]
    reads = [*_dependencies(scene), *_logs(scene, asked[:1]), *full] if scene.place.namespace else []
    if scene.fails_lookups and not servers and ("Pod", SYSTEM) in scene.reads:
        reads.append(listing("Deployment", SYSTEM))  # it may be scaled to nothing
    return reads if broken else reads + _elsewhere(scene)


def _dependencies(scene: Scene) -> list[Read]:
    """Return the reads of logs of what log lines name, if its pods are not ready or it answers with an error."""
    known = {log.pod for log in scene.logs}
    called = [scene.pods_of(each) for each in scene.called[:2]] if any(map(_FAILED.search, scene.failures)) else []
    well = [pods for pods in called if pods and all(map(_is_ready, pods)) and known.isdisjoint(map(objects.name, pods))]
    failing = [read for pods in well for read in _logs(scene, pods)[:1]]
    unknown = (pods for pods in _unready(scene) if known.isdisjoint(map(objects.name, pods)))
    reads = [*failing, *(read for pods in unknown for read in _logs(scene, pods)[:2])]
    named = (scene.find("Service", name.partition(".")[0]) for name in scene.named_in_logs)
    if not scene.was_read("StatefulSet") and any(each is not None and scene.behind(each) is None for each in named):
        reads.append(listing("StatefulSet", scene.place.namespace))
    return reads


def _unready(scene: Scene) -> list[list[Object]]:
    """Return the pods that are not ready of each of the first two dependencies that has any."""
    pods = ([pod for pod in scene.pods_of(each) if not _is_ready(pod)] for each in scene.dependencies[:2])
    return [each for each in pods if each]


def _elsewhere(scene: Scene) -> list[Read]:
    """Return the reads of another namespace that log lines name: its Services and pods, then what owns these.

    Its policies are of interest if a connection got no answer, its events and a log if a pod is not ready.
    """
    for namespace in scene.other_namespaces[:MOST_OTHER]:
        if ("Service", namespace) not in scene.reads:
            lists = [*_OTHER, *(["NetworkPolicy"] if any(map(_NO_ANSWER.search, scene.failures)) else [])]
            return [listing(kind, namespace) for kind in lists]
        pods = _behind(scene, namespace)
        kinds = {objects.controller(each)[0] for each in pods} if pods else OWNERS
        reads = [listing(kind, namespace) for owner, lists in OWNERS.items() if owner in kinds for kind in lists]
        reads = [each for each in reads if (each.kind, namespace) not in scene.reads]
        unready = [each for each in pods if not _is_ready(each)]
        if unready and ("Event", namespace) not in scene.reads:
            reads += [listing("Event", namespace), *_logs(scene, unready)[:1]]
        if not unready and ("EndpointSlice", namespace) not in scene.reads:
            reads.append(listing("EndpointSlice", namespace))
        if reads:
            return reads
    return []


def _behind(scene: Scene, namespace: str) -> list[Object]:
    """Return the pods of another namespace that the Services named by log lines select."""
    services = (each for each in scene.of("Service", namespace) if objects.name(each) in _hosts(scene, namespace))
    wanted = [labels.items() for each in services if (labels := objects.pairs(each, "spec", "selector"))]
    return [pod for pod in scene.of("Pod", namespace) if any(each <= objects.labels(pod).items() for each in wanted)]


def _hosts(scene: Scene, namespace: str) -> set[str]:
    return {name.removesuffix(f".{namespace}") for name in scene.named_in_logs if name.endswith(f".{namespace}")}


def _is_unnoticed(pod: Object) -> bool:
    """Return True if no scheduler has written a condition about a pod that has no node."""
    has_node = objects.text(pod, "spec", "nodeName") or objects.text(pod, "status", "phase") != "Pending"
    return not has_node and not objects.condition(pod, "PodScheduled")


def _is_ready(pod: Object) -> bool:
    return objects.is_true(pod, "Ready")


def _logs(scene: Scene, pods: Iterable[Object]) -> list[Read]:
    """Return the reads of logs of at most three pods: the named one, those that fail, those that restarted most."""
    named = scene.place.named.get("Pod", "")
    ranked = sorted(
        pods,
        key=lambda pod: (
            objects.name(pod) != named,
            objects.text(pod, "status", "phase") == "Succeeded",
            is_steady(scene, pod),
            -restarts(pod),
            objects.name(pod),
        ),
    )
    reads: list[Read] = []
    for pod in ranked[:MOST_LOGS]:
        for container, previous in _runs(pod, scene.now):
            names = objects.namespace(pod), objects.name(pod), container
            if all(map(is_name, names)):
                reads.append(log_of(*names, previous=previous))
    return reads[: MOST_LOGS + 1]


def _runs(pod: Object, now: datetime) -> list[tuple[str, bool]]:
    """Return containers whose log is read, and whether it is that of the run before: the failed ones first."""
    found: list[tuple[str, bool]] = []
    for found_now in containers(pod):
        each, container = found_now.status, found_now.name
        ended = objects.at(each, "state", "terminated")
        if objects.at(each, "state", "waiting") and objects.at(each, "lastState", "terminated"):
            found.append((container, True))
        elif ended and objects.at(ended, "exitCode") != 0:
            found.append((container, False))
        elif objects.at(each, "state", "running") and not objects.at(each, "ready"):
            found.append((container, False))
            if objects.at(each, "lastState", "terminated"):
                found.append((container, True))
        elif found_now.loops(now) or found_now.failed_lately(now):
            found += [(container, True), (container, False)]
    if not found and objects.text(pod, "status", "phase") == "Running":
        found = [(objects.text(each, "name"), False) for each in objects.items(pod, "status", "containerStatuses")[:1]]
    return found[:2]
