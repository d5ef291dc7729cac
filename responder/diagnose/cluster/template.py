"""Two pod templates compared field by field: names of variables, never their values. Pure."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.objects import Object
from responder.model.redaction import redact
from responder.model.text import cut

#: Fields of a container that are compared as they are.
_PLAIN = ("command", "args", "workingDir", "imagePullPolicy", "securityContext", "lifecycle", "volumeMounts")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
#: Fields of a pod that are compared as they are.
_POD = (
    "serviceAccountName",
    "nodeSelector",
    "affinity",
    "tolerations",
    "topologySpreadConstraints",
    "priorityClassName",
    "hostNetwork",
    "dnsPolicy",
    "terminationGracePeriodSeconds",
    "imagePullSecrets",
)
#: Objects that variables and volumes come from.
_SOURCES = (
    *(("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef"), ("Secret", "secret"), ("ConfigMap", "configMap")),
    ("claim", "persistentVolumeClaim"),
)
#: Set by `kubectl rollout restart`.
_RESTARTED = "kubectl.kubernetes.io/restartedAt"
#: Variables that a sentence names.
_MOST_NAMES = 5


def differences(before: Object, after: Object) -> tuple[str, ...]:
    """Return what a new template changed, as phrases such as ``env -DB_URL`` or ``limits.memory 1Gi -> 512Mi``.

    The most telling first: image, variables, probes, resources, command, ports, then the pod's fields and labels.
    """
    found: list[str] = []
    old, new = _containers(before), _containers(after)
    several = len(old.keys() | new.keys()) > 1
    for name in dict.fromkeys((*old, *new)):
        prefix = f"{name}: " if several else ""
        if name not in new:
            found.append(f"container -{name}")
        elif name not in old:
            found.append(f"container +{name}")
        else:
            found += [prefix + phrase for phrase in _container(old[name], new[name])]
    old_spec, new_spec = objects.at(before, "spec"), objects.at(after, "spec")
    if not isinstance(old_spec, Mapping) or not isinstance(new_spec, Mapping):
        return tuple(found)
    found += [
        _phrase(key, old_spec.get(key), new_spec.get(key)) for key in _POD if old_spec.get(key) != new_spec.get(key)
    ]
    found += _volumes(old_spec, new_spec)
    ignored = {"pod-template-hash"}
    labels = _keys("label", _labels(before), _labels(after), ignored)
    return (*found, *labels)


def unread(before: Object, after: Object) -> tuple[str, ...]:
    """Return what a rollout changed between two templates that look equal.

    A changed annotation, such as the checksum of a configuration; else a value of one of the variables, which are
    dropped when an answer is parsed: their names are all that is known.
    """
    old, new = (objects.pairs(each, "metadata", "annotations") for each in (before, after))
    if noted := _keys("annotation", old, new, set()):
        return tuple("restarted by kubectl" if _RESTARTED in each else each for each in noted)
    variables = [
        objects.text(variable, "name")
        for container in _containers(after).values()
        for variable in objects.items(container, "env")
        if not objects.at(variable, "valueFrom")
    ]
    names = list(dict.fromkeys(variables))
    if not names:
        return ()
    shown = names[:_MOST_NAMES]
    if len(names) > _MOST_NAMES:
        shown.append(f"{len(names) - _MOST_NAMES} more")
    listed = " or ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))
    return (f"the value of env {listed} (values are not read)",)


def _container(before: Object, after: Object) -> list[str]:
    found: list[str] = []
    if before.get("image") != after.get("image"):
        found.append(image_change(objects.text(before, "image"), objects.text(after, "image")))
    found += _keys("env", _variables(before), _variables(after), set())
    for probe in _PROBES:
        old, new = objects.at(before, probe) or {}, objects.at(after, probe) or {}
        if old != new:
            found.append(_probe(probe, old, new))
    for part in ("requests", "limits"):
        old, new = objects.pairs(before, "resources", part), objects.pairs(after, "resources", part)
        found += [
            f"{part}.{key} {old.get(key, 'none')} -> {new.get(key, 'none')}"
            for key in sorted({*old, *new})
            if old.get(key) != new.get(key)
        ]
    found += [_phrase(key, before.get(key), after.get(key)) for key in _PLAIN if before.get(key) != after.get(key)]
    old_ports, new_ports = _ports(before), _ports(after)
    if [each.partition(" ")[0] for each in old_ports] != [each.partition(" ")[0] for each in new_ports]:
        old_ports, new_ports = ([each.partition(" ")[0] for each in listed] for listed in (old_ports, new_ports))
    if old_ports != new_ports:
        found.append(f"ports {', '.join(old_ports) or 'none'} -> {', '.join(new_ports) or 'none'}")
    return found


def image_change(before: str, after: str) -> str:
    """Return ``image 1.8.1 -> 1.8.2``, with the repository where that differs too."""
    (old_name, _, old_tag), (new_name, _, new_tag) = before.rpartition(":"), after.rpartition(":")
    if old_name == new_name and old_name:
        return f"image {old_tag} -> {new_tag}"
    return f"image {before} -> {after}"


def tag(image: str) -> str:
    """Return the tag of an image; the image itself where it has none."""
    name, _, found = image.rpartition(":")
    return found if name and "/" not in found else image


def _containers(template: Object) -> dict[str, Object]:
    spec = objects.at(template, "spec")
    listed = (*objects.items(spec, "initContainers"), *objects.items(spec, "containers"))
    return {objects.text(each, "name"): each for each in listed if isinstance(each, Mapping)}


def _variables(container: Object) -> dict[str, Any]:
    """Return where each variable comes from; a literal value is not known here."""
    found: dict[str, Any] = {
        objects.text(each, "name"): each.get("valueFrom")
        for each in objects.items(container, "env")
        if isinstance(each, Mapping)
    }
    for each in objects.items(container, "envFrom"):
        for source in ("configMapRef", "secretRef"):
            if name := objects.text(each, source, "name"):
                found[f"from {source.removesuffix('Ref')} {name}"] = True
    return found


def _ports(container: Object) -> list[str]:
    """Return the ports of a container as ``8080 http``."""
    return [
        f"{objects.number(each, 'containerPort')} {objects.text(each, 'name')}".strip()
        for each in objects.items(container, "ports")
    ]


def _probe(name: str, before: Any, after: Any) -> str:
    short = name.removesuffix("Probe") + " probe"
    if not before or not after:
        return f"{short} {'added' if after else 'removed'}"
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return f"{short} changed"
    for way in ("httpGet", "tcpSocket", "grpc"):
        for field in ("path", "port"):
            old, new = objects.at(before, way, field), objects.at(after, way, field)
            if old != new:
                return f"{short} {field} {old} -> {new}"
    changed = [key for key in sorted({*before, *after}) if before.get(key) != after.get(key)]
    return f"{short} " + ", ".join(_phrase(key, before.get(key), after.get(key)) for key in changed)


def _labels(template: Object) -> Mapping[str, str]:
    return objects.pairs(template, "metadata", "labels")


def _volumes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterable[str]:
    old = {objects.text(each, "name"): each for each in objects.items(before, "volumes")}
    new = {objects.text(each, "name"): each for each in objects.items(after, "volumes")}
    return _keys("volume", old, new, set())


def _keys(noun: str, before: Mapping[str, Any], after: Mapping[str, Any], ignored: set[str]) -> list[str]:
    found = [f"{noun} -{key}" for key in before if key not in after and key not in ignored]
    found += [f"{noun} +{key}" for key in after if key not in before and key not in ignored]
    for key in before:
        if key in after and key not in ignored and before[key] != after[key]:
            old, new = (each[key] if noun == "label" else _source(each[key]) for each in (before, after))
            found.append(f"{noun} {key} {old} -> {new}" if old and new and old != new else f"{noun} {key} changed")
    return found


def _source(value: Any) -> str:
    """Return where a variable or a volume comes from: ``Secret mail key password``; empty where it does not say."""
    for kind, way in _SOURCES:
        found = (objects.text(value, way, key) for key in ("name", "secretName", "claimName"))
        if named := next(filter(None, found), ""):
            key = objects.text(value, way, "key")
            return f"{kind} {named}{f' key {key}' if key else ''}"
    return ""


def _phrase(key: str, before: Any, after: Any) -> str:
    if any(isinstance(each, dict | list) and not _is_plain(each) for each in (before, after)):
        return f"{key} {'removed' if not after else 'changed' if before else 'added'}"
    return f"{key} {_brief(before)} -> {_brief(after)}"


def _is_plain(value: Any) -> bool:
    """Return True for a list of texts or names, or a map of texts: one that fits into a phrase."""
    if isinstance(value, list):
        return all(isinstance(each, str) or (isinstance(each, dict) and each.keys() == {"name"}) for each in value)
    return all(isinstance(each, str) for each in value.values())


def _brief(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list) and _is_plain(value):
        written = " ".join(each if isinstance(each, str) else each["name"] for each in value)
    elif isinstance(value, dict) and _is_plain(value):
        written = ",".join(f"{key}={each}" for key, each in sorted(value.items()))
    else:
        written = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return cut(redact(written), 40)  # a flag and its value may be two elements of the list
