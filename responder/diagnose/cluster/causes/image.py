"""Images that cannot be pulled: the registry's reason, and the tag, architecture, limit, right or name it is about."""

import re
from collections import defaultdict

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.pods import Container, containers, many
from responder.diagnose.cluster.scene import Scene
from responder.model.clue import Clue, Role

_WAITING = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})

#: Words of registries and container runtimes, and what they mean. The first that is found counts.
_REASONS: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), code, words)
    for pattern, code, words in (
        (
            r"no match for platform|no matching manifest|exec format",
            "image-platform",
            "it has no build for this architecture",
        ),
        (r"toomanyrequests|\b429\b|rate limit", "image-limit", "the registry's pull limit is reached (429)"),
        (r"no space left", "image-space", "the node's disk is full"),
        (
            r"denied|insufficient_scope|\b401\b|\b403\b|no basic auth|unauthorized|authentication required",
            "image-rights",
            "the registry denies access",
        ),
        (r"no such host|lookup ", "image-registry", "the registry's name does not resolve on the node"),
        (r"x509|certificate|tls:", "image-registry", "the registry's certificate is not trusted"),
        (
            r"i/o timeout|connection refused|timeout|deadline|unreachable|connection reset",
            "image-registry",
            "the registry does not answer",
        ),
        (
            r"not found|manifest unknown|name unknown|NotFound",
            "image-tag",
            "not found: the tag does not exist in the registry",
        ),
        (r"InvalidImageName|invalid reference format|couldn't parse image", "image-name", "its name is not valid"),
        (r"ErrImageNeverPull|never", "image-policy", "it is not on the node, and the pull policy is Never"),
    )
)


def look(scene: Scene) -> tuple[Clue, ...]:
    """Return a clue for each image that pods of the subject cannot pull."""
    pods = scene.pods_of(scene.workload)
    waiting: dict[str, list[Container]] = defaultdict(list)
    for pod in pods:
        for each in containers(pod):
            if each.waiting in _WAITING:
                waiting[objects.text(each.spec, "image") or objects.text(each.status, "image")].append(each)
    return tuple(_clue(scene, len(pods), image, found) for image, found in waiting.items())


def _clue(scene: Scene, total: int, image: str, waiting: list[Container]) -> Clue:
    workload = scene.workload
    said = " ".join((waiting[0].waiting, waiting[0].waits_because, *_events(scene, waiting)))
    code, reason = next(((code, words) for found, code, words in _REASONS if found.search(said)), ("image", ""))
    why = f": {reason}" if reason else ", for a reason that the cluster no longer shows (events are kept about 1 h)"
    return Clue(
        code=code,
        role=Role.CAUSE,
        entity=objects.reference(workload if workload is not None and len(waiting) > 1 else waiting[0].pod),
        says=f"{many(len(waiting), total)} cannot pull image {image}{why}",
        detail=said,
    )


def _events(scene: Scene, waiting: list[Container]) -> list[str]:
    found = scene.events_of(*(each.pod for each in waiting))
    return [objects.text(each, "message") for each in found if objects.text(each, "reason") in {"Failed", "BackOff"}][
        :4
    ]
