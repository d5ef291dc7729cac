"""Errors that the log of a running subject shows about others: lookups that fail, and Services that do not answer."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.causes.changes import is_recent, last_edit, rolled_out_at
from responder.diagnose.cluster.causes.rollout import scaled_to_nothing
from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.pods import containers, full_disk, is_ready, logs_of, ready_of, wanted
from responder.diagnose.cluster.scene import Scene
from responder.diagnose.cluster.signature import recent, signature, without_time
from responder.model.clock import ago
from responder.model.clue import Certainty, Clue, Role

_LOOKUP = re.compile(
    r"(?:lookup |UnknownHost(?:Exception)?:? |getaddrinfo \w+ |resolve (?:host:? ?)?(?:address )?[\"']?|"
    r"bad address [\"']?|can't find |(?:host name|server host) [\"'])([a-z0-9][-a-z0-9.]*)",
    re.IGNORECASE,
)

#: A host with a domain of its own, in an address or before a port; a source file before a line's number is none.
_HOST = re.compile(
    r"(?:https?://|[\s\"'(@])((?:[a-z0-9][-a-z0-9]*\.)+(?!svc\b|local\b|cluster\b|(?:go|py|rs|cc|kt|java|[cjt]s):\d)[a-z]{2,})(?=[:/\s\"')])"
)
_UNREACHED = re.compile(
    r"refused|time[sd]? ?-?out|unreachable|reset by peer|deadline exceeded|no route to host|certificate", re.IGNORECASE
)
#: What a host answers that does no work for the caller; the number of a line in a source file is no answer.
_ANSWERED = re.compile(r"(?<!\.[a-z]{2}:)(?<!\.java:)\b(429|50[234])\b(?! ?m?s\b)|too many requests", re.IGNORECASE)

#: Errors on a port that a Service does not have: kube-proxy refuses such packets, or drops them.
_NO_ANSWER = re.compile(r"refused|time[sd]? ?-?out|deadline exceeded|ETIMEDOUT", re.IGNORECASE)
#: A host and a port, in an address or alone.
_PORT = re.compile(r"(?<![\w.-])([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)((?:\.[a-z0-9-]+)*):(\d{2,5})(?!\d)")

_THROTTLED = "Send that host fewer requests, or ask its owner for a higher limit."
#: Links to documentation in error messages: nothing is called there.
_DOCUMENTATION = re.compile(
    r"\((?:background|see|for more|more)\b[^)]*\)|\b(?:see|visit|read|documentation|details)\b:? +(?:at )?https?://\S+",
    re.IGNORECASE,
)

#: What CoreDNS logs where the server that it forwards to does not answer.
_FORWARDED = re.compile(
    r"plugin/errors: \d+ (?P<name>\S+?)\.? [A-Z]+: .*?->(?P<server>\S+:\d+): "
    r"(?P<why>i/o timeout|.*refused|.*unreachable)"
)

#: An error in the log of a ready pod counts if it is at most so much older than the alert.
_BEFORE = timedelta(minutes=30)


def look(scene: Scene) -> tuple[Clue, ...]:
    """Return the error in the log of pods that run, and why lookups fail."""
    workload = scene.workload
    if workload is None or objects.kind(workload) in {"Job", "CronJob"}:
        return _lookups(scene)
    running = [pod for pod in scene.pods_of(workload) if is_ready(pod) and not _looping(scene, pod)]
    logs = logs_of(scene, running)
    since = scene.began - _BEFORE
    signatures = [(log, line) for log in logs if (line := signature(recent(log.lines, since)))]
    found: list[Clue] = []
    if signatures:
        first, line = signatures[0]
        pod = next(each for each in running if objects.name(each) == first.pod)
        full = "" if scene.called else full_disk(pod, line)  # else it may be the disk of what it calls
        pods = len({log.pod for log, _ in signatures})
        count = f"{pods} of {len({log.pod for log in logs})} logs read"
        if pods == 1 and len(running) > 1:
            count += f": pod {first.pod} on node {objects.text(pod, 'spec', 'nodeName')}"
        found.append(
            Clue(
                code="volume-full" if full else "log-error",
                role=Role.CAUSE if full else Role.SYMPTOM,
                entity=objects.reference(workload),
                says=f"log of {objects.name(workload)} ({count}): {line}{full}{_of_call(scene, line)}",
                certainty=Certainty.SHOWN,
                leads_to=scene.explaining(line),
                reason=line,
            )
        )
    return (*found, *_wrong_port(scene, workload), *_lookups(scene), *_outside(scene, workload))


def _of_call(scene: Scene, line: str) -> str:
    """Return what the subject calls, where only the lines around an error say it: `` (calls fraud)``."""
    called = [objects.name(each) for each in scene.called]
    return f" (calls {called[0]})" if len(called) == 1 and called[0] not in line else ""


def _wrong_port(scene: Scene, workload: Object) -> tuple[Clue, ...]:
    """Return the port that the subject gets no answer on, if the Service that it calls does not have that port.

    Only after a rollout of the subject or an edit of the Service: what did not change has worked before. Only if the
    pods behind it are ready: otherwise these are why.
    """
    rolled = is_recent(scene, rolled_out_at(scene, workload))
    for line in scene.failures:
        for host, rest, port in _PORT.findall(line) if _NO_ANSWER.search(line) else ():
            service = scene.find("Service", host)
            inside = not rest or rest.startswith((f".{scene.place.namespace}", ".svc"))
            if service is None or not inside or objects.text(service, "spec", "clusterIP") in {"", "None"}:
                continue
            there = [str(objects.at(each, "port")) for each in objects.items(service, "spec", "ports")]
            callee = scene.behind(service)
            well = callee is not None and all(map(is_ready, scene.pods_of(callee)))
            moment, manager = last_edit(service)[:2]
            edited = is_recent(scene, moment)
            if port in there or not well or not (rolled or edited):
                continue
            name = objects.name(workload)
            says = f"{name} calls {host} on port {port}, which Service {host} does not have ({', '.join(there)})"
            if not edited or moment is None:
                return (Clue(code="call-port", role=Role.CAUSE, entity=objects.reference(workload), says=says),)
            says += f": it was edited {ago(scene.now, moment)} ago{f' by {manager}' if manager else ''}"
            step = f"Give Service {host} port {port} back, or change the port that {name} calls."
            entity = objects.reference(service)
            code = "call-port-edited"
            return (Clue(code=code, role=Role.CAUSE, entity=entity, says=says, since=moment, first_step=step),)
    return ()


def _outside(scene: Scene, workload: Object) -> tuple[Clue, ...]:
    """Return the host on the internet that refuses or does not answer, if no workload of the cluster is named too."""
    if scene.dependencies or scene.fails_lookups:
        return ()
    entity, name = objects.reference(workload), objects.name(workload)
    for service in scene.of("Service"):
        host = objects.text(service, "spec", "externalName")
        if host and objects.name(service) in scene.named_in_logs:
            says = f"{name} uses Service {objects.name(service)}, which is outside the cluster (ExternalName {host})"
            return (Clue(code="external", role=Role.CAUSE, entity=entity, says=says, certainty=Certainty.LIKELY),)
    for line in scene.failures:
        match = _HOST.search(_DOCUMENTATION.sub("", line))
        answered = _ANSWERED.search(line)
        if match is None or not (answered or _UNREACHED.search(line)):
            continue
        status = answered[1] or "429" if answered else ""
        does = f"gets {status} from" if status else "cannot reach"
        why = ": too many requests" if status == "429" else ""
        if not status and "certificate" in line.lower():
            does, why = "refuses the certificate of", f": {signature([line])}"
        says = f"{name} {does} {match[1]}, which is outside the cluster{why}"
        step = _THROTTLED if status == "429" else ""
        likely = Certainty.LIKELY
        return (Clue(code="external", role=Role.CAUSE, entity=entity, says=says, certainty=likely, first_step=step),)
    return ()


def _looping(scene: Scene, pod: objects.Object) -> bool:
    return any(each.loops(scene.now) for each in containers(pod))


def _lookups(scene: Scene) -> tuple[Clue, ...]:
    """Return why names do not resolve: the cluster's DNS is down, or there is no such Service."""
    if not scene.fails_lookups:
        return ()
    servers = [each for each in scene.of("Pod", "kube-system") if objects.labels(each).get("k8s-app") == "kube-dns"]
    if servers and not all(map(is_ready, servers)):
        reasons = {each.waiting for pod in servers for each in containers(pod) if each.waiting}
        why = f" ({', '.join(sorted(reasons))})" if reasons else ""
        said = [line for log in logs_of(scene, servers) for line in log.lines]
        line = signature(said) or (without_time(said[-1]) if said else "")
        says = f"cluster DNS: {ready_of(servers)} CoreDNS pods in kube-system ready{why}, names do not resolve"
        says += f"; its log: {line}" if line else ""
        return (Clue(code="dns-down", role=Role.CAUSE, entity="Deployment/coredns", says=says),)
    for each in scene.of("Deployment", "kube-system") if not servers else ():
        if objects.labels(each).get("k8s-app") == "kube-dns" and wanted(each) == 0:
            clue, name = scaled_to_nothing(scene, each), objects.name(each)
            step = f"Scale it up again: `kubectl scale deployment/{name} -n kube-system --replicas=2`."
            says = f"cluster DNS: {clue.says}, names do not resolve"
            return (replace(clue, code="dns-down", says=says, first_step=step),)
    lines = [line for log in scene.logs for line in reversed(log.lines)]
    for line in lines:
        match = _LOOKUP.search(line)
        pod, name = _named(scene, match[1]) if match else ("", "")
        service = scene.find("Service", name) if name else None
        if not name or not scene.was_read("Service"):
            continue
        if service is None:
            where = f" in namespace {scene.place.namespace}"
            says = f"host {pod or name} does not resolve: there is no Service {name}{where}"
            clue = Clue(code="dns-name", role=Role.CAUSE, entity=f"Service/{name}", says=says)
            return (_without_service(scene, clue, name),)
        if pod and objects.text(service, "spec", "clusterIP") not in {"", "None"}:
            says = f"host {pod}.{name} does not resolve: Service {name} is not headless, so its pods have no names"
            step = f"Make a headless Service (clusterIP: None) {name}, or name another one as serviceName."
            return (Clue(code="dns-name", role=Role.CAUSE, entity=f"Service/{name}", says=says, first_step=step),)
    return _forwarded(scene, servers)


def _forwarded(scene: Scene, servers: Sequence[Object]) -> tuple[Clue, ...]:
    """Return the name server that the cluster's DNS forwards to and gets no answer from, by the log of CoreDNS."""
    lines = [line for log in logs_of(scene, servers) for line in recent(log.lines, scene.began - _BEFORE)]
    found = [match for line in lines if (match := _FORWARDED.search(line))]
    if not found:
        return ()
    upstream = found[-1]["server"]
    says = (
        f"cluster DNS gets no answer from {upstream}, which it forwards other names to: {found[-1]['name']} does not "
    )
    says += f"resolve ({found[-1]['why']}, {len(found)} lines in the log of CoreDNS)"
    return (
        Clue(code="dns-upstream", role=Role.CAUSE, entity="Deployment/coredns", says=says, namespace="kube-system"),
    )


def _named(scene: Scene, host: str) -> tuple[str, str]:
    """Return the pod of a StatefulSet and the Service of a host of the subject's namespace; empty for other hosts."""
    rest = host.rstrip(".").removesuffix(".cluster.local")
    labels = rest.removesuffix(".svc").split(".")
    if len(labels) > 1 and labels[-1] == scene.place.namespace:
        labels.pop()
    elif rest.endswith(".svc") or len(labels) > 2:
        return "", ""
    if (
        len(labels) == 2
        and scene.find("Pod", labels[0]) is None
        and scene.find("StatefulSet", labels[0].rpartition("-")[0]) is None
    ):
        return "", ""
    return (labels[0], labels[1]) if len(labels) == 2 else ("", labels[0] if len(labels) == 1 else "")


def _without_service(scene: Scene, clue: Clue, name: str) -> Clue:
    """Return the clue with the workload of that name, if it runs: then it is the Service that is gone."""
    for each in scene.of("StatefulSet"):
        if objects.text(each, "spec", "serviceName") == name:
            says = f"{clue.says}, which StatefulSet {objects.name(each)} names as its serviceName"
            step = f"Create Service {name} (headless, clusterIP: None): by it the pods find each other."
            return replace(clue, says=says, first_step=step)
    for kind in ("Deployment", "StatefulSet"):
        if (workload := scene.find(kind, name)) is not None and (pods := scene.pods_of(workload)):
            says = f"{clue.says}, but {kind} {name} with {ready_of(pods)} pods ready"
            step = f"Create Service {name} again; Git or the chart has it. Or correct the host in the configuration."
            return replace(clue, says=says, first_step=step)
    return clue
