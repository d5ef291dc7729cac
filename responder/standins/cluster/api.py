"""Answers of a Kubernetes API over a list of objects: lists, selectors, limits, single objects and logs."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from responder.diagnose.cluster.reader import RESOURCES, Resource
from responder.standins.cluster.tables import table

_LOG = re.compile(r"/api/v1/namespaces/([^/]+)/pods/([^/]+)/log")
_BY_PATH = {(each.root, each.plural): each for each in RESOURCES.values()}


@dataclass(frozen=True, slots=True)
class LogText:
    """The log of a container, as a scenario gives it."""

    namespace: str
    pod: str
    container: str
    previous: bool
    text: str


@dataclass(slots=True)
class Cluster:
    """Objects, logs and denied resources. ``asked`` are the targets that were read, in order."""

    objects: Sequence[Mapping[str, Any]]
    logs: Sequence[LogText] = ()
    deny: frozenset[str] = frozenset()
    asked: list[str] = field(default_factory=list)

    def answer(self, target: str, *, as_table: bool = False) -> tuple[int, bytes]:
        """Return status and body of a GET."""
        self.asked.append(target)
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        if found := _LOG.fullmatch(parts.path):
            return self._log(found[1], found[2], query)
        for (root, plural), resource in _BY_PATH.items():
            rest = parts.path.removeprefix(root)
            match = re.fullmatch(rf"(?:/namespaces/(?P<namespace>[^/]+))?/{plural}(?:/(?P<name>[^/]+))?", rest)
            if rest != parts.path and match:
                return self._objects(resource, match["namespace"], match["name"], query, as_table=as_table)
        return failure(404, "the server could not find the requested resource")

    def _objects(
        self, resource: Resource, namespace: str | None, name: str | None, query: Mapping[str, str], *, as_table: bool
    ) -> tuple[int, bytes]:
        kind, plural = resource.kind, resource.plural
        if plural in self.deny:
            where = f' in the namespace "{namespace}"' if namespace else " at the cluster scope"
            return failure(403, f'{plural} is forbidden: User "responder" cannot list resource "{plural}"{where}')
        found = [
            each
            for each in self.objects
            if each["kind"] == kind and (namespace is None or each["metadata"].get("namespace") == namespace)
        ]
        if name is not None:
            one = next((each for each in found if each["metadata"]["name"] == name), None)
            if one is None:
                return failure(404, f'{plural} "{name}" not found')
            return 200, json.dumps(table(kind, [one]) if as_table else one).encode()
        if unknown := _unknown_field(kind, query):
            return failure(400, f"field label not supported: {unknown}")
        chosen = [each for each in found if _selected(each, query)]
        first = int(query.get("continue") or 0)
        limit = int(query.get("limit") or 0) or len(chosen)
        rest = len(chosen) - first - limit
        metadata: dict[str, Any] = {"resourceVersion": "1"}
        if rest > 0:
            metadata["continue"] = str(first + limit)
            if not query.get("labelSelector") and not query.get("fieldSelector"):
                metadata["remainingItemCount"] = rest
        page = chosen[first : first + limit]
        if as_table:
            return 200, json.dumps({**table(kind, page), "metadata": metadata}).encode()
        items = [{key: value for key, value in each.items() if key not in {"kind", "apiVersion"}} for each in page]
        version = resource.root.removeprefix("/apis/").removeprefix("/api/")
        body = {"kind": f"{kind}List", "apiVersion": version, "metadata": metadata, "items": items}
        return 200, json.dumps(body).encode()

    def _log(self, namespace: str, pod: str, query: Mapping[str, str]) -> tuple[int, bytes]:
        if "pods/log" in self.deny:
            return failure(
                403, f'pods "{pod}" is forbidden: cannot get resource "pods/log" in the namespace "{namespace}"'
            )
        previous = query.get("previous") == "true"
        for each in self.logs:
            if (each.namespace, each.pod, each.previous) == (namespace, pod, previous) and query.get(
                "container", each.container
            ) == each.container:
                lines = each.text.splitlines(keepends=True)
                return 200, "".join(lines[-int(query.get("tailLines", "100000")) :]).encode()
        if previous:
            return failure(400, f"previous terminated container in pod {pod} not found")
        return 200, b""


def failure(status: int, message: str) -> tuple[int, bytes]:
    """Return a Status as the API answers it."""
    return status, json.dumps(
        {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": status}
    ).encode()


def _selected(found: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    labels = found["metadata"].get("labels") or {}
    return _labelled(labels, query.get("labelSelector", "")) and all(
        (_field(found, key) == value) is equal for key, value, equal in _terms(query.get("fieldSelector", ""))
    )


def _labelled(labels: Mapping[str, str], selector: str) -> bool:
    for part in re.split(r",(?![^(]*\))", selector) if selector else ():
        if match := re.fullmatch(r"\s*(\S+) (in|notin) \(([^)]*)\)\s*", part):
            inside = labels.get(match[1]) in [each.strip() for each in match[3].split(",")]
            if inside is not (match[2] == "in"):
                return False
        elif "!=" in part:
            key, value = part.split("!=", 1)
            if labels.get(key.strip()) == value.strip():
                return False
        elif "=" in part:
            key, value = re.split("==?", part, maxsplit=1)
            if labels.get(key.strip()) != value.strip():
                return False
        elif part.startswith("!") is (part.strip().lstrip("!") in labels):
            return False
    return True


#: Fields that a selector may have, besides name and namespace (kubernetes.io: field selectors by kind).
_FIELDS = {
    "Pod": "spec.nodeName spec.restartPolicy spec.schedulerName spec.serviceAccountName spec.hostNetwork status.phase "
    "status.podIP status.nominatedNodeName",
    "Event": "involvedObject.kind involvedObject.namespace involvedObject.name involvedObject.uid "
    "involvedObject.apiVersion involvedObject.resourceVersion involvedObject.fieldPath reason type source "
    "reportingComponent",
    "Node": "spec.unschedulable",
    "Job": "status.successful",
}


def _unknown_field(kind: str, query: Mapping[str, str]) -> str:
    """Return a field that the API does not select by; empty if there is none."""
    known = {"metadata.name", "metadata.namespace", *_FIELDS.get(kind, "").split()}
    return next((key for key, _, _ in _terms(query.get("fieldSelector", "")) if key not in known), "")


def _terms(selector: str) -> Iterable[tuple[str, str, bool]]:
    """Yield field, value, and True for ``=``, False for ``!=``."""
    for part in selector.split(",") if selector else ():
        key, _, value = part.partition("=")
        yield key.removesuffix("!"), value.lstrip("="), not key.endswith("!")


def _field(found: Mapping[str, Any], path: str) -> str:
    value: Any = found
    for key in path.split("."):
        value = value.get(key, "") if isinstance(value, Mapping) else ""
    return str(value)
