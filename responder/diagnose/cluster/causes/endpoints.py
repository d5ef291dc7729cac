"""Services without endpoints or with the wrong port: the selector against the labels, the port against the ports."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.causes.changes import before_alert, is_recent, last_edit, template_before
from responder.diagnose.cluster.causes.policy import lost_labels
from responder.diagnose.cluster.causes.rollout import template_ports
from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.pods import is_ready, logs_of, ready_of, serves, wanted
from responder.diagnose.cluster.scene import Scene
from responder.diagnose.cluster.signature import without_time
from responder.model.clock import ago
from responder.model.clue import Certainty, Clue, Role
from responder.model.text import cut, number_of

#: What programs log when they listen on the loopback interface.
_LOOPBACK = re.compile(
    r"\b(?:listening|bound|serving|running)\b.{0,40}?(?:127\.0\.0\.1|localhost|\[::1\]):(\d{2,5})\b", re.IGNORECASE
)


def look(scene: Scene) -> tuple[Clue, ...]:
    """Return what is wrong with the Services that select, or should select, the pods of the subject."""
    found = tuple(clue for service in services_of(scene) if (clue := _clue(scene, service)) is not None)
    return (*found, *_loopback(scene), *_joined(scene))


def _joined(scene: Scene) -> tuple[Clue, ...]:
    """Return other workloads that get requests of the subject since lately: its Service selects their new pods too."""
    clues: list[Clue] = []
    workload = scene.workload
    for service in services_of(scene) if workload is not None else ():
        selector = objects.pairs(service, "spec", "selector")
        others: dict[str, list[datetime]] = defaultdict(list)
        for pod in scene.of("Pod") if selector and scene.behind(service) is workload else ():
            created, other = objects.created(pod), scene.top(pod)
            known = not objects.controller(other)[0]  # else what owns it was not read
            if known and created and is_ready(pod) and selector.items() <= objects.labels(pod).items():
                others[objects.reference(other)].append(created)
        others.pop(objects.reference(workload or {}), None)
        for entity, made in others.items():
            if is_recent(scene, since := min(made)):
                which = f"also selects {number_of(len(made), 'pod')} of {entity.partition('/')[2]}, made"
                says = f"Service {objects.name(service)} {which} {before_alert(scene, since)}"
                clues.append(Clue(code="change-endpoints", role=Role.CHANGE, entity=entity, says=says, since=since))
    return tuple(clues)


def _loopback(scene: Scene) -> tuple[Clue, ...]:
    """Return that the program of the subject listens on loopback only, on a port that a Service leads to.

    Pods that are ready by a check over the network listen on their address, too.
    """
    workload = scene.workload
    pods = scene.pods_of(workload)
    checks = [
        objects.at(each, "readinessProbe", way)
        for each in objects.items(workload, "spec", "template", "spec", "containers")
        for way in ("httpGet", "tcpSocket", "grpc")
    ]
    if workload is None or (any(checks) and any(map(is_ready, pods))):
        return ()
    targets = [
        objects.at(each, "targetPort") or objects.at(each, "port")
        for service in services_of(scene)
        for each in objects.items(service, "spec", "ports")
    ]
    declared = {port for name, port in template_ports(workload).items() if name in targets or port in targets}
    for log in logs_of(scene, pods):
        for line in log.lines:
            match = _LOOPBACK.search(line)
            if match is None or int(match[1]) not in declared:
                continue
            name = objects.name(workload)
            says = f"{name} listens on loopback only, so connections to port {match[1]} are refused: "
            says += cut(without_time(line), 120)
            before = template_before(scene, workload)
            return (
                Clue(
                    code="service-loopback",
                    role=Role.CAUSE,
                    entity=objects.reference(workload),
                    says=says,
                    certainty=Certainty.LIKELY,
                    broken_by=objects.reference(workload) if before else "",
                ),
            )
    return ()


def services_of(scene: Scene) -> list[Object]:
    """Return the Service that the alert names, and those in front of the subject."""
    named = {scene.place.named.get("Service", ""), scene.place.workload} - {""}
    ingress = scene.find("Ingress", scene.place.named.get("Ingress", ""))
    named |= {name for _, name, _ in objects.backends(ingress)} if ingress is not None else set()
    workload = scene.workload
    found = []
    for each in scene.of("Service"):
        behind = scene.behind(each) if objects.pairs(each, "spec", "selector") else None
        if objects.name(each) in named or (workload is not None and behind is workload):
            found.append(each)
    return found


def _clue(scene: Scene, service: Object) -> Clue | None:
    name, selector = objects.name(service), objects.pairs(service, "spec", "selector")
    entity = objects.reference(service)
    if objects.text(service, "spec", "type") == "ExternalName" or not selector or not scene.was_read("Pod"):
        return None
    selected = [each for each in scene.of("Pod") if objects.selects({"matchLabels": selector}, objects.labels(each))]
    workload = scene.behind(service)
    if not selected and workload is not None and wanted(workload) == 0:
        return None  # scaled to 0: that it has no endpoints follows
    if not selected:
        pods = scene.pods_of(workload)
        carried = objects.pairs(workload, "spec", "template", "metadata", "labels")
        if workload is not None and not pods and objects.selects({"matchLabels": selector}, carried):
            says = f"Service {name} has no endpoints: {objects.name(workload)} has no pods"
            return Clue(code="service-unready", role=Role.SYMPTOM, entity=entity, says=says)
        differs = _difference(selector, workload, pods)
        well = f"; {ready_of(pods)} pods are ready" if pods else ""
        says = f"Service {name} has no endpoints: its selector {differs}{well}"
        old = objects.pairs(template_before(scene, workload), "metadata", "labels")
        broken = objects.reference(workload) if workload and old and selector.items() <= old.items() else ""
        return Clue(
            code="service-selector",
            role=Role.CAUSE,
            entity=entity,
            says=says,
            first_step=lost_labels(old, carried, selector) if broken else "",
            broken_by=broken,
        )
    ready = [each for each in selected if serves(scene, each)]
    if ports := _wrong_ports(service, workload, selected):
        edited, manager = last_edit(service)
        since = f", edited by {manager} {ago(scene.now, edited)} ago" if edited and is_recent(scene, edited) else ""
        says = f"Service {name}{since}: {ports}; {ready_of(selected)} of its pods are ready"
        before = template_before(scene, workload)
        fitted = bool(before) and not _wrong_ports(service, {"spec": {"template": before}}, selected)
        broken = objects.reference(workload) if fitted and workload else ""
        return Clue(code="service-port", role=Role.CAUSE, entity=entity, says=says, since=edited, broken_by=broken)
    if not ready:
        says = f"Service {name} has no ready endpoints: none of its {len(selected)} pods is ready"
        return Clue(code="service-unready", role=Role.SYMPTOM, entity=entity, says=says)
    listed = _endpoints(scene, name)
    if scene.was_read("EndpointSlice") and listed.isdisjoint(_addresses(ready)):
        what = f"lists only addresses that no pod of it has ({', '.join(sorted(listed)[:2])})" if listed else ""
        says = f"Service {name} {what or 'has no endpoints'} although {ready_of(selected)} pods are ready"
        return Clue(code="service-endpoints", role=Role.CAUSE, entity=entity, says=says, certainty=Certainty.LIKELY)
    return Clue(
        code="service-endpoints",
        role=Role.FINE,
        entity=entity,
        says=f"Service {name} has {len(ready)} ready endpoints",
    )


def _addresses(pods: Iterable[Object]) -> Iterator[str]:
    """Yield the addresses of pods, of both families."""
    for each in pods:
        yield objects.text(each, "status", "podIP")
        yield from (objects.text(one, "ip") for one in objects.items(each, "status", "podIPs"))


def _endpoints(scene: Scene, service: str) -> frozenset[str]:
    """Return the ready addresses of a Service; ``ready: null`` means ready (Kubernetes API, EndpointConditions)."""
    return frozenset(
        str(address)
        for each in scene.of("EndpointSlice")
        if objects.labels(each).get("kubernetes.io/service-name") == service
        for endpoint in objects.items(each, "endpoints")
        if objects.at(endpoint, "conditions", "ready") is not False
        for address in objects.items(endpoint, "addresses")
    )


def _difference(selector: Mapping[str, str], workload: Object | None, pods: tuple[Object, ...]) -> str:
    """Return the label that differs: what is selected, and what the pods carry."""
    asked = ", ".join(f"{key}={value}" for key, value in selector.items())
    if workload is None:
        return f"{asked} selects no pod, and no workload has such labels"
    carried = objects.labels(pods[0]) if pods else objects.pairs(workload, "spec", "template", "metadata", "labels")
    wrong = {key: value for key, value in selector.items() if carried.get(key) != value}
    if not wrong:
        return f"{asked} selects no pod"
    wants = ", ".join(f"{key}={value}" for key, value in wrong.items())
    has = ", ".join(f"{key}={carried[key]}" if key in carried else f"no {key}" for key in wrong)
    if len(wrong) == len(selector):  # nothing in common
        kept = [f"{key}={value}" for key, value in carried.items() if not key.endswith("-hash")]
        has += f" ({', '.join(kept[:3]) or 'no labels'})"
    return f"selects {wants}, but the pods of {objects.name(workload)} carry {has}"


def _wrong_ports(service: Object, workload: Object | None, selected: list[Object]) -> str:
    """Return the target port that no container of the pods has; empty where all fit or the pods declare none.

    The API checks neither: a numeric port is forwarded to nothing, a named one gives no endpoints. A container may
    listen on a port that it does not declare, so a number counts only if no port of the Service fits.
    """
    declared = (
        template_ports({"spec": {"template": workload["spec"]["template"]}})
        if workload and objects.at(workload, "spec", "template")
        else template_ports({"spec": {"template": {"spec": objects.at(selected[0], "spec")}}})
    )
    ports = [each for each in objects.items(service, "spec", "ports") if objects.text(each, "protocol") in {"", "TCP"}]
    targets = [objects.at(each, "targetPort") or objects.at(each, "port") for each in ports]
    if not declared or not targets:
        return ""
    named = ", ".join(f"{port} {name}" if name != str(port) else str(port) for name, port in declared.items())
    for target in targets:
        if isinstance(target, str) and target not in declared:
            return f"no endpoints, because its target port {target} is not a port of the pods ({named})"
    if any(isinstance(each, str) or each in declared.values() for each in targets):
        return ""
    return (
        f"its target port {targets[0]} is not a port of the pods ({named}), so connections to "
        f"port {objects.at(ports[0], 'port')} are refused"
    )
