"""Containers that cannot be made: a Secret, ConfigMap, key, command or mount that is missing."""

import re
from collections import defaultdict
from datetime import timedelta

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.pods import Container, containers, is_ready, some_of
from responder.diagnose.cluster.scene import Scene, last_seen
from responder.model.clue import Clue, Role

_WAITING = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_RUNTIME = frozenset({"CreateContainerError", "RunContainerError"})
_STARTING = frozenset({"ContainerCreating", "PodInitializing"})
_EVENTS = frozenset({"FailedMount", "FailedCreatePodSandBox", "FailedMapVolume"})
#: The kubelet tries again at most every two minutes, so what it no longer says is over.
_REPEATED = timedelta(minutes=6)
_KEY = re.compile(
    r"couldn't find key (?P<key>\S+) in (?P<kind>Secret|ConfigMap) (?:[^/\s]+/)?(?P<name>[^\s,]+)", re.IGNORECASE
)
_OBJECT = re.compile(r"(?P<kind>secrets?|configmaps?) \"?(?P<name>[-a-z0-9.]+)\"? not found", re.IGNORECASE)
_REFERENCE = re.compile(r"references non-existent (?P<kind>secret|config) key: (?P<key>\S+)", re.IGNORECASE)
#: A network plug-in that gives a pod no network (containerd, CRI-O), and the end of its message.
_NETWORK = re.compile(r'plugin type="([^"]+)".*?failed \(add\): (.+)', re.DOTALL)
_DRIVER = re.compile(r"driver name (\S+) not found in the list of registered CSI drivers")
_USER = re.compile(r"(?:container(?:'s)? (?:has )?)?(?:runAsNonRoot and|runAsUser breaks).+?(?= \(pod:|$)")
#: Codes of reasons that may be those of a node.
_OF_NODE = frozenset({"pods-network", "volume-driver"})
_KINDS = {
    "secret": "Secret",
    "secrets": "Secret",
    "configmap": "ConfigMap",
    "configmaps": "ConfigMap",
    "config": "ConfigMap",
}


def look(scene: Scene) -> tuple[Clue, ...]:
    """Return a clue for each reason for which containers of the subject are not made."""
    pods = scene.pods_of(scene.workload)
    found: dict[tuple[str, str], list[Object]] = defaultdict(list)
    for pod in pods:
        if reason := _reason(scene, pod):
            found[reason].append(pod)
    workload = scene.workload
    return tuple(
        Clue(
            code=code,
            role=Role.CAUSE,
            entity=objects.reference(workload if workload is not None else stopped[0]),
            says=f"{some_of(workload, stopped, len(pods))} cannot start{_place(code, stopped)}: {why}"
            f"{_driver(scene, stopped[0]) if code == 'volume-driver' else ''}",
            reason=why,
            log=f"pod/{objects.name(stopped[0])}",
        )
        for (code, why), stopped in found.items()
    )


def _place(code: str, stopped: list[Object]) -> str:
    """Return the node, if the reason may be the node's own: no object is missing, and all of the pods are on it."""
    nodes = {objects.text(each, "spec", "nodeName") for each in stopped}
    made = any(each.waiting in _RUNTIME for pod in stopped for each in containers(pod))
    own = code in _OF_NODE or (code == "config" and made)
    return f" on node {nodes.pop()}" if own and len(nodes) == 1 and "" not in nodes else ""


def _driver(scene: Scene, pod: Object) -> str:
    """Return the pod of a CSI driver on the node of a pod, if it is not ready; drivers are found by their name."""
    node = objects.text(pod, "spec", "nodeName")
    for each in scene.of("Pod", ""):
        if objects.text(each, "spec", "nodeName") == node and "csi" in objects.name(each) and not is_ready(each):
            why = next((f" ({found.waiting})" for found in containers(each) if found.waiting), "")
            space = objects.namespace(each)
            return f": pod {objects.name(each)} in {space}, which runs it there, is not ready{why}"
    return ""


def _reason(scene: Scene, pod: Object) -> tuple[str, str] | None:
    for each in containers(pod):
        if each.waiting in _WAITING:
            return _named(each, each.waits_because or each.waiting)
    if not any(each.waiting in _STARTING for each in containers(pod)) and containers(pod):
        return None
    said = [
        _named(None, objects.text(event, "message"))
        for event in scene.events_of(pod)
        if objects.text(event, "reason") in _EVENTS and (seen := last_seen(event)) and scene.now - seen < _REPEATED
    ]
    # The newest may only say that the kubelet waited; another one names the object.
    return next((each for each in said if each[0] != "config"), said[0] if said else None)


def _named(container: Container | None, message: str) -> tuple[str, str]:
    if match := _KEY.search(message):
        kind = _KINDS[match["kind"].lower()]
        return (
            "config-key",
            f"key {match['key']} does not exist in {kind} {match['name'].rpartition('/')[2]} (not found)",
        )
    if match := _OBJECT.search(message):
        return "config-missing", f"{_KINDS[match['kind'].lower()]} {match['name']} does not exist (not found)"
    if match := _REFERENCE.search(message):
        return "config-key", f"a volume names key {match['key']}, which does not exist"
    if match := _NETWORK.search(message):
        return "pods-network", f"network plug-in {match[1]} gives no network: {match[2].removeprefix('add cmd: ')}"
    if match := _DRIVER.search(message):
        return "volume-driver", f"a volume needs CSI driver {match[1]}, which is not registered with the kubelet"
    if match := _USER.search(message):
        return "config-user", match[0]
    if "Multi-Attach" in message:
        return "volume-attached", f"its volume is attached to another node: {message}"
    if "not found in $PATH" in message or "no such file or directory" in message or "StartError" in message:
        name = f"container {container.name}: " if container else ""
        return "config-command", f"{name}its command does not exist: {message}"
    return "config", message
