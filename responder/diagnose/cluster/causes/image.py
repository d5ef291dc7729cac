"""Images that cannot be pulled: the registry's reason, and the tag, architecture, limit, right or name it is about."""

import re
from collections import defaultdict
from datetime import datetime, timedelta

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.pods import Container, architecture, containers, some_of
from responder.diagnose.cluster.scene import Scene, last_seen
from responder.model.clock import ago
from responder.model.clue import Clue, Role

_WAITING = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})

#: Words of registries and container runtimes, and what they mean. The first that is found counts.
_REASONS: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), code, words)
    for pattern, code, words in (
        (
            r"no match for platform|no matching manifest|exec format|does not match the specified platform",
            "image-platform",
            "it has no build for the architecture of its node",
        ),
        (
            r"toomanyrequests|\b429 Too|status: 429|rate limit",
            "image-limit",
            "the registry's pull limit is reached (429 Too Many Requests)",
        ),
        (r"no space left", "image-space", "the node's disk is full (no space left on device)"),
        (
            r"denied|insufficient_scope|no basic auth|unauthorized|forbidden|authenti|authorization failed",
            "image-rights",
            "the registry denies access",
        ),
        (r"no such host|lookup ", "image-registry", "the registry's name does not resolve on the node"),
        (
            r"certificate has expired|certificate is not yet valid",
            "image-registry",
            "the registry's certificate has expired or is not valid yet",
        ),
        (
            r"x509|certificate|tls:|HTTP response to HTTPS client",
            "image-registry",
            "the node does not trust the registry's TLS certificate, or the registry speaks no TLS",
        ),
        (
            r"i/o timeout|connection refused|timeout|deadline|unreachable|connection reset|no route to host",
            "image-registry",
            "the registry does not answer",
        ),
        (
            r"\b5\d\d (?:Internal|Bad|Service|Gateway)",
            "image-registry",
            "the registry answers with a server error (5xx)",
        ),
        (
            r"not found|manifest unknown|name unknown|NotFound|does not exist",
            "image-tag",
            "not found: the tag does not exist in the registry",
        ),
        (
            r"InvalidImageName|invalid reference format|couldn't parse image|must be lowercase",
            "image-name",
            "its name is not valid",
        ),
        (r"ErrImageNeverPull|policy of Never", "image-policy", "it is not on the node, and the pull policy is Never"),
    )
)
#: The part of an error that names the registry and what it answered: the end of the chain of a runtime's messages.
_DETAIL = re.compile(r"((?:dial tcp|x509|tls|http)[ :].{1,90}?)\"?$")
#: The registry's own words for a missing right.
_REFUSAL = re.compile(
    r"40[13] (?:Unauthorized|Forbidden)|pull access denied|insufficient_scope|no basic auth credentials"
)
_STARTING = frozenset({"ContainerCreating", "PodInitializing"})
_OF_PULLS = frozenset({"Pulling", "Pulled", "Failed", "BackOff", "Created", "Started"})
_PULLING = re.compile(r'Pulling image "([^"]+)"')
#: Time after which a pull is worth a word: most images take less.
_LONG = timedelta(minutes=2)
_SECRETS = re.compile(r"image pull secrets \(([^)]+)\)")


def look(scene: Scene) -> tuple[Clue, ...]:
    """Return a clue for each image that pods of the subject cannot pull."""
    pods = scene.pods_of(scene.workload)
    waiting: dict[str, list[Container]] = defaultdict(list)
    for pod in pods:
        for each in containers(pod):
            if each.waiting in _WAITING:
                waiting[objects.text(each.spec, "image") or objects.text(each.status, "image")].append(each)
    return (*(_clue(scene, len(pods), image, found) for image, found in waiting.items()), *_pulling(scene, pods))


def _pulling(scene: Scene, pods: tuple[Object, ...]) -> tuple[Clue, ...]:
    """Return the image that is being pulled for long, without an error: the newest event of its pod says so."""
    found: dict[str, list[tuple[datetime, Object]]] = defaultdict(list)
    for pod in pods:
        if not any(each.waiting in _STARTING for each in containers(pod)):
            continue
        newest = next((each for each in scene.events_of(pod) if objects.text(each, "reason") in _OF_PULLS), {})
        began = last_seen(newest)
        match = _PULLING.match(objects.text(newest, "message"))
        if match and began and scene.now - began > _LONG:
            found[match[1]].append((began, pod))
    clues: list[Clue] = []
    for image, since in found.items():
        began = min(moment for moment, _ in since)
        says = (
            f"{some_of(scene.workload, [pod for _, pod in since], len(pods))} not started: pulling image {image} "
            f"for {ago(scene.now, began)}, without an error so far"
        )
        entity = objects.reference(since[0][1])
        clues.append(Clue(code="image-pulling", role=Role.CAUSE, entity=entity, says=says, since=began))
    return tuple(clues)


def _clue(scene: Scene, total: int, image: str, waiting: list[Container]) -> Clue:
    workload = scene.workload
    events = _events(scene, waiting)
    # The name of an image may hold words and numbers of the table.
    said = " ".join((waiting[0].waiting, waiting[0].waits_because, *events)).replace(image, "")
    code, reason = next(((code, words) for found, code, words in _REASONS if found.search(said)), ("image", ""))
    if code == "image-platform" and (kind := architecture(scene, waiting[0].pod)):
        reason = f"{reason} ({kind})"
    if code == "image-space" and (node := objects.text(waiting[0].pod, "spec", "nodeName")):
        reason = f"the disk of node {node} is full (no space left on device)"
    if code == "image-rights" and (refusal := _REFUSAL.search(said)):
        reason = f"{reason} ({refusal[0]})"
    several = len(objects.items(waiting[0].pod, "spec", "containers")) > 1
    of = f" of container {waiting[0].name}" if several else ""
    why = f": {reason}" if reason else ", for a reason that the cluster no longer shows (events are kept about 1 h)"
    reasons = (match[1] for each in (waiting[0].waits_because, *events) if (match := _DETAIL.search(each)))
    detail = next(reasons, "") if code == "image-registry" else ""
    lacking = next((match[1] for each in events if (match := _SECRETS.search(each))), "")
    return Clue(
        code=code,
        role=Role.CAUSE,
        entity=objects.reference(workload if workload is not None and len(waiting) > 1 else waiting[0].pod),
        says=f"{some_of(workload, [each.pod for each in waiting], total)} cannot pull image {image}{of}{why}"
        + (f" ({detail})" if detail else "")
        + (f"; pull secret {lacking} cannot be read (missing or unreadable)" if lacking else ""),
        since=min((found for each in waiting if (found := objects.created(each.pod))), default=None),
        detail=said.replace("toomanyrequests: ", ""),  # the registry's code, of which the words are beside it
    )


def _events(scene: Scene, waiting: list[Container]) -> list[str]:
    """Return what the newest events say about pulls; a missing pull secret is an event of its own."""
    found = scene.events_of(*(each.pod for each in waiting))
    reasons = {"Failed", "BackOff", "FailedToRetrieveImagePullSecret", "InspectFailed", "ErrImageNeverPull"}
    return [objects.text(each, "message") for each in found if objects.text(each, "reason") in reasons][:8]
