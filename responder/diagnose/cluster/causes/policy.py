"""Network policies: which one stands between a caller and what it calls, since when, and what it lets through."""

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.causes.changes import is_recent, last_edit, rolled_out_at, template_before
from responder.diagnose.cluster.causes.rollout import template_ports
from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.scene import Scene
from responder.model.clock import ago
from responder.model.clue import Certainty, Clue, Role

_DNS_PORT = 53
#: A connection that times out, with the host of the URL before it.
_OUTSIDE = re.compile(
    r"(?:(?:https?://|\bserver at \"|\bto \"?)(?P<host>[a-z0-9-]+(?:\.[a-z0-9-]+)+)[^\n]*?)?"
    r"\b(?P<ip>\d{1,3}(?:\.\d{1,3}){3})(?::|\)?,? port )(?P<port>\d{1,5})\b[^\n]*"
    r"(?:time[sd]? ?-?out|deadline|unreachable)",
    re.IGNORECASE,
)
#: Where objects of the cluster have an address.
_INSIDE = (("Pod", "status", "podIP"), ("Service", "spec", "clusterIP"))
#: What a policy lets through that has a rule without conditions.
EVERYTHING = "everything"


def look(scene: Scene) -> tuple[Clue, ...]:
    """Return the policies that block the subject from what its log names, its lookups, or its callers from it."""
    own = scene.workload
    if own is None or not scene.of("NetworkPolicy", ""):
        return ()
    found: list[Clue] = []
    for callee in scene.dependencies:
        found += _between(scene, own, callee)
    if not found and scene.fails_lookups:
        found += _lookups(scene, own)
    if not found:
        found += _outwards(scene, own)
    if not found:
        found += _lately(scene, own)
    return tuple(found)


def _labels(workload: Object) -> dict[str, str]:
    return dict(objects.pairs(workload, "spec", "template", "metadata", "labels"))


def _selecting(scene: Scene, workload: Object, direction: str) -> list[Object]:
    """Return the policies of that direction which select a workload's pods. An empty selector selects all."""
    return [
        each
        for each in scene.of("NetworkPolicy", _space(workload))
        if direction in _types(each) and objects.selects(objects.at(each, "spec", "podSelector"), _labels(workload))
    ]


def _types(policy: Object) -> tuple[str, ...]:
    """Return the directions of a policy; where it does not say: Ingress, and Egress if it has such rules."""
    given = objects.items(policy, "spec", "policyTypes")
    return tuple(given) or ("Ingress", *(("Egress",) if objects.at(policy, "spec", "egress") else ()))


def _between(scene: Scene, caller: Object, callee: Object) -> list[Clue]:
    """Return the policy that keeps a caller from a callee. Policies are additive: what one of them admits gets through.

    One that is older than the alert by far, as are both workloads, let the traffic through until now.
    """
    found: list[Clue] = []
    ports = _needed(scene, callee)
    rolled = any(is_recent(scene, rolled_out_at(scene, each)) for each in (caller, callee))
    for direction, one, other in (("Ingress", callee, caller), ("Egress", caller, callee)):
        policies = _selecting(scene, one, direction)
        if not policies or any(_admits(scene, each, direction, other, ports) for each in policies):
            continue
        newest = max(policies, key=_changed)
        relabelled = _relabelled(scene, newest, direction, other)[0]
        if rolled or relabelled or is_recent(scene, _age(scene, newest)[0]):
            found.append(_blocked(scene, newest, direction, caller, callee, ports))
    return found


def _needed(scene: Scene, callee: Object) -> dict[str, int]:
    """Return the container ports of a callee that the log calls, by name; all of them if it names none."""
    declared = template_ports(callee)
    called: dict[str, int] = {}
    for service in scene.of("Service", objects.namespace(callee)):
        if scene.behind(service) is not callee:
            continue
        for each in objects.items(service, "spec", "ports"):
            if any(f":{objects.at(each, 'port')}" in line for line in scene.failures):
                target = objects.at(each, "targetPort") or objects.at(each, "port")
                called |= {name: port for name, port in declared.items() if target in {name, port}}
    return called or declared


def _admits(scene: Scene, policy: Object, direction: str, peer: Object, ports: dict[str, int]) -> bool:
    """Return True if a rule of the policy lets the pods of a workload through, on these ports."""
    key, side = ("ingress", "from") if direction == "Ingress" else ("egress", "to")
    for rule in objects.items(policy, "spec", key):
        peers = objects.items(rule, side)
        if (not peers or any(_is_peer(scene, policy, each, peer) for each in peers)) and _has_port(rule, ports):
            return True
    return False


def _has_port(rule: Any, ports: dict[str, int]) -> bool:
    given = objects.items(rule, "ports")
    if not given or not ports:
        return True
    for each in given:
        if objects.text(each, "protocol") not in {"", "TCP"}:
            continue
        first = objects.at(each, "port")
        last = objects.at(each, "endPort") or first
        if first is None or first in ports:
            return True
        if isinstance(first, int) and any(first <= port <= last for port in ports.values()):
            return True
    return False


def _is_peer(scene: Scene, policy: Object, given: Any, peer: Object) -> bool:
    if objects.at(given, "ipBlock"):
        return False
    selector, namespaces = objects.at(given, "podSelector"), objects.at(given, "namespaceSelector")
    inside, own = _space(peer) == _space(policy), {"kubernetes.io/metadata.name": _space(peer)}
    if namespaces is None and not inside:
        return False
    if namespaces is not None and dict(objects.pairs(namespaces, "matchLabels")) not in ({}, own):
        if (space := _namespace(scene, peer)) is not None:
            return objects.selects(namespaces, objects.labels(space)) and (
                selector is None or objects.selects(selector, _labels(peer))
            )
        # Its labels were not read: another namespace than that of the policy is taken to be meant.
        return not inside and "kubernetes.io/metadata.name" not in objects.pairs(namespaces, "matchLabels")
    return selector is None or objects.selects(selector, _labels(peer))


def _namespace(scene: Scene, workload: Object) -> Object | None:
    """Return the namespace of a workload, if it was read."""
    return scene.find("Namespace", _space(workload))


def _relabelled(scene: Scene, policy: Object, direction: str, peer: Object) -> tuple[str, str]:
    """Return what the namespace of a peer has, since a recent edit, instead of what a policy asks for, and a step."""
    space = _namespace(scene, peer)
    moment, manager = last_edit(space) if space is not None else (None, "")
    if space is None or moment is None or not is_recent(scene, moment):
        return "", ""
    name, carried = objects.name(space), objects.labels(space)
    asked = _asked(policy, direction, "namespaceSelector")
    differs = ", ".join(f"{key}={carried[key]}" if key in carried else f"no {key}" for key in asked)
    wanted = ", ".join(f"{key}={value}" for key, value in asked.items())
    says = f"namespace {name} has {differs}, edited by {manager} {ago(scene.now, moment)} ago"
    return (
        says,
        f"Give namespace {name} the label {wanted} again, if the edit took it: `kubectl get ns {name} --show-labels`.",
    )


def _space(value: Object) -> str:
    return objects.namespace(value)


def _blocked(
    scene: Scene, policy: Object, direction: str, caller: Object, callee: Object, ports: dict[str, int]
) -> Clue:
    changed, age = _age(scene, policy)
    one, other = (callee, caller) if direction == "Ingress" else (caller, callee)
    way = "reach" if direction == "Ingress" else "be reached by"
    carried = _labels(other)
    wanted = admitted(policy, direction)
    differs = ", ".join(f"{key}={carried[key]}" for key in _keys(policy, direction) if key in carried)
    among = "" if wanted == "nothing" else f" ({objects.name(other)} is not among them)"
    has = f" ({objects.name(other)} has {differs})" if differs else among
    on = f" on port {', '.join(map(str, ports.values()))}" if "port" in wanted and ports else ""
    if _admits(scene, policy, direction, other, {}):
        has = ""  # it is the port that is not among them
    broken_by, step = _broken(scene, policy, direction, caller, callee)
    relabelled, give = _relabelled(scene, policy, direction, other)
    if relabelled and not broken_by:
        has, step = f" ({relabelled})", give
    return Clue(
        code="policy-blocks",
        role=Role.CAUSE,
        entity=objects.reference(policy),
        namespace=_space(policy),
        says=f"{objects.name(caller)} cannot connect to {objects.name(callee)}{on}: "
        f"NetworkPolicy {objects.name(policy)}{age} lets {wanted} {way} {objects.name(one)}{has}",
        certainty=Certainty.SHOWN if is_recent(scene, changed) else Certainty.LIKELY,
        since=changed,
        first_step=step,
        broken_by=broken_by,
    )


def _broken(scene: Scene, policy: Object, direction: str, caller: Object, callee: Object) -> tuple[str, str]:
    """Return the workload with whose template before its rollout the policy let them connect, and the other way out."""
    for each in (caller, callee):
        before = template_before(scene, each)
        if not before:
            continue
        was = {**each, "spec": {**each["spec"], "template": before}}
        old_caller, old_callee = (was, callee) if each is caller else (caller, was)
        one, other = (old_callee, old_caller) if direction == "Ingress" else (old_caller, old_callee)
        chosen = objects.selects(objects.at(policy, "spec", "podSelector"), _labels(one))
        if chosen and not _admits(scene, policy, direction, other, template_ports(old_callee)):
            continue
        lost = lost_labels(_labels(was), _labels(each), _keys(policy, direction))
        return objects.reference(each), lost or "Let the NetworkPolicy allow what the rollout changed."
    return "", ""


def lost_labels(before: Mapping[str, str], after: Mapping[str, str], keys: Iterable[str]) -> str:
    """Return the step that restores labels of these keys which a rollout changed; empty if it changed none."""
    lost = [f"{key}={before[key]}" for key in keys if key in before and before[key] != after.get(key)]
    return f"Give its pods the label {', '.join(lost)} again." if lost else ""


def _age(scene: Scene, policy: Object) -> tuple[datetime | None, str]:
    """Return when a policy last changed, and that in words: created, or edited since."""
    edited, manager = last_edit(policy)
    if edited is not None:
        return edited, f", edited by {manager} {ago(scene.now, edited)} ago,"
    created = objects.created(policy)
    return created, f", created {ago(scene.now, created)} ago," if created else ""


def admitted(policy: Object, direction: str) -> str:
    """Return what a policy lets through, in words."""
    key, side = ("ingress", "from") if direction == "Ingress" else ("egress", "to")
    rules = objects.items(policy, "spec", key)
    if not rules:
        return "nothing"
    if not all(rules):
        return EVERYTHING
    return f"only {_peers(rules, side)}"


def _peers(rules: Sequence[Any], side: str) -> str:
    words: list[str] = []
    for rule in rules:
        ports = ", ".join(dict.fromkeys(str(objects.at(each, "port")) for each in objects.items(rule, "ports")))
        on = f" on port {ports}" if ports else ""
        peers = objects.items(rule, side)
        words += [f"{_peer(each)}{on}" for each in peers]
        if ports and not peers:
            words.append(f"port {ports}")
    return " and ".join(dict.fromkeys(words)) or "pods of the namespace"


def _peer(peer: Any) -> str:
    """Return a peer of a rule in words."""
    if block := objects.text(peer, "ipBlock", "cidr"):
        return block
    labels = ", ".join(f"{name}={value}" for name, value in objects.pairs(peer, "podSelector", "matchLabels").items())
    spaces = objects.pairs(peer, "namespaceSelector", "matchLabels")
    pods = f"pods with {labels}" if labels else ""
    if objects.at(peer, "namespaceSelector") is None:
        return pods or "pods of the namespace"
    where = ", ".join(f"{name}={value}" for name, value in spaces.items())
    of = f"namespaces with {where}" if where else "all namespaces"
    return f"{pods} in {of}" if pods else of


def _keys(policy: Object, direction: str) -> list[str]:
    return list(_asked(policy, direction, "podSelector"))


def _asked(policy: Object, direction: str, selector: str) -> dict[str, str]:
    """Return the labels that the peers of a policy's rules must have, of pods or of their namespaces."""
    key, side = ("ingress", "from") if direction == "Ingress" else ("egress", "to")
    return {
        name: value
        for rule in objects.items(policy, "spec", key)
        for peer in objects.items(rule, side)
        for name, value in objects.pairs(peer, selector, "matchLabels").items()
    }


def _lookups(scene: Scene, own: Object) -> list[Clue]:
    """Return the policy that keeps the subject from the cluster's DNS: egress rules without port 53."""
    policies = _selecting(scene, own, "Egress")
    if not policies or any(_lets_dns(each) for each in policies):
        return []
    newest = max(policies, key=_changed)
    changed, age = _age(scene, newest)
    return [
        Clue(
            code="policy-dns",
            role=Role.CAUSE,
            entity=objects.reference(newest),
            says=f"{objects.name(own)} cannot resolve names: NetworkPolicy {objects.name(newest)}{age} "
            f"lets it reach {admitted(newest, 'Egress')}, and DNS (port 53) is not among them",
            certainty=Certainty.SHOWN,
            since=changed,
        )
    ]


def _outwards(scene: Scene, own: Object) -> list[Clue]:
    """Return the policy that keeps the subject from an address outside of the cluster which does not answer."""
    policies = _selecting(scene, own, "Egress")
    for line in scene.failures if policies else ():
        match = _OUTSIDE.search(line)
        if match is None or any(_lets_out(each, match["ip"], int(match["port"])) for each in policies):
            continue
        if any(match["ip"] == objects.text(each, *where) for kind, *where in _INSIDE for each in scene.of(kind)):
            continue
        newest = max(policies, key=_changed)
        changed, age = _age(scene, newest)
        if not is_recent(scene, changed):
            return []
        host = f"{match['host']} ({match['ip']}:{match['port']})" if match["host"] else f"{match['ip']}:{match['port']}"
        return [
            Clue(
                code="policy-blocks",
                role=Role.CAUSE,
                entity=objects.reference(newest),
                says=f"{objects.name(own)} cannot connect to {host} (timeout): NetworkPolicy "
                f"{objects.name(newest)}{age} lets it reach {admitted(newest, 'Egress')}",
                certainty=Certainty.SHOWN,
                since=changed,
            )
        ]
    return []


def _lets_out(policy: Object, address: str, port: int) -> bool:
    """Return True if a rule of the policy lets pods reach an address outside of the cluster."""
    for rule in objects.items(policy, "spec", "egress"):
        peers = [objects.at(each, "ipBlock") for each in objects.items(rule, "to")]
        if (not peers or any(block and _contains(block, address) for block in peers)) and _has_port(rule, {"": port}):
            return True
    return False


def _contains(block: Object, address: str) -> bool:
    try:
        where = ipaddress.ip_address(address)
        excepted = (ipaddress.ip_network(str(each)) for each in objects.items(block, "except"))
        return where in ipaddress.ip_network(objects.text(block, "cidr")) and not any(
            where in each for each in excepted
        )
    except ValueError:
        return True


def _lets_dns(policy: Object) -> bool:
    for rule in objects.items(policy, "spec", "egress"):
        ports = objects.items(rule, "ports")
        peers = objects.items(rule, "to")
        outside = not peers or any(objects.at(each, "namespaceSelector") is not None for each in peers)
        if outside and (not ports or any(objects.at(each, "port") == _DNS_PORT for each in ports)):
            return True
    return False


def _lately(scene: Scene, own: Object) -> list[Clue]:
    """Return a policy of the subject that changed lately: it may block what nothing here shows."""
    found: list[Clue] = []
    for direction, way in (("Ingress", "reach"), ("Egress", "be reached by")):
        for each in _selecting(scene, own, direction):
            changed, age = _age(scene, each)
            lets = admitted(each, direction)
            if not is_recent(scene, changed) or lets == EVERYTHING:
                continue
            says = f"NetworkPolicy {objects.name(each)}{age} lets {lets} {way} {objects.name(own)}"
            found.append(
                Clue(
                    code="policy-new",
                    role=Role.CAUSE,
                    entity=objects.reference(each),
                    says=says,
                    certainty=Certainty.COINCIDES,
                    since=changed,
                )
            )
    return found


def _changed(policy: Object) -> str:
    """Return the time of the last change, for sorting."""
    edited, _ = last_edit(policy)
    return edited.isoformat() if edited else objects.text(policy, "metadata", "creationTimestamp")
