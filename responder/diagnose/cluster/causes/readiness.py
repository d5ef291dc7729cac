"""Pods that run and are not ready: which probe fails, what it is answered, and the line of the log that says why."""

import re
from collections import defaultdict
from datetime import datetime

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.causes.rollout import is_under_way
from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.pods import (
    Container,
    containers,
    full_disk,
    is_overdue,
    is_ready,
    logs_of,
    ready_of,
    some_of,
)
from responder.diagnose.cluster.scene import Scene, times
from responder.diagnose.cluster.signature import signature, without_time
from responder.model.clock import ago
from responder.model.clue import Certainty, Clue, Role
from responder.model.text import cut

_FAILED = re.compile(r"(Readiness|Startup|Liveness) probe failed: ?(.*)", re.DOTALL)
#: Seconds after which an init container that runs keeps its pod waiting; migrations take less.
_INIT_SECONDS = 120.0
_NOT_STOPPED = "See why the kubelet of node {node} does not stop it: its events, then its log."
#: Ways in which a probe asks a port.
_WAYS = ("httpGet", "tcpSocket", "grpc")
_STATUS = re.compile(r"statuscode: (\d+)")


def look(scene: Scene) -> tuple[Clue, ...]:
    """Return a clue for each way in which running pods of the subject are not ready."""
    pods, workload = scene.pods_of(scene.workload), scene.workload
    if workload is not None and is_under_way(scene, workload):
        return ()
    found: dict[tuple[str, str], list[Object]] = defaultdict(list)
    said: dict[tuple[str, str], str] = {}
    for pod in pods:
        if is_ready(pod) or is_overdue(scene, pod) or objects.text(pod, "status", "phase") != "Running":
            continue
        if any(each.loops(scene.now) or each.waiting for each in containers(pod)):
            continue
        probe, answer = _probe(scene, pod)
        # Answers name addresses, so pods are alike by what an answer means.
        key = probe, answer if probe == "gate" else " ".join(probe_answer(answer))
        found[key].append(pod)
        said.setdefault(key, answer)
    clues = tuple(_clue(scene, len(pods), (key[0], said[key]), unready) for key, unready in found.items())
    return (*_initializing(scene, pods), *clues, *_ending(scene, pods))


def _ending(scene: Scene, pods: tuple[Object, ...]) -> tuple[Clue, ...]:
    """Return a pod that does not end, and what holds it: a cause if it is named or its successor waits for it."""
    stuck = [each for each in pods if is_overdue(scene, each)]
    if not stuck or scene.workload is None:
        return ()
    named = scene.place.named.get("Pod", "")
    pod = next((each for each in stuck if objects.name(each) == named), stuck[0])
    held = ", ".join(map(str, objects.items(pod, "metadata", "finalizers")))
    span = ago(scene.now, objects.when(pod, "metadata", "deletionTimestamp") or scene.now)
    others = [each for each in pods if each not in stuck]
    rest = f"; {ready_of(others)} other pods of {objects.name(scene.workload)} ready" if others else ""
    recreated = objects.text(scene.workload, "spec", "strategy", "type") == "Recreate"
    blocks = objects.kind(scene.workload) == "StatefulSet" or recreated
    before = f"; {objects.name(scene.workload)} starts no new pod before that" if blocks and not others else ""
    waits = objects.name(pod) == named or blocks
    return (
        Clue(
            code="pods-ending",
            role=Role.CAUSE if waits else Role.FACT,
            entity=objects.reference(pod),
            says=f"pod {objects.name(pod)} is terminating for {span} and does not end: "
            + (f"finalizer {held} holds it" if held else "no finalizer holds it, so its node does not stop it")
            + rest
            + before,
            since=objects.when(pod, "metadata", "deletionTimestamp"),
            first_step="" if held else _NOT_STOPPED.format(node=objects.text(pod, "spec", "nodeName")),
        ),
    )


def _initializing(scene: Scene, pods: tuple[Object, ...]) -> tuple[Clue, ...]:
    """Return the init container that runs and does not end, and the last line of its log."""
    found: dict[str, list[Object]] = defaultdict(list)
    since: dict[str, datetime] = {}
    for pod in pods:
        for each in containers(pod):
            started = objects.when(each.status, "state", "running", "startedAt")
            is_sidecar = objects.text(each.spec, "restartPolicy") == "Always"
            if each.init and not is_sidecar and started and (scene.now - started).total_seconds() > _INIT_SECONDS:
                found[each.name].append(pod)
                since[each.name] = min(started, since.get(each.name, started))
    clues: list[Clue] = []
    for name, waiting in found.items():
        workload = scene.workload if scene.workload is not None else waiting[0]
        lines = next((log.lines for log in logs_of(scene, waiting) if log.container == name and log.lines), ())
        reason = signature(lines, warnings=True) or (cut(without_time(lines[-1]), 120) if lines else "")
        says = (
            f"{some_of(workload, waiting, len(pods))} not ready: init container {name} runs for "
            f"{ago(scene.now, since[name])} and does not end{f': {reason}' if reason else ''}"
        )
        clues.append(
            Clue(
                code="unready-init",
                role=Role.CAUSE,
                entity=objects.reference(workload),
                says=says,
                since=since[name],
                leads_to=scene.explaining(reason) if reason else (),
                reason=reason,
            )
        )
    return tuple(clues)


def _probe(scene: Scene, pod: Object) -> tuple[str, str]:
    """Return the probe that fails and its answer, from the newest event."""
    for event in scene.events_of(pod):
        if objects.text(event, "reason") in {"Unhealthy", "ProbeWarning"} and (
            match := _FAILED.search(objects.text(event, "message"))
        ):
            return match[1], match[2].strip()
    gates = [objects.text(each, "conditionType") for each in objects.items(pod, "spec", "readinessGates")]
    closed = [each for each in gates if not objects.is_true(pod, each)]
    return ("gate", closed[0]) if closed else ("", "")


def _clue(scene: Scene, total: int, key: tuple[str, str], unready: list[Object]) -> Clue:
    probe, said = key
    workload = scene.workload
    entity = objects.reference(workload if workload is not None else unready[0])
    count = f"{some_of(workload or unready[0], unready, total)} not ready{_which(unready[0])}"
    reason = next((line for log in logs_of(scene, unready) if (line := signature(log.lines, warnings=True))), "")
    full = full_disk(unready[0], reason)
    because = f": {reason}{full}" if reason else ""
    if probe == "gate":
        says = f"{count}: readiness gate {said} is not met; the program itself may be well"
        return Clue(code="unready-gate", role=Role.CAUSE, entity=entity, says=says)
    if not probe:
        says = f"{count}{because}"
        return Clue(
            code="volume-full" if full else "unready",
            role=Role.CAUSE if reason else Role.SYMPTOM,
            entity=entity,
            says=says,
            reason=reason,
        )
    code, answer = probe_answer(said)
    code = "volume-full" if full else code
    failing = _failing(unready[0], probe)
    asked = probe_target(failing.spec, probe) if failing else ""
    where = f" ({asked})" if asked else ""
    answer = on_port(answer, failing.spec, probe) if failing else answer
    failed = [
        event for pod in unready for event in scene.events_of(pod) if _FAILED.search(objects.text(event, "message"))
    ]
    seen = max(map(times, failed), default=1)
    says = f"{count}: the {probe.lower()} probe{where} {answer}{f', {seen} times' if seen > 1 else ''}{because}"
    return Clue(
        code=code,
        role=Role.CAUSE if code in {"probe-path", "probe-port"} or reason else Role.SYMPTOM,
        entity=entity,
        says=says,
        certainty=Certainty.SHOWN,
        leads_to=scene.explaining(reason),
        reason=reason,
    )


def _which(pod: Object) -> str:
    """Return the containers that keep a pod of several from being ready: `` (container istio-proxy)``."""
    known = [each for each in containers(pod) if not each.init or objects.text(each.spec, "restartPolicy") == "Always"]
    bad = [each.name for each in known if objects.at(each.status, "ready") is not True]
    return f" (container {', '.join(bad)})" if 0 < len(bad) < len(known) else ""


def _failing(pod: Object, probe: str) -> Container | None:
    """Return the container that has such a probe and is not ready; None where none has."""
    asked = [each for each in containers(pod) if objects.at(each.spec, f"{probe.lower()}Probe")]
    return min(asked, key=lambda each: objects.at(each.status, "ready") is True, default=None)


def probe_answer(said: str) -> tuple[str, str]:
    """Return the code and the words for what a kubelet's probe message says: 404, refused, timed out."""
    if match := _STATUS.search(said):
        return ("probe-path" if match[1] == "404" else "unready"), f"answers {match[1]}"
    if "connection refused" in said:
        return "probe-port", "is refused: nothing listens on its port"
    if "deadline exceeded" in said or "imeout" in said or said.rstrip().endswith("timed out"):
        return "probe-timeout", "times out"
    return "unready", f"fails ({cut(said.strip(), 80)})" if said.strip() else "fails"


def on_port(answer: str, container: Object, probe: str) -> str:
    """Return an answer that is about the port of a probe with its number or name."""
    given = objects.at(container, f"{probe.lower()}Probe")
    port = next((found for way in _WAYS if (found := objects.at(given, way, "port"))), "")
    return answer.replace("on its port", f"on port {port}") if port else answer


def probe_target(container: Object, probe: str) -> str:
    """Return what a probe of a container asks: ``path /ready``, else ``port 9090``; empty for a command."""
    given = objects.at(container, f"{probe.lower()}Probe")
    path = objects.text(given, "httpGet", "path")
    ports = (objects.at(given, way, "port") for way in _WAYS)
    return f"path {path}" if path else next((f"port {port}" for port in ports if port), "")


def asks_own_port(container: Object, probe: str) -> bool:
    """Return True if a probe asks a port that its container declares: one that refuses then does not listen yet."""
    given = objects.at(container, f"{probe.lower()}Probe")
    asked = {objects.at(given, way, "port") for way in _WAYS} - {None}
    ports = objects.items(container, "ports")
    declared = {objects.at(port, key) for port in ports for key in ("containerPort", "name")}
    return bool(asked & declared)
