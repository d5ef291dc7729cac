"""Answers for kubectl besides objects: versions, groups and resources, and its protobuf of access reviews."""

from collections.abc import Iterator, Mapping
from typing import Any

from responder.diagnose.cluster.reader import RESOURCES
from responder.runbooks.kubectl import KINDS

_VERSION = {"major": "1", "minor": "32", "gitVersion": "v1.32.0"}
#: Group of an access review, which is posted and not read.
_REVIEWS = "authorization.k8s.io/v1"
#: Field numbers of SelfSubjectAccessReviewSpec.resourceAttributes in authorization.k8s.io/v1.
_ATTRIBUTES = {2: "verb", 3: "group", 5: "resource", 6: "subresource"}


def document(path: str) -> Mapping[str, Any] | None:
    """Return a discovery document; None for a path that is none."""
    versions = sorted({each.root.removeprefix("/apis/") for each in RESOURCES.values() if each.root != "/api/v1"})
    if path == "/version":
        return _VERSION
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        groups = [_group(each) for each in (*versions, _REVIEWS)]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    own = [each for each in RESOURCES.values() if each.root == path]
    if not own and path != f"/apis/{_REVIEWS}":
        return None
    listed: list[dict[str, Any]] = [
        {
            "name": each.plural,
            "singularName": each.kind.lower(),
            "shortNames": KINDS.get(each.kind, "").split()[1:],
            "namespaced": each.namespaced,
            "kind": each.kind,
        }
        for each in own
    ]
    if path == "/api/v1":
        listed.append({"name": "pods/log", "singularName": "", "namespaced": True, "kind": "Pod"})
    if not own:
        listed.append({"name": "selfsubjectaccessreviews", "namespaced": False, "kind": "SelfSubjectAccessReview"})
    version = path.removeprefix("/apis/").removeprefix("/api/")
    resources = [{**each, "verbs": ["get", "list"] if own else ["create"]} for each in listed]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources}


def _group(version: str) -> Mapping[str, Any]:
    name, _, short = version.partition("/")
    known = {"groupVersion": version, "version": short}
    return {"name": name, "versions": [known], "preferredVersion": known}


def reviewed(body: bytes) -> Mapping[str, str]:
    """Return the attributes of an access review that kubectl posts as protobuf."""
    raw = _field(body.removeprefix(b"k8s\x00"), 2)
    attributes = _field(_field(raw, 2), 1)
    return {name: _field(attributes, number).decode() for number, name in _ATTRIBUTES.items()}


def _field(message: bytes, wanted: int) -> bytes:
    return next((value for number, value in _fields(message) if number == wanted), b"")


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the fields of a message that have a length, which are all that occur in a review."""
    rest = memoryview(message)
    while rest:
        key, rest = _varint(rest)
        length, rest = _varint(rest)
        yield key >> 3, bytes(rest[:length])
        rest = rest[length:]


def _varint(rest: memoryview) -> tuple[int, memoryview]:
    value = shift = 0
    for number, byte in enumerate(rest):
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, rest[number + 1 :]
    raise ValueError("a number without an end")
