"""Description of an object, as readable as kubectl's: what it is, how it is, and its events. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from responder.diagnose.cluster.objects import (
    Object,
    annotations,
    at,
    controller,
    created,
    items,
    kind,
    labels,
    name,
    number,
    pairs,
    text,
    uid,
    when,
)
from responder.diagnose.cluster.reader import RESOURCES
from responder.diagnose.steps.columns import columns
from responder.model.clock import short_duration

#: Parts that have a section of their own, and lists too long to show.
_APART: Final = frozenset({"conditions", "containerStatuses", "initContainerStatuses", "images", "managedFields"})
#: Maps whose keys are names, not fields.
_NAMED: Final = frozenset(
    {"labels", "matchLabels", "annotations", "selector", "nodeSelector", "limits", "requests", "capacity"}
    | {"allocatable", "hard", "used"}
)
#: Counts of a Deployment that one line shows.
_COUNTS: Final = ("updatedReplicas", "replicas", "availableReplicas", "unavailableReplicas")
#: Fields that stand above the others.
_SHOWN: Final = frozenset({*_COUNTS, "phase"})
#: Kinds whose fields stand below a heading, as those of custom resources do.
_HEADED: Final = frozenset({"NetworkPolicy"})
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
#: Elements of a list that are shown.
_LIST = 30
#: Events that are shown, the newest.
_EVENTS = 15


def describe(found: Object, events: Iterable[Object], now: datetime, slices: Iterable[Object] = ()) -> str:
    """Return a description; ``events`` and EndpointSlices are those of its namespace."""
    return "\n".join(_lines(found, events, now, slices))


def _lines(found: Object, events: Iterable[Object], now: datetime, slices: Iterable[Object]) -> Iterator[str]:
    yield from _pairs("Name", [name(found)])
    if namespace := text(found, "metadata", "namespace"):
        yield from _pairs("Namespace", [namespace])
    yield from _pairs("Labels", [f"{key}={value}" for key, value in labels(found).items()] or ["<none>"])
    yield from _pairs("Annotations", [f"{key}: {value}" for key, value in annotations(found).items()] or ["<none>"])
    if made := created(found):
        yield from _pairs("Created", [f"{made:%Y-%m-%dT%H:%M:%SZ} ({_age(made, now)} ago)"])
    if controller(found)[1]:
        yield from _pairs("Controlled By", ["/".join(controller(found)[:2])])
    if kind(found) == "Pod":
        yield from _pod(found)
    else:
        if kind(found) == "Deployment":
            counts = [number(found, "spec", "replicas"), *(number(found, "status", each) for each in _COUNTS)]
            words = ("desired", "updated", "total", "available", "unavailable")
            yield from _pairs("Replicas", [" | ".join(f"{n} {word}" for n, word in zip(counts, words, strict=True))])
        if phase := text(found, "status", "phase"):
            yield from _pairs("Status", [phase])
        if kind(found) == "Service":
            yield from _pairs("Endpoints", [",".join(_endpoints(found, slices))])
        if kind(found) == "Job":
            ran = [number(found, "status", each) for each in ("active", "ready", "succeeded", "failed")]
            yield from _pairs("Pods Statuses", ["{} Active ({} Ready) / {} Succeeded / {} Failed".format(*ran)])
        for part in ("spec", "status"):
            kept = {key: value for key, value in (at(found, part) or {}).items() if key not in _SHOWN}
            if kept and (_is_custom(found) or kind(found) in _HEADED):
                yield f"{part.capitalize()}:"
            yield from _tree(kept, int(_is_custom(found) or kind(found) in _HEADED))
    conditions = items(found, "status", "conditions")
    if conditions and _is_custom(found):
        yield from ["Conditions:", *_items(conditions, 1)]  # kubectl prints those of custom resources field by field
    elif conditions:
        yield "Conditions:"
        rows = [["Type", "Status", "Reason", "Message"]]
        rows += [[text(each, key) for key in ("type", "status", "reason", "message")] for each in conditions]
        yield from _indented(columns(rows))
    yield from _events(found, events, now)


def _is_custom(found: Object) -> bool:
    """Return True for a custom resource: only those have a group with a domain other than ``k8s.io``."""
    root = RESOURCES[kind(found)].root if kind(found) in RESOURCES else ""
    return "." in root.removesuffix("/v1").replace(".k8s.io", "")


def _pod(pod: Object) -> Iterator[str]:
    for label, path in (
        ("Node", ("spec", "nodeName")),
        ("Status", ("status", "phase")),
        ("Reason", ("status", "reason")),
        ("Message", ("status", "message")),
        ("IP", ("status", "podIP")),
        ("Service Account", ("spec", "serviceAccountName")),
        ("Priority Class Name", ("spec", "priorityClassName")),
    ):
        if value := text(pod, *path):
            yield from _pairs(label, [value])
    for title, spec, status in (
        ("Init Containers", "initContainers", "initContainerStatuses"),
        ("Containers", "containers", "containerStatuses"),
    ):
        states = {text(each, "name"): each for each in items(pod, "status", status)}
        if containers := items(pod, "spec", spec):
            yield f"{title}:"
            for each in containers:
                yield f"  {text(each, 'name')}:"
                yield from (f"    {line}" for line in _container(each, states.get(text(each, "name"), {})))
    if not items(pod, "spec", "volumes"):
        yield from _pairs("Volumes", ["<none>"])
    rest = {key: value for key, value in (at(pod, "spec") or {}).items() if key in {"volumes", "nodeSelector"}}
    yield from _tree(rest, 0)


def _endpoints(service: Object, slices: Iterable[Object]) -> Iterator[str]:
    """Yield the addresses that are ready behind a Service, with their port."""
    for each in slices:
        if labels(each).get("kubernetes.io/service-name") == name(service):
            ports = [number(port, "port") for port in items(each, "ports")]
            ready = (one for one in items(each, "endpoints") if at(one, "conditions", "ready") is not False)
            yield from (f"{address}:{port}" for one in ready for address in items(one, "addresses") for port in ports)


def _probe(found: Any) -> str:
    """Return a probe in one line, as kubectl does."""
    http = at(found, "httpGet")
    what = f"http-get {at(http, 'scheme') or 'HTTP'}://:{at(http, 'port')}{text(http, 'path')}".replace(
        "HTTP:", "http:"
    )
    if http is None:
        what = "tcp-socket" if at(found, "tcpSocket") else "grpc" if at(found, "grpc") else "exec"
    usual = {
        "initialDelaySeconds": 0,
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    delay, timeout, period, good, bad = (number(found, key) or value for key, value in usual.items())
    return f"{what} delay={delay}s timeout={timeout}s period={period}s #success={good} #failure={bad}"


def _container(spec: Any, status: Any) -> Iterator[str]:
    yield from _pairs("Image", [text(spec, "image")])
    if command := [str(each) for each in (*items(spec, "command"), *items(spec, "args"))]:
        yield from _pairs("Command", [" ".join(command)])
    for label, key in (("State", "state"), ("Last State", "lastState")):
        for state, detail in (at(status, key) or {}).items():
            yield from _pairs(label, [state.capitalize()])
            yield from _tree(detail, 1)
    if status:
        yield from _pairs("Ready", [str(at(status, "ready") is True)])
        yield from _pairs("Restart Count", [str(number(status, "restartCount"))])
    for label in ("limits", "requests"):
        if found := pairs(spec, "resources", label):
            yield f"{label.capitalize()}:"
            yield from (f"  {key}: {value}" for key, value in found.items())
    for probe in ("liveness", "readiness", "startup"):
        if found := at(spec, f"{probe}Probe"):
            yield from _pairs(probe.capitalize(), [_probe(found)])
    names = [text(each, "name") for each in items(spec, "env")]
    yield from (
        ["Environment:", *(f"  {each}: <not shown>" for each in names)] if names else _pairs("Environment", ["<none>"])
    )


def _events(found: Object, events: Iterable[Object], now: datetime) -> Iterator[str]:
    mine = [each for each in events if _concerns(each, found)]
    if not mine:
        yield from _pairs("Events", ["<none>"])
        return
    mine.sort(key=lambda each: _last(each) or now)
    rows = [["Type", "Reason", "Age", "From", "Message"], ["----", "------", "----", "----", "-------"]]
    for each in mine[-_EVENTS:]:
        count, last = number(each, "count"), _last(each)
        age = (_age(last, now) if last else "<unknown>") + (f" (x{count})" if count > 1 else "")
        source = text(each, "source", "component") or text(each, "reportingComponent")
        rows.append([text(each, "type"), text(each, "reason"), age, source, text(each, "message").split("\n")[0]])
    yield "Events:"
    yield from _indented(columns(rows))


def _concerns(event: Object, found: Object) -> bool:
    about = at(event, "involvedObject")
    if wanted := text(about, "uid"):
        return wanted == uid(found)
    return (text(about, "kind"), text(about, "name")) == (kind(found), name(found))


def _last(event: Object) -> datetime | None:
    return (
        when(event, "series", "lastObservedTime")
        or when(event, "lastTimestamp")
        or when(event, "eventTime")
        or created(event)
    )


def _tree(value: Any, depth: int) -> Iterator[str]:
    """Yield what an object says, with the keys in words; two spaces deeper at each level."""
    indent = "  " * depth
    for key, each in value.items() if isinstance(value, Mapping) else ():
        if key in _APART:
            continue
        if key == "selector" and isinstance(each, Mapping) and all(isinstance(one, str) for one in each.values()):
            yield from (indent + line for line in _pairs("Selector", [",".join(f"{k}={v}" for k, v in each.items())]))
        elif isinstance(each, Mapping):
            yield f"{indent}{_title(key)}:"
            plain = key in _NAMED and not any(isinstance(one, Mapping | list) for one in each.values())
            yield from (f"{indent}  {name_}: {one}" for name_, one in each.items()) if plain else _tree(each, depth + 1)
        elif isinstance(each, list | tuple):
            yield f"{indent}{_title(key)}:"
            yield from _items(each, depth + 1)
        else:
            yield from (indent + line for line in _pairs(_title(key), [str(each)]))


def _items(values: Sequence[Any], depth: int) -> Iterator[str]:
    indent = "  " * depth
    for each in values[:_LIST]:
        if isinstance(each, Mapping):
            inner = list(_tree(each, depth + 1))
            yield from [f"{indent}- {inner[0].strip()}", *inner[1:]] if inner else ()
        else:
            yield f"{indent}{each}"
    if len(values) > _LIST:
        yield f"{indent}({len(values) - _LIST} more)"


def _title(key: str) -> str:
    words = _WORD.sub(" ", key)
    return words[:1].upper() + words[1:]


def _pairs(label: str, values: Sequence[str]) -> Iterator[str]:
    for at_, value in enumerate(values):
        yield f"{f'{label}: ' if not at_ else '':<16}{value}"


def _indented(lines: str) -> Iterator[str]:
    yield from (f"  {line}" for line in lines.splitlines())


def _age(since: datetime, now: datetime) -> str:
    return short_duration((now - since).total_seconds())
