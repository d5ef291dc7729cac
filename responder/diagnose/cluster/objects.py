"""Readers of Kubernetes objects as the API returns them in JSON. Pure; a missing field is never an error."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from responder.model.redaction import redact

#: An object, without what `pruned` removes.
Object = Mapping[str, Any]

_EMPTY: Mapping[str, Any] = {}
_SUFFIXES = {
    "m": 1e-3,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
    "Pi": 2.0**50,
}
_QUANTITY = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?")


def pruned(value: Any) -> Any:
    """Return parsed JSON without values that may be secrets: those of variables and headers, and whole manifests.

    Called while a response is parsed, before anything is compared, cut, stored or logged. Every text is redacted, but
    for names and times. JSON has no subclasses, and this is where a page spends most of its time: hence ``type``.
    """
    found = type(value)
    if found is str:
        return _remembered(value) if len(value) <= _SHORT else redact(value)
    if found is list:
        return [pruned(each) for each in value]
    if found is not dict:
        return value
    kept: dict[str, Any] = {}
    for key, each in value.items():
        found = type(each)
        if found is str:
            if key in _AS_IS:
                kept[key] = each
            elif key not in _DROPPED and key != "data":
                kept[key] = _remembered(each) if len(each) <= _SHORT else redact(each)
        elif key not in _DROPPED and not (key == "data" and _is_content(each)):
            kept[key] = pruned(each) if found is dict or found is list else each
    for key in _WITH_VALUES & kept.keys():
        if isinstance(kept[key], list):
            kept[key] = [_without_value(each) for each in kept[key] if isinstance(each, dict)]
    return kept


#: The texts of one object and of the next one are mostly the same.
_SHORT = 512
_remembered = lru_cache(maxsize=8192)(redact)
#: Names, times and addresses, which Kubernetes itself checks.
_AS_IS = frozenset(
    {"name", "namespace", "generateName", "uid", "kind", "apiVersion", "resourceVersion", "nodeName", "hostIP", "podIP"}
    | {"ip", "creationTimestamp", "lastTransitionTime", "lastProbeTime", "lastHeartbeatTime", "startedAt"}
    | {"finishedAt", "startTime", "firstTimestamp", "lastTimestamp", "eventTime", "lastUpdateTime", "time", "renewTime"}
)
#: The last manifest holds the values of variables; managed fields hold names only, but many, as do images of a node.
_DROPPED = frozenset(
    {"kubectl.kubernetes.io/last-applied-configuration", "fieldsV1", "binaryData", "stringData", "images"}
)


#: Lists of names with values.
_WITH_VALUES = frozenset({"env", "envFrom", "httpHeaders"})


def _is_content(value: Any) -> bool:
    """Return True for the ``data`` of a Secret or ConfigMap, whose values are texts.

    That of a ControllerRevision is a pod template.
    """
    return not (isinstance(value, dict) and any(isinstance(each, dict) for each in value.values()))


def _without_value(variable: dict[str, Any]) -> dict[str, Any]:
    return {key: each for key, each in variable.items() if key != "value"}


def at(value: Any, *path: str) -> Any:
    """Return what stands at ``path``; None where a step is missing or is no map."""
    try:
        for key in path:
            value = value.get(key)  # asked most of all: a check of the type would take a third of the time
    except AttributeError:
        return None
    return value


def text(value: Any, *path: str) -> str:
    """Return the text at ``path``; empty where there is none."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def number(value: Any, *path: str) -> int:
    """Return the integer at ``path``; 0 where there is none, as the API omits zeros."""
    found = at(value, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else 0


def items(value: Any, *path: str) -> Sequence[Any]:
    """Return the list at ``path``; empty where there is none."""
    found = at(value, *path)
    return found if isinstance(found, list | tuple) else ()


def pairs(value: Any, *path: str) -> Mapping[str, str]:
    """Return the map of texts at ``path``, labels for example; empty where there is none."""
    found = at(value, *path)
    if not isinstance(found, dict):
        return _EMPTY
    if all(isinstance(each, str) for each in found.values()):
        return found
    return {key: str(each) for key, each in found.items() if isinstance(each, str | int | float)}


def name(value: Object) -> str:
    """Return the name of an object."""
    return text(value, "metadata", "name")


def namespace(value: Object) -> str:
    """Return the namespace of an object, empty for one of the whole cluster."""
    return text(value, "metadata", "namespace")


def kind(value: Object) -> str:
    """Return the kind of an object."""
    return text(value, "kind")


def uid(value: Object) -> str:
    """Return the uid of an object."""
    return text(value, "metadata", "uid")


def labels(value: Object) -> Mapping[str, str]:
    """Return the labels of an object."""
    return pairs(value, "metadata", "labels")


def annotations(value: Object) -> Mapping[str, str]:
    """Return the annotations of an object."""
    return pairs(value, "metadata", "annotations")


def delivered_by(value: Object) -> tuple[str, str, str]:
    """Return kind, name and namespace of the object of Argo CD or Flux that an object says it is from.

    Three empty texts where there is none; the namespace is empty where it is not said, which is usual for Argo CD
    (https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/). `app.kubernetes.io/instance` does not
    count: Helm sets it too.
    """
    given, noted = labels(value), annotations(value).get("argocd.argoproj.io/tracking-id", "")
    if app := noted.partition(":")[0] or given.get("argocd.argoproj.io/instance", ""):
        namespace, _, name_ = app.rpartition("_")
        return "Application", name_, namespace
    for kind_, group in (("HelmRelease", "helm"), ("Kustomization", "kustomize")):
        if name_ := given.get(f"{group}.toolkit.fluxcd.io/name", ""):
            return kind_, name_, given.get(f"{group}.toolkit.fluxcd.io/namespace", "")
    return "", "", ""


def reference(value: Object) -> str:
    """Return an object as ``Kind/name``, the form in which clues name entities."""
    return f"{kind(value)}/{name(value)}"


def when(value: Any, *path: str) -> datetime | None:
    """Return the time at ``path``; None where there is none, or where it is the epoch: then it was never set."""
    written = text(value, *path)
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        return None
    return found if found.tzinfo is not None and found.year > 1970 else None


def created(value: Object) -> datetime | None:
    """Return the creation time of an object."""
    return when(value, "metadata", "creationTimestamp")


def condition(value: Object, type_: str) -> Object:
    """Return the condition of that type; an empty map where there is none."""
    for each in items(value, "status", "conditions"):
        if text(each, "type") == type_:
            return each if isinstance(each, Mapping) else _EMPTY
    return _EMPTY


def is_true(value: Object, type_: str) -> bool:
    """Return True if the condition of that type has the status True."""
    return text(condition(value, type_), "status") == "True"


def controller(value: Object) -> tuple[str, str, str]:
    """Return kind, name and uid of the controlling owner; three empty texts where there is none."""
    for each in items(value, "metadata", "ownerReferences"):
        if at(each, "controller") is True:
            return text(each, "kind"), text(each, "name"), text(each, "uid")
    return "", "", ""


def backends(ingress: Object) -> Iterator[tuple[str, str, Any]]:
    """Yield path, Service and port of each rule of an Ingress, and of its default backend."""
    for rule in items(ingress, "spec", "rules"):
        for path in items(rule, "http", "paths"):
            service = at(path, "backend", "service")
            yield f"{text(rule, 'host')}{text(path, 'path')}", text(service, "name"), at(service, "port")
    if default := at(ingress, "spec", "defaultBackend", "service"):
        yield "all other requests", text(default, "name"), at(default, "port")


def owned(candidates: Iterable[Object], owner: Object) -> tuple[Object, ...]:
    """Return the objects whose controlling owner is ``owner``, by uid."""
    wanted = uid(owner)
    return tuple(each for each in candidates if controller(each)[2] == wanted) if wanted else ()


def selects(selector: Any, found: Mapping[str, str]) -> bool:
    """Return True if a label selector (``matchLabels``, ``matchExpressions``) selects these labels.

    An empty selector selects everything (Kubernetes API, LabelSelector).
    """
    if any(found.get(key) != value for key, value in pairs(selector, "matchLabels").items()):
        return False
    return all(_meets(each, found) for each in items(selector, "matchExpressions"))


def _meets(expression: Any, found: Mapping[str, str]) -> bool:
    key, values = text(expression, "key"), items(expression, "values")
    match text(expression, "operator"):
        case "In":
            return found.get(key) in values
        case "NotIn":
            return found.get(key) not in values
        case "Exists":
            return key in found
        case "DoesNotExist":
            return key not in found
    return False


def quantity(written: Any) -> float | None:
    """Return a quantity such as ``250m``, ``19Gi`` or ``1e3`` as a number; None for anything else."""
    if isinstance(written, int | float) and not isinstance(written, bool):
        return float(written)
    found = _QUANTITY.fullmatch(written) if isinstance(written, str) else None
    if found is None:
        return None
    try:
        return float(found[1]) * _SUFFIXES.get(found[2] or "", 1.0)
    except ValueError:
        return None


def node_at(nodes: Iterable[Object], address: str) -> Object | None:
    """Return the node with an address."""
    return next(
        (each for each in nodes if address in {text(one, "address") for one in items(each, "status", "addresses")}),
        None,
    )


def at_address(pods: Iterable[Object], address: str) -> list[Object]:
    """Return the pods with an address, without those that have that of their node."""
    return [
        each
        for each in pods
        if address and text(each, "status", "podIP") == address and at(each, "spec", "hostNetwork") is not True
    ]
