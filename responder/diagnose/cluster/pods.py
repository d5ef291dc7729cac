"""Pods in words: how many are ready, which container failed, and how. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.scene import Log, Scene

#: Restarts, and minutes since the last end, from which a container crashes in a loop even while it runs.
LOOP_RESTARTS = 3
LOOP_MINUTES = 15.0
#: Seconds of a run after which the kubelet forgets the back-off: what ends later crashes now and then, in no loop.
LONG_RUN = 600.0
#: Minutes for which a single OOM kill counts.
OOM_MINUTES = 30.0

#: Reasons of containers that wait for a volume, a network or another container.
_STARTING = frozenset({"", "ContainerCreating", "PodInitializing"})

_FULL = re.compile(r"no space left on device|ENOSPC|disk (?:is )?full|disk quota exceeded", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container of a pod: its status, its spec, and the role it has."""

    pod: Object
    status: Object
    spec: Object
    init: bool = False

    @property
    def name(self) -> str:
        """The container's name."""
        return objects.text(self.status, "name")

    @property
    def ended(self) -> Object:
        """The last end: of the present run if it ended, else of the run before; an empty map without one."""
        return (
            objects.at(self.status, "state", "terminated") or objects.at(self.status, "lastState", "terminated") or {}
        )

    @property
    def waiting(self) -> str:
        """The reason for which the container waits; empty if it does not."""
        return objects.text(self.status, "state", "waiting", "reason")

    @property
    def waits_because(self) -> str:
        """The message of the reason for which it waits."""
        return objects.text(self.status, "state", "waiting", "message")

    @property
    def restarts(self) -> int:
        """Restarts since the pod was made."""
        return objects.number(self.status, "restartCount")

    @property
    def seconds(self) -> float | None:
        """Seconds that the ended run lived; None where the times are not known."""
        started, finished = objects.when(self.ended, "startedAt"), objects.when(self.ended, "finishedAt")
        return (finished - started).total_seconds() if started and finished else None

    def loops(self, now: datetime) -> bool:
        """Return True if the container crashes in a loop, also in the moments in which it runs."""
        if self.waiting == "CrashLoopBackOff":
            return True
        finished = objects.when(self.ended, "finishedAt")
        done = self.init and objects.at(self.status, "state", "terminated", "exitCode") == 0
        if not finished or done or self.restarts < LOOP_RESTARTS or (self.seconds or 0.0) > LONG_RUN:
            return False
        return (now - finished).total_seconds() < LOOP_MINUTES * 60

    def failed_lately(self, now: datetime) -> bool:
        """Return True if the container ended with a failure in the last minutes.

        An OOM kill counts for longer, as it is rarer than a restart by a drain or a rollout.
        """
        finished = objects.when(self.ended, "finishedAt")
        if not finished or objects.at(self.ended, "exitCode") == 0:
            return False
        minutes = OOM_MINUTES if objects.text(self.ended, "reason") == "OOMKilled" else LOOP_MINUTES
        return (now - finished).total_seconds() < minutes * 60


def is_oom(container: Container) -> bool:
    """Return True if the kernel killed the last run at a memory limit, or for want of memory."""
    return objects.text(container.ended, "reason") == "OOMKilled"


def full_disk(pod: Object, reason: str) -> str:
    """Return the claims of a pod that cannot write as its disk is full, or `` on its node``; empty if it is not."""
    if not _FULL.search(reason):
        return ""
    claims = [
        objects.text(each, "persistentVolumeClaim", "claimName") for each in objects.items(pod, "spec", "volumes")
    ]
    named = ", ".join(filter(None, claims))
    return f" (disk full; it mounts claim {named})" if named else " (disk full; it mounts no claim)"


def at_limit(container: Container) -> str:
    """Return `` at its memory limit of 512Mi``."""
    limit = objects.at(container.spec, "resources", "limits", "memory")
    return f" at its memory limit of {limit}" if limit else " without a memory limit of its own"


def containers(pod: Object) -> tuple[Container, ...]:
    """Return the containers of a pod that have a status: init containers and sidecars first."""
    found: list[Container] = []
    for key, specs, init in (
        ("initContainerStatuses", "initContainers", True),
        ("containerStatuses", "containers", False),
    ):
        by_name = {objects.text(each, "name"): each for each in objects.items(pod, "spec", specs)}
        found += [
            Container(pod=pod, status=each, spec=by_name.get(objects.text(each, "name"), {}), init=init)
            for each in objects.items(pod, "status", key)
        ]
    return tuple(found)


def is_ready(pod: Object) -> bool:
    """Return True if a pod is ready, as it says itself and is not failed."""
    return objects.is_true(pod, "Ready") and objects.text(pod, "status", "phase") == "Running"


def is_steady(scene: Scene, pod: Object) -> bool:
    """Return True if a pod is ready and none of its containers failed lately: it may be between two crashes."""
    return is_ready(pod) and not any(each.loops(scene.now) or each.failed_lately(scene.now) for each in containers(pod))


def serves(scene: Scene, pod: Object) -> bool:
    """Return True if a pod is ready and its node posts status: a pod of a lost node only was ready."""
    return is_ready(pod) and objects.text(pod, "spec", "nodeName") not in scene.lost_nodes


def is_overdue(scene: Scene, pod: Object) -> bool:
    """Return True if a pod is past its grace period and does not end, though its node posts status."""
    return bool(objects.when(pod, "metadata", "deletionTimestamp")) and (
        objects.text(pod, "spec", "nodeName") not in scene.lost_nodes
    )


def ready_of(pods: Sequence[Object]) -> str:
    """Return ``2 of 3``: the ready pods of all."""
    return f"{sum(map(is_ready, pods))} of {len(pods)}"


def wanted(workload: Object) -> int:
    """Return the replicas that a workload is to have; one where it does not say, as the API defaults."""
    found = objects.at(workload, "spec", "replicas")
    if isinstance(found, int):
        return found
    kind, status = objects.kind(workload), objects.at(workload, "status")
    if kind == "Job":
        return objects.number(workload, "spec", "parallelism") or 1
    if kind == "DaemonSet" and objects.at(status, "desiredNumberScheduled") is not None:
        return objects.number(status, "desiredNumberScheduled")
    return 1


def architecture(scene: Scene, pod: Object) -> str:
    """Return the architecture of a pod's node as ``node a-1 is arm64``; empty where the node was not read."""
    name = objects.text(pod, "spec", "nodeName")
    node = scene.find("Node", name) or {}
    kind = objects.text(node, "status", "nodeInfo", "architecture") or objects.labels(node).get("kubernetes.io/arch")
    return f"node {name} is {kind}" if kind else ""


def many(count: int, total: int) -> str:
    """Return ``all 3 pods``, ``2 of 3 pods`` or ``the only pod``."""
    if total == 1:
        return "the only pod"
    return f"all {total} pods" if count == total else f"{count} of {total} pods"


def some_of(workload: Object | None, some: Sequence[Object], total: int) -> str:
    """Return ``2 of 3 pods of plato``; a single pod of a StatefulSet is named, of a DaemonSet its node."""
    count = many(len(some), total)
    if workload is None:
        return count
    count = f"{count} of {objects.name(workload)}"
    if len(some) > 1 or total == 1:
        return count
    if objects.kind(workload) == "StatefulSet":
        return f"{count} ({objects.name(some[0])})"
    node = objects.text(some[0], "spec", "nodeName") if objects.kind(workload) == "DaemonSet" else ""
    return f"{count} (on {node})" if node else count


def logs_of(scene: Scene, pods: Iterable[Object]) -> tuple[Log, ...]:
    """Return the logs that were read of these pods: those of earlier runs first."""
    names = {objects.name(each) for each in pods}
    return tuple(sorted((log for log in scene.logs if log.pod in names), key=lambda log: not log.previous))


def restarts(pod: Object) -> int:
    """Return the restarts of a pod's containers together."""
    return sum(objects.number(each, "restartCount") for each in statuses(pod))


def statuses(pod: Object) -> tuple[Object, ...]:
    """Return the statuses of init containers (sidecars are among them), then of containers."""
    return (*objects.items(pod, "status", "initContainerStatuses"), *objects.items(pod, "status", "containerStatuses"))


def is_down(pod: Object) -> bool:
    """Return True for a pod with a container that does not start or has failed."""
    states = [objects.at(each, "state") for each in statuses(pod)]
    waits = {objects.text(each, "waiting", "reason") for each in states} - _STARTING
    return bool(waits) or any(objects.number(each, "terminated", "exitCode") for each in states)
