"""Messages of Kubernetes, container runtimes and registries, in the words of several versions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from responder.diagnose.cluster.causes import admission, config, image, scheduling
from responder.diagnose.cluster.scene import Place, Scene

NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
IMAGE = "registry.example.net/shop/orders:4.401.429"
OWNER = {"kind": "Deployment", "metadata": {"name": "orders", "uid": "d"}, "spec": {"replicas": 1}}


def pod(waiting: str = "", message: str = "", scheduled: str = "", **spec: Any) -> dict[str, Any]:
    """Return a pending pod whose container waits, or that is not scheduled."""
    return {
        "kind": "Pod",
        "metadata": {
            "name": "orders-1",
            "uid": "p",
            "creationTimestamp": "2026-11-30T08:50:00Z",
            "ownerReferences": [{"kind": "Deployment", "name": "orders", "uid": "d", "controller": True}],
        },
        "spec": {"containers": [{"name": "orders", "image": IMAGE}], **spec},
        "status": {
            "phase": "Pending",
            "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": scheduled}]
            if scheduled
            else [],
            "containerStatuses": [{"name": "orders", "state": {"waiting": {"reason": waiting, "message": message}}}]
            if waiting
            else [],
        },
    }


def event(reason: str, message: str, kind: str = "Pod", uid: str = "p") -> dict[str, Any]:
    """Return a recent event."""
    return {
        "kind": "Event",
        "metadata": {"name": "e"},
        "involvedObject": {"kind": kind, "uid": uid},
        "reason": reason,
        "message": message,
        "count": 3,
        "lastTimestamp": "2026-11-30T08:59:30Z",
    }


def scene(pods: list[dict[str, Any]], *events: dict[str, Any], nodes: tuple[dict[str, Any], ...] = ()) -> Scene:
    """Return a scene of one Deployment."""
    return Scene(
        place=Place(namespace="shop", named={"Deployment": "orders"}),
        now=NOW,
        began=NOW,
        objects={
            "Deployment": (OWNER,),
            "Pod": tuple(pods),
            "Event": events,
            "Node": nodes,
        },
    )


@pytest.mark.parametrize(
    ("message", "code", "says"),
    [
        (f'failed to resolve reference "{IMAGE}": {IMAGE}: not found', "image-tag", "does not exist"),
        (f"manifest for {IMAGE} not found: manifest unknown: manifest unknown", "image-tag", "does not exist"),
        (
            f'Failed to pull image "{IMAGE}": unexpected status from HEAD request to https://r/v2/: 401 Unauthorized',
            "image-rights",
            "denies access",
        ),
        ("unexpected status from HEAD request: 403 Forbidden", "image-rights", "denies access"),
        ("Error response from daemon: pull access denied, may require 'docker login'", "image-rights", "denies"),
        ("no basic auth credentials", "image-rights", "denies access"),
        ("429 Too Many Requests - Server message: toomanyrequests", "image-limit", "429"),
        ("dial tcp: lookup registry.example.net: no such host", "image-registry", "does not resolve"),
        ("dial tcp: lookup r on 10.0.0.2:53: read udp: i/o timeout", "image-registry", "does not resolve"),
        ("dial tcp 192.0.2.7:443: i/o timeout", "image-registry", "does not answer (dial tcp 192.0.2.7:443"),
        ("dial tcp 192.0.2.7:443: connect: connection refused", "image-registry", "does not answer"),
        ("tls: failed to verify certificate: x509: signed by unknown authority", "image-registry", "not trust"),
        ("x509: certificate has expired or is not yet valid", "image-registry", "has expired"),
        ("http: server gave HTTP response to HTTPS client", "image-registry", "no TLS"),
        ("unexpected status from HEAD request to https://r/: 503 Service Unavailable", "image-registry", "5xx"),
        ("no match for platform in manifest: not found", "image-platform", "architecture"),
        ("no matching manifest for linux/arm64/v8 in the manifest list entries", "image-platform", "architecture"),
        ("write /var/lib/containerd: no space left on device", "image-space", "disk is full"),
        ("", "image", "no longer shows"),
    ],
)
def test_a_pull_fails_for_the_reason_of_the_registry(message: str, code: str, says: str) -> None:
    """The reason is read from the message, never from numbers in the name of the image."""
    (clue,) = image.look(scene([pod("ImagePullBackOff", f'Back-off pulling image "{IMAGE}": {message}')]))
    assert clue.code == code
    assert says in clue.says
    assert IMAGE in clue.says


@pytest.mark.parametrize(
    ("reason", "code"), [("InvalidImageName", "image-name"), ("ErrImageNeverPull", "image-policy")]
)
def test_an_image_is_not_asked_for(reason: str, code: str) -> None:
    """A name that is not valid, and the policy Never, are reasons of the kubelet itself."""
    assert [clue.code for clue in image.look(scene([pod(reason)]))] == [code]


@pytest.mark.parametrize(
    ("waiting", "message", "events", "code", "says"),
    [
        ("CreateContainerConfigError", 'secret "keys" not found', (), "config-missing", "Secret keys"),
        ("CreateContainerConfigError", 'configmap "conf" not found', (), "config-missing", "ConfigMap conf"),
        (
            "CreateContainerConfigError",
            "couldn't find key url in ConfigMap shop/conf",
            (),
            "config-key",
            "key url does not exist in ConfigMap conf",
        ),
        (
            "ContainerCreating",
            "",
            ('MountVolume.SetUp failed for volume "k" : secret "keys" not found',),
            "config-missing",
            "Secret keys",
        ),
        (
            "ContainerCreating",
            "",
            (
                "Unable to attach or mount volumes: timed out waiting for the condition",
                'MountVolume.SetUp failed for volume "k" : references non-existent secret key: tls.crt',
            ),
            "config-key",
            "tls.crt",
        ),
        (
            "RunContainerError",
            'exec: "/app": stat /app: no such file or directory: unknown',
            (),
            "config-command",
            "/app",
        ),
    ],
)
def test_a_container_is_not_made(waiting: str, message: str, events: tuple[str, ...], code: str, says: str) -> None:
    """A missing object is named with its kind, from the container's own message or from the events of its volumes."""
    (clue,) = config.look(scene([pod(waiting, message)], *(event("FailedMount", each) for each in events)))
    assert clue.code == code
    assert says in clue.says


@pytest.mark.parametrize(
    ("sentence", "code", "says"),
    [
        ("0/3 nodes are available: 3 Insufficient cpu.", "schedule-room", "insufficient cpu"),
        (
            "0/3 nodes are available: 3 node(s) had untolerated taint {team: ml}. preemption: 3 Not helpful.",
            "schedule-taint",
            "taint team=ml is not tolerated (3 of 3 nodes)",
        ),
        (
            "0/3 nodes are available: 3 node(s) had taint {team: ml}, that the pod didn't tolerate.",
            "schedule-taint",
            "taint team=ml is not tolerated (3 of 3 nodes)",
        ),
        (
            "0/4 nodes are available: 1 node(s) had untolerated taint(s), 3 Insufficient memory.",
            "schedule-room",
            "insufficient memory (3 of 4 nodes); a taint is not tolerated (1 of 4 nodes)",
        ),
        ("0/2 nodes are available: 2 Too many pods.", "schedule-pods", "too many pods"),
        (
            "0/2 nodes are available: 2 node(s) didn't have free ports for the requested pod ports.",
            "schedule-port",
            "host port",
        ),
        (
            "0/2 nodes are available: 2 node(s) didn't match pod topology spread constraints.",
            "schedule-spread",
            "topology spread",
        ),
        (
            'persistentvolumeclaim "data" not found. preemption: not eligible due to a terminating pod.',
            "schedule-claim",
            "claim data does not exist",
        ),
        ("0/2 nodes are available: 2 node(s) exceed max volume count.", "schedule", "exceed max volume count"),
        ("no nodes available to schedule pods", "schedule", "no nodes available"),
    ],
)
def test_a_pod_is_not_scheduled(sentence: str, code: str, says: str) -> None:
    """Each counted reason of the scheduler is named with its nodes; what follows "preemption" is no reason."""
    (clue,) = scheduling.look(scene([pod(scheduled=sentence)]))
    assert clue.code == code
    assert says in clue.says
    assert "reemption" not in clue.says


@pytest.mark.parametrize(
    ("message", "code", "says"),
    [
        (
            'pods "orders-" is forbidden: exceeded quota: team, requested: pods=1, used: pods=10, limited: pods=10',
            "admission-quota",
            "pods 10 of 10 used, 1 more requested",
        ),
        (
            'pods "orders-" is forbidden: failed quota: team: must specify limits.cpu for: orders; limits.memory',
            "admission-quota",
            "limits.cpu",
        ),
        (
            'pods "orders-" is forbidden: error looking up service account: serviceaccount "orders" not found',
            "admission-account",
            "service account orders does not exist",
        ),
        (
            'pods "orders-" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true',
            "admission-security",
            "restricted:latest",
        ),
        (
            'pods "orders-" is forbidden: minimum cpu usage per Container is 100m, but request is 50m',
            "admission-limit",
            "minimum cpu usage per Container is 100m, but request is 50m",
        ),
        (
            'failed calling webhook "a.example": failed to call webhook: Post "https://a": context deadline exceeded',
            "admission-webhook",
            "context deadline exceeded",
        ),
        (
            'admission webhook "p.example.org" denied the request: \n\nrule:\n  no root',
            "admission-policy",
            "denies them: rule: no root",
        ),
        (
            'Pod "orders-1" is invalid: spec.containers[0].image: Required value',
            "admission-invalid",
            "image: Required value",
        ),
    ],
)
def test_a_pod_is_not_created(message: str, code: str, says: str) -> None:
    """The words of the API server become a sentence with its numbers."""
    failed = event("FailedCreate", f"Error creating: {message}", "Deployment", "d")
    (clue,) = admission.look(scene([], failed))
    assert clue.code == code
    assert says in clue.says


def test_a_refusal_before_the_newest_pod_is_over() -> None:
    """A FailedCreate of the install is not blamed once a pod was made, whatever the count is."""
    refused = {**event("FailedCreate", "x", "Deployment", "d"), "lastTimestamp": "2026-11-30T08:49:00Z"}
    two = {**OWNER, "spec": {"replicas": 2}}
    seen = scene([pod("ContainerCreating")], refused)
    seen = Scene(place=seen.place, now=NOW, began=NOW, objects={**seen.objects, "Deployment": (two,)})
    assert admission.look(seen) == ()
