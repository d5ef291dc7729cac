"""Containers that end again and again: exit code, seconds alive, what killed them, and the reason in the log."""

import re
from collections import defaultdict
from datetime import timedelta

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.causes.readiness import asks_own_port, on_port, probe_answer, probe_target
from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.pods import (
    Container,
    architecture,
    at_limit,
    containers,
    full_disk,
    is_oom,
    logs_of,
    some_of,
)
from responder.diagnose.cluster.scene import Scene, times
from responder.diagnose.cluster.signature import signature, without_time
from responder.diagnose.cluster.template import tag
from responder.model.clock import ago
from responder.model.clue import Certainty, Clue, Role
from responder.model.text import cut

#: Exit codes that say more than the number (Kubernetes and shell conventions; JVM ExitOnOutOfMemoryError is 3).
_CODES = {
    3: "a JVM ends so when its heap is full",
    126: "its command cannot be run",
    127: "its command does not exist",
    134: "aborted, SIGABRT",
    137: "killed by SIGKILL, not at its memory limit",
    139: "segmentation fault, SIGSEGV",
    143: "stopped by SIGTERM",
}

_SIGNALS = frozenset({137, 143})
#: Seconds of a run in which a program that does not listen may still be starting.
_STARTS = 600.0
#: The kubelet's message of a Killing event, before and since Kubernetes 1.20.
_KILLED = re.compile(r"(?:failed )?(liveness|startup) probe", re.IGNORECASE)
_HEAP = re.compile(r"OutOfMemoryError|heap", re.IGNORECASE)
#: Characters of a last line that is printed where no line says why.
_LAST = 120
#: Time for which a container that crashes again and again runs, from which the last end is worth a word.
_RUNS = timedelta(minutes=2)


def look(scene: Scene) -> tuple[Clue, ...]:
    """Return a clue for each way in which containers of the subject crash."""
    workload = scene.workload
    if workload is not None and objects.kind(workload) in {"Job", "CronJob"}:
        return ()
    pods = scene.pods_of(workload)
    alike: dict[tuple[str, str, bool], list[Container]] = defaultdict(list)
    for pod in pods:
        for container in containers(pod):
            loops = container.loops(scene.now)
            if loops or container.failed_lately(scene.now):
                # What a probe kills ends by SIGTERM or, if it takes too long, by SIGKILL.
                killing = _killing(scene, container) if _number(container) in _SIGNALS else None
                alike[container.name, killing[0] if killing else str(_number(container)), loops].append(container)
    return tuple(_clue(scene, pods, found, loops=loops) for (_, _, loops), found in alike.items())


def _clue(scene: Scene, pods: tuple[Object, ...], crashing: list[Container], *, loops: bool) -> Clue:
    first, workload = crashing[0], scene.workload
    entity = objects.reference(workload) if workload is not None else objects.reference(first.pod)
    code, how = _end(scene, crashing, loops=loops)
    reason = _reason(scene, crashing) if code != "crash-command" else ""
    if code == "crash-memory" and not _HEAP.search(reason):
        reason = ""  # the kernel kills without a word, so the log says nothing about it
    full = full_disk(first.pod, reason) if code == "crash" else ""
    code = "volume-full" if full else "crash-platform" if "exec format error" in reason else code
    verb = "crash-loop" if len(crashing) > 1 else "crash-loops"
    if not loops:
        verb = f"restarted, the last time {scene.minutes(objects.when(first.ended, 'finishedAt'))}"
    of = some_of(workload or first.pod, [each.pod for each in crashing], len(pods))
    restarts = max(each.restarts for each in crashing)
    says = (
        f"{of} {verb}: {_noun(first)} {first.name}{_among(pods)} {how}, "
        f"{restarts} restart{'' if restarts == 1 else 's'}"
    )
    since = objects.when(first.ended, "finishedAt") if loops and objects.at(first.status, "state", "running") else None
    if since is not None and scene.now - since > _RUNS:
        says += f", the last {scene.minutes(since)}"
    because = f": {reason}{full}" if reason else _last_line(scene, crashing) if code == "crash" else ""
    return Clue(
        code=code,
        role=Role.CAUSE if reason or code != "crash" else Role.SYMPTOM,
        entity=entity,
        says=says + because + (_architecture(scene, first) if "exec format error" in reason else ""),
        certainty=Certainty.SHOWN,
        since=since,
        leads_to=scene.explaining(reason) if reason else (),
        reason=reason,
        log=f"{objects.name(first.pod)} -c {first.name}",
    )


def _noun(container: Container) -> str:
    if objects.text(container.spec, "restartPolicy") == "Always":
        return "sidecar"
    return "init container" if container.init else "container"


def _among(pods: tuple[Object, ...]) -> str:
    count = max((len(objects.items(pod, "spec", "containers")) for pod in pods), default=1)
    return f" (one of {count} containers)" if count > 1 else ""


def _reason(scene: Scene, crashing: list[Container]) -> str:
    """Return the line that says why, of the log of these containers, else of their termination message."""
    for log in logs_of(scene, [each.pod for each in crashing]):
        if log.container == crashing[0].name and (found := signature(log.lines)):
            return found
    said = [line for line in objects.text(crashing[0].ended, "message").splitlines() if line.strip()]
    return signature(said) or (cut(without_time(said[-1]), _LAST) if said else "")


def _last_line(scene: Scene, crashing: list[Container]) -> str:
    """Return the last line that the ended run wrote, where none says why."""
    for log in logs_of(scene, [each.pod for each in crashing]):
        if log.container == crashing[0].name and log.previous and log.lines:
            return f'; its log says no reason, its last line is "{cut(without_time(log.lines[-1]), _LAST)}"'
    return ""


def _architecture(scene: Scene, container: Container) -> str:
    """Return the architecture of the node, for which the image has no build."""
    kind, image = architecture(scene, container.pod), objects.text(container.spec, "image")
    return f" ({kind}, image {tag(image)} is built for another architecture)" if kind else ""


def _number(container: Container) -> int:
    return objects.number(container.ended, "exitCode")


def _end(scene: Scene, crashing: list[Container], *, loops: bool) -> tuple[str, str]:
    """Return the code of the clue, and how the containers, which are alike, ended."""
    container = crashing[0]
    reason, number = objects.text(container.ended, "reason"), objects.at(container.ended, "exitCode")
    ends = "is" if loops else "was"
    if is_oom(container):
        return "crash-memory", f"{ends} OOM-killed{at_limit(container)}{_lived(container)}"
    if reason in {"StartError", "ContainerCannotRun"}:
        said = objects.text(container.ended, "message")
        why = said[found:] if (found := said.rfind("exec: ")) >= 0 else said[-150:]
        return "crash-command", f"cannot start ({reason}): {why.strip()}"
    if killing := _killing(scene, container):
        probe, count, answer = killing
        late = "is refused" in answer and asks_own_port(container.spec, probe)
        wrong = "answers 404" in answer or ("is refused" in answer and not late)
        if late and (container.seconds or _STARTS) < _STARTS:
            answer = answer.replace("; ", " yet; ")
        numbers = " or ".join(sorted({str(_number(each)) for each in crashing}))
        return "crash-probe-path" if wrong else "crash-probe", (
            f"{ends} killed by its {probe} probe ({answer}{count} failed checks), "
            f"exit code {numbers}{_lived(container)}"
        )
    if (hook := _hook(scene, container)) is not None:
        return (
            "crash-hook",
            f"{ends} killed because its postStart hook fails{hook}, exit code {number}{_lived(container)}",
        )
    if number == 0:
        return "crash-done", f"ends by itself with exit code 0 (Completed){_lived(container)}, and is started again"
    words = _CODES.get(number or 0, "")
    if number == 3 and any(_HEAP.search(line) for log in logs_of(scene, [container.pod]) for line in log.lines):
        return "crash-heap", f"ends with exit code 3 (its JVM ends itself: the heap is full){_lived(container)}"
    return "crash", f"{'ends' if loops else 'ended'} with exit code {number}{f' ({words})' if words else ''}" + _lived(
        container
    )


def _killing(scene: Scene, container: Container) -> tuple[str, int, str] | None:
    """Return the probe that had the container killed, how often it failed, and its answer; None if none did."""
    events = scene.events_of(container.pod)
    for event in events:
        said = objects.text(event, "message")
        match = _KILLED.search(said)
        if match and objects.text(event, "reason") == "Killing" and names_container(said, container):
            probe = match[1].lower()
            failed = [
                each for each in events if objects.text(each, "message").lower().startswith(f"{probe} probe failed")
            ]
            answer = probe_answer(objects.text(failed[0], "message").partition(":")[2])[1] if failed else ""
            asked = probe_target(container.spec, probe)
            answer = on_port(f"{asked} {answer}".strip(), container.spec, probe) if answer else ""
            return probe, max(map(times, failed or [event])), f"{answer}; " if answer else ""
    return None


def _hook(scene: Scene, container: Container) -> str | None:
    """Return the error of the postStart hook that had the container killed, where the kubelet says one; None without.

    Kubernetes 1.25 and later say only that it failed.
    """
    if not objects.at(container.spec, "lifecycle", "postStart"):
        return None
    for event in scene.events_of(container.pod):
        if objects.text(event, "reason") == "FailedPostStartHook":
            said = objects.text(event, "message").partition(" exited with ")[2]
            return f" (exited with {cut(said, 120)})" if said else ""
    return None


def names_container(said: str, container: Container) -> bool:
    """Return True if an event's message is about this container: ``Container x failed liveness probe``."""
    return re.search(rf"(?<![-\w]){re.escape(container.name)}(?![-\w])", said) is not None


def _lived(container: Container) -> str:
    started, finished = (objects.when(container.ended, key) for key in ("startedAt", "finishedAt"))
    return f", {ago(finished, started)} after its start" if started and finished else ""
