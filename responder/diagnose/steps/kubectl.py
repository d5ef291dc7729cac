"""kubectl's reads by responder's own client, printed as kubectl prints them."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from responder.diagnose.cluster.objects import (
    Object,
    annotations,
    at,
    condition,
    items,
    name,
    number,
    owned,
    pairs,
    quantity,
    text,
)
from responder.diagnose.cluster.reader import (
    RESOURCES,
    TABLE,
    Read,
    Reader,
    UnseenError,
    listing,
    log_of,
    message,
    single,
)
from responder.diagnose.cluster.scene import Unseen
from responder.diagnose.steps.columns import columns
from responder.diagnose.steps.describe import describe
from responder.model.clock import Deadline
from responder.runbooks.expected import Output
from responder.runbooks.kubectl import KubectlCall

#: Pods whose logs are read for a selector.
MOST_LOGS: Final = 5
#: Lines of a log: kubectl's default for a selector, and the most.
_SELECTED_LINES: Final = 10
#: Lines of a log that are read of one pod.
_MOST_LINES: Final = 200
_DEFAULT_CONTAINER: Final = "kubectl.kubernetes.io/default-container"
_REVISION: Final = "deployment.kubernetes.io/revision"


def run(call: KubectlCall, reader: Reader, deadline: Deadline, now: datetime) -> Output:
    """Return what kubectl would print. Raises UnseenError if the cluster could not be read."""
    match call.verb:
        case "get":
            return _get(call, reader, deadline)
        case "describe":
            return _describe(call, reader, deadline, now)
        case "logs":
            return _logs(call, reader, deadline)
        case "top":
            return _top(call, reader, deadline)
        case "rollout status":
            return _status(call, reader, deadline)
    return _history(call, reader, deadline)


def _reads(call: KubectlCall, **fields: str) -> list[Read]:
    """Return the reads of the objects that a call names: one for each name, or a list."""
    resource = RESOURCES[call.kind]
    namespace = call.namespace if resource.namespaced else ""
    if call.names:
        return [single(call.kind, each, namespace) for each in call.names]
    selectors = {"labelSelector": call.options.get("-l"), "fieldSelector": call.options.get("--field-selector")}
    return [listing(call.kind, namespace, **{key: value for key, value in selectors.items() if value}, **fields)]


def _objects(call: KubectlCall, reader: Reader, deadline: Deadline) -> list[Object]:
    return [each for read in _reads(call) for each in reader.objects(read, deadline)]


def _not_found(call: KubectlCall, missing: str) -> Output:
    return Output(f'Error from server (NotFound): {_full(call.kind, plural=True)} "{missing}" not found', 1)


def _nothing(call: KubectlCall) -> str:
    namespaced = RESOURCES[call.kind].namespaced
    return f"No resources found in {call.namespace} namespace." if namespaced else "No resources found"


def _full(kind: str, *, plural: bool = False) -> str:
    """Return a kind as kubectl names it: ``deployment.apps``, or ``deployments.apps``."""
    resource = RESOURCES[kind]
    group = resource.root.split("/")[2] if resource.root.startswith("/apis/") else ""
    return f"{resource.plural if plural else kind.lower()}{'.' if group else ''}{group}"


def _get(call: KubectlCall, reader: Reader, deadline: Deadline) -> Output:
    if call.options.get("-o") == "json":
        return _json(call, reader, deadline)
    sorting = call.options.get("--sort-by", "").strip("{}")
    tables: list[Mapping[str, Any]] = []
    for read in _reads(call, includeObject="Object" if sorting else "Metadata"):
        answer = reader.answer(replace(read, accept=TABLE), deadline)
        if answer.status == 404:
            if not read.name:
                raise UnseenError(Unseen(what=read.what, why=message(answer.body) or f"{read.what} are not served"))
            if "--ignore-not-found" not in call.options:
                return _not_found(call, read.name)
            continue
        tables.append(_table(answer.body, read))
    rows = [row for table in tables for row in items(table, "rows")]
    if not rows:
        return Output("" if call.names else _nothing(call))
    if sorting:
        rows.sort(key=lambda row: _sort_key(at(row, "object", *sorting.strip(".").split("."))))
    if call.options.get("-o") == "name":
        return Output("\n".join(f"{_full(call.kind)}/{name(at(row, 'object') or {})}" for row in rows))
    return Output(_printed(tables[0], rows, call.options))


def _table(body: bytes, read: Read) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or found.get("kind") != "Table":
        raise UnseenError(Unseen(what=read.what, why="the answer is not a Table of the Kubernetes API"))
    return found


def _sort_key(value: Any) -> tuple[int, float, str]:
    if isinstance(value, int | float):
        return 1, float(value), ""
    return (0, 0.0, "") if value is None else (2, 0.0, str(value))


def _printed(table: Mapping[str, Any], rows: Sequence[Any], options: Mapping[str, str]) -> str:
    wide = options.get("-o") == "wide"
    shown = [
        (at_, text(column, "name").upper())
        for at_, column in enumerate(items(table, "columnDefinitions"))
        if wide or not number(column, "priority")
    ]
    named = [each for each in options.get("-L", "").split(",") if each]
    heads = [head for _, head in shown] + [each.rpartition("/")[2].upper() for each in named]
    labelled = "--show-labels" in options
    lines = [[*heads, *(["LABELS"] if labelled else [])]] if "--no-headers" not in options else []
    for row in rows:
        cells, found = items(row, "cells"), pairs(row, "object", "metadata", "labels")
        line = [_cell(cells[number_]) if number_ < len(cells) else "" for number_, _ in shown]
        line += [found.get(each, "") for each in named]
        lines.append(
            [*line, ",".join(f"{key}={value}" for key, value in sorted(found.items())) or "<none>"]
            if labelled
            else line
        )
    return columns(lines)


def _cell(value: Any) -> str:
    if value is None:
        return "<none>"
    written = str(value).lower() if isinstance(value, bool) else str(value)
    first, newline, _ = written.partition("\n")
    return f"{first}..." if newline else first


def _json(call: KubectlCall, reader: Reader, deadline: Deadline) -> Output:
    found = _objects(call, reader, deadline)
    if call.names and len(found) < len(call.names):
        return _not_found(call, next(each for each in call.names if each not in {name(one) for one in found}))
    value = found[0] if len(call.names) == 1 else {"apiVersion": "v1", "kind": "List", "items": found}
    return Output(json.dumps(value, indent=4))


def _describe(call: KubectlCall, reader: Reader, deadline: Deadline, now: datetime) -> Output:
    found = _objects(call, reader, deadline)
    if call.names and len(found) < len(call.names):
        return _not_found(call, next(each for each in call.names if each not in {name(one) for one in found}))
    if not found:
        return Output(_nothing(call))
    events = reader.objects(
        listing("Event", call.namespace if RESOURCES[call.kind].namespaced else "default"), deadline
    )
    slices = reader.objects(listing("EndpointSlice", call.namespace), deadline) if call.kind == "Service" else ()
    return Output("\n\n\n".join(describe(each, events, now, slices) for each in found))


def _logs(call: KubectlCall, reader: Reader, deadline: Deadline) -> Output:
    pods = _pods(call, reader, deadline)
    if not pods:
        if call.kind == "Pod" and call.names:
            return _not_found(call, call.names[0])
        return Output(_nothing(call))
    several = not call.names
    chosen = pods[:MOST_LOGS] if several else pods[:1]
    lines: list[str] = []
    for pod in chosen:
        for container in _containers(pod, call.options):
            found = _log(call, pod, container, several, reader, deadline)
            if found.status:
                return found
            lines += found.text.splitlines()
    if len(pods) > len(chosen) and several:
        lines.append(f"(logs of {len(pods) - len(chosen)} more pods were not read)")
    return Output("\n".join(lines))


def _log(call: KubectlCall, pod: Object, container: str, several: bool, reader: Reader, deadline: Deadline) -> Output:
    options = call.options
    tail = int(options.get("--tail", _SELECTED_LINES if several else _MOST_LINES))
    read = log_of(
        call.namespace,
        name(pod),
        container,
        previous="-p" in options,
        lines=min(tail if tail >= 0 else _MOST_LINES, _MOST_LINES),
        timestamps="--timestamps" in options,
    )
    if since := re.fullmatch(r"(\d+)([smh])", options.get("--since", "")):
        read = replace(
            read, query=(*read.query, ("sinceSeconds", str(int(since[1]) * {"s": 1, "m": 60, "h": 3600}[since[2]])))
        )
    found = reader.log(read, deadline)
    if found.problem:
        return Output(f"Error from server (BadRequest): {found.problem}", 1)
    before = f"[pod/{name(pod)}/{container}] " if "--prefix" in options else ""
    return Output("\n".join(before + line for line in found.lines))


def _pods(call: KubectlCall, reader: Reader, deadline: Deadline) -> list[Object]:
    """Return the pods of a call: those named or selected, or those of a workload."""
    if call.kind == "Pod":
        return _objects(call, reader, deadline)
    labels = [pairs(each, "spec", "selector", "matchLabels") for each in _objects(call, reader, deadline)]
    selector = ",".join(f"{key}={value}" for found in labels for key, value in found.items())
    return list(reader.objects(listing("Pod", call.namespace, labelSelector=selector), deadline)) if selector else []


def _containers(pod: Object, options: Mapping[str, str]) -> list[str]:
    if "-c" in options:
        return [options["-c"]]
    own = [text(each, "name") for each in items(pod, "spec", "containers")]
    if "--all-containers" in options:
        return own
    usual = annotations(pod).get(_DEFAULT_CONTAINER, "")
    return [usual] if usual in own and usual else own[:1]


def _top(call: KubectlCall, reader: Reader, deadline: Deadline) -> Output:
    measured = replace(call, kind=f"{call.kind}Metrics")
    answers = [(read, reader.answer(read, deadline)) for read in _reads(measured)]
    if missing := next((read.name for read, answer in answers if answer.status == 404), None):
        return _not_found(measured, missing)
    if any(answer.status == 404 for _, answer in answers):
        raise UnseenError(Unseen(what="metrics", why="the metrics API is not available: is metrics-server installed?"))
    found = [each for read in _reads(measured) for each in reader.objects(read, deadline)]
    if not found:
        raise UnseenError(Unseen(what="metrics", why="the metrics API has no data yet"))
    return Output(_nodes(call, found, reader, deadline) if call.kind == "Node" else _usage(call, found))


def _usage(call: KubectlCall, pods: Iterable[Object]) -> str:
    apart = "--containers" in call.options
    rows: list[tuple[list[str], float, float]] = []
    for pod in pods:
        used = [
            (text(each, "name"), _amount(each, "cpu"), _amount(each, "memory")) for each in items(pod, "containers")
        ]
        if apart:
            rows += [([name(pod), container], cpu, memory) for container, cpu, memory in used]
        else:
            rows.append(([name(pod)], sum(each[1] for each in used), sum(each[2] for each in used)))
    _sort(rows, call.options.get("--sort-by", ""))
    heads = ["POD", "NAME"] if apart else ["NAME"]
    lines = [[*names, _cpu(cpu), _memory(memory)] for names, cpu, memory in rows]
    return columns([*([] if "--no-headers" in call.options else [[*heads, "CPU(cores)", "MEMORY(bytes)"]]), *lines])


def _nodes(call: KubectlCall, measured: Iterable[Object], reader: Reader, deadline: Deadline) -> str:
    nodes = {name(each): each for each in _objects(replace(call, kind="Node"), reader, deadline)}
    rows = [([name(each)], _amount(each, "cpu"), _amount(each, "memory")) for each in measured]
    _sort(rows, call.options.get("--sort-by", ""))
    lines = [["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"]]
    for names, cpu, memory in rows:
        there = at(nodes.get(names[0]), "status", "allocatable")
        shares = [_share(cpu, at(there, "cpu")), _share(memory, at(there, "memory"))]
        lines.append([*names, _cpu(cpu), shares[0], _memory(memory), shares[1]])
    return columns(lines[1:] if "--no-headers" in call.options else lines)


def _sort(rows: list[tuple[list[str], float, float]], by: str) -> None:
    rows.sort(key=lambda row: row[0])
    if by in {"cpu", "memory"}:
        rows.sort(key=lambda row: row[1 if by == "cpu" else 2], reverse=True)


def _amount(measured: Object, resource: str) -> float:
    return quantity(at(measured, "usage", resource)) or 0.0


def _cpu(cores: float) -> str:
    return f"{cores * 1000:.0f}m"


def _memory(size: float) -> str:
    return f"{size / 2**20:.0f}Mi"


def _share(used: float, allocatable: Any) -> str:
    most = quantity(allocatable)
    return f"{int(used / most * 100)}%" if most else "<unknown>"


def _status(call: KubectlCall, reader: Reader, deadline: Deadline) -> Output:
    """Return the state of a rollout now; unlike kubectl it is not waited for."""
    found = _objects(call, reader, deadline)
    if not found:
        return _not_found(call, call.names[0])
    said, complete = rollout_state(found[0], call.kind)
    return Output(said if complete else f"{said}\nerror: the rollout is not complete", 0 if complete else 1)


def rollout_state(workload: Object, kind: str) -> tuple[str, bool]:
    """Return a rollout's state in kubectl's words, and True if it is complete (kubectl, polymorphichelpers)."""
    what, status = f'{kind.lower()} "{name(workload)}"', at(workload, "status")
    wanted = number(workload, "spec", "replicas") if at(workload, "spec", "replicas") is not None else 1
    waiting = f"Waiting for {what} rollout to finish: "
    if number(workload, "metadata", "generation") > number(status, "observedGeneration"):
        return f"Waiting for {kind.lower()} spec update to be observed...", False
    if kind == "DaemonSet":
        wanted, updated = number(status, "desiredNumberScheduled"), number(status, "updatedNumberScheduled")
        ready = number(status, "numberAvailable")
    else:
        updated = number(status, "updatedReplicas")
        ready = number(status, "readyReplicas" if kind == "StatefulSet" else "availableReplicas")
    if text(condition(workload, "Progressing"), "reason") == "ProgressDeadlineExceeded":
        return f"error: {what} exceeded its progress deadline", False
    if updated < wanted:
        return f"{waiting}{updated} out of {wanted} new {_unit(kind)} have been updated...", False
    if kind == "Deployment" and number(status, "replicas") > updated:
        return f"{waiting}{number(status, 'replicas') - updated} old replicas are pending termination...", False
    if ready < wanted:
        return f"{waiting}{ready} of {wanted} updated {_unit(kind)} are available...", False
    if kind == "StatefulSet":
        return (
            f"statefulset rolling update complete {updated} pods at revision {text(status, 'updateRevision')}...",
            True,
        )
    return f"{what} successfully rolled out", True


def _unit(kind: str) -> str:
    return "replicas" if kind == "Deployment" else "pods"


def _history(call: KubectlCall, reader: Reader, deadline: Deadline) -> Output:
    found = _objects(call, reader, deadline)
    if not found:
        return _not_found(call, call.names[0])
    kind = "ReplicaSet" if call.kind == "Deployment" else "ControllerRevision"
    made = owned(reader.objects(listing(kind, call.namespace), deadline), found[0])
    numbered = sorted((_revision(each), annotations(each).get("kubernetes.io/change-cause", "<none>")) for each in made)
    lines = [["REVISION", "CHANGE-CAUSE"], *([str(revision), cause] for revision, cause in numbered if revision)]
    return Output(f"{_full(call.kind)}/{call.names[0]} \n{columns(lines, gap=2)}")


def _revision(found: Object) -> int:
    written = annotations(found).get(_REVISION, "")
    return int(written) if written.isdecimal() and len(written) < 10 else number(found, "revision")
