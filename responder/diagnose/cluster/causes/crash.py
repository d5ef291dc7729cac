"""Containers that end again and again: exit code, seconds alive, what killed them, and the reason in the log."""

import re
from collections import defaultdict

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.pods import Container, containers, logs_of, many
from responder.diagnose.cluster.scene import Scene, times
from responder.diagnose.cluster.signature import signature
from responder.model.clue import Certainty, Clue, Role

#: Exit codes that say more than the number (Kubernetes and shell conventions; JVM ExitOnOutOfMemoryError is 3).
_CODES = {
    3: "the JVM ran out of memory",
    126: "its command cannot be run",
    127: "its command does not exist",
    137: "killed",
    139: "segmentation fault",
    143: "asked to stop",
}

#: The kubelet's message of a Killing event, before and since Kubernetes 1.20.
_KILLED = re.compile(r"(?:failed )?(liveness|startup) probe", re.IGNORECASE)


def look(scene: Scene) -> tuple[Clue, ...]:
    """Return a clue for each way in which containers of the subject crash."""
    workload = scene.workload
    if workload is not None and objects.kind(workload) in {"Job", "CronJob"}:
        return ()
    pods = scene.pods_of(workload)
    alike: dict[tuple[str, int | None, bool], list[Container]] = defaultdict(list)
    for pod in pods:
        for container in containers(pod):
            loops = container.loops(scene.now)
            if loops or container.failed_lately(scene.now):
                alike[container.name, objects.at(container.ended, "exitCode"), loops].append(container)
    return tuple(_clue(scene, pods, found, loops=loops) for (_, _, loops), found in alike.items())


def _clue(scene: Scene, pods: tuple[Object, ...], crashing: list[Container], *, loops: bool) -> Clue:
    first = crashing[0]
    workload = scene.workload
    entity = objects.reference(workload) if workload is not None else objects.reference(first.pod)
    failed = tuple(each.pod for each in crashing)
    code, how = _end(scene, first)
    reason = next((found for log in logs_of(scene, failed) if (found := signature(log.lines))), "")
    reason = reason or signature(objects.text(first.ended, "message").splitlines())
    name, init = (
        objects.name(workload if workload is not None else first.pod),
        "init container" if first.init else "container",
    )
    verb = "crash-loop" if len(crashing) > 1 else "crash-loops"
    if not loops:
        verb = f"restarted, the last time {scene.minutes(objects.when(first.ended, 'finishedAt'))}"
    restarts = max(each.restarts for each in crashing)
    says = (
        f"{many(len(crashing), len(pods))} of {name} {verb}: {init} {first.name} {how}{_lived(first)}, "
        f"{restarts} restart{'' if restarts == 1 else 's'}"
    )
    return Clue(
        code=code,
        role=Role.CAUSE if reason or code != "crash" else Role.SYMPTOM,
        entity=entity,
        says=f"{says}: {reason}" if reason else says,
        certainty=Certainty.SHOWN,
        leads_to=tuple(objects.reference(each) for each in scene.dependencies),
    )


def _end(scene: Scene, container: Container) -> tuple[str, str]:
    """Return the code of the clue, and how the container ended."""
    reason, number = objects.text(container.ended, "reason"), objects.at(container.ended, "exitCode")
    if reason == "OOMKilled":
        limit = objects.at(container.spec, "resources", "limits", "memory")
        return "crash-memory", f"is OOM-killed at its memory limit{f' of {limit}' if limit else ''}"
    if reason in {"StartError", "ContainerCannotRun"}:
        return "crash-command", f"cannot start ({reason}): {objects.text(container.ended, 'message')[-120:]}"
    if killing := _killing(scene, container):
        probe, count = killing
        return "crash-probe", f"is killed by its {probe} probe ({count} times), exit code {number},"
    if number == 0:
        return "crash-done", "ends by itself with exit code 0 (Completed), and is started again"
    words = _CODES.get(number or 0)
    return "crash", f"ends with exit code {number}" + (f" ({words})" if words else "")


def _killing(scene: Scene, container: Container) -> tuple[str, int] | None:
    """Return the probe that had the container killed, and how often it failed; None if none did."""
    events = scene.events_of(container.pod)
    for event in events:
        match = _KILLED.search(objects.text(event, "message"))
        if match and objects.text(event, "reason") == "Killing":
            probe = match[1].lower()
            failed = [
                each for each in events if objects.text(each, "message").lower().startswith(f"{probe} probe failed")
            ]
            return probe, max(map(times, failed or [event]))
    return None


def _lived(container: Container) -> str:
    seconds = container.seconds
    if seconds is None:
        return ""
    return f" {seconds:.0f} s after its start" if seconds < 120 else f" {seconds / 60:.0f} min after its start"
