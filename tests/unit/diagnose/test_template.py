"""Templates compared: what a rollout changed, without the values of variables."""

from __future__ import annotations

from typing import Any

import pytest

from responder.diagnose.cluster.objects import pruned
from responder.diagnose.cluster.template import differences, unread


def template(spec: dict[str, Any] | None = None, **container: Any) -> dict[str, Any]:
    """Return a pod template as the API gives it, parsed."""
    found: dict[str, Any] = pruned(
        {
            "metadata": {"labels": {"app": "plato"}},
            "spec": {"containers": [{"name": "plato", "image": "plato:1", **container}], **(spec or {})},
        }
    )
    return found


PROBE = {"httpGet": {"path": "/ready", "port": 8080}, "timeoutSeconds": 5}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (template(), template(image="plato:2"), ["image 1 -> 2"]),
        (
            template(ports=[{"containerPort": 8080, "name": "http"}]),
            template(ports=[{"containerPort": 8080, "name": "api"}]),
            ["ports 8080 http -> 8080 api"],
        ),
        (template(env=[{"name": "URL", "value": "a"}]), template(), ["env -URL"]),
        (
            template(env=[{"name": "URL", "value": "a"}]),
            template(env=[{"name": "URL", "value": "b"}]),
            [],
        ),
        (
            template(env=[{"name": "URL", "valueFrom": {"secretKeyRef": {"name": "db", "key": "a"}}}]),
            template(env=[{"name": "URL", "valueFrom": {"secretKeyRef": {"name": "db", "key": "b"}}}]),
            ["env URL Secret db key a -> Secret db key b"],
        ),
        (template(env=[{"name": "URL", "value": "a"}]), template(env=[{"name": "URL", "value": "a"}]), []),
        (
            template(readinessProbe=PROBE),
            template(readinessProbe={**PROBE, "timeoutSeconds": 1}),
            ["readiness probe timeoutSeconds 5 -> 1"],
        ),
        (
            template(resources={"limits": {"memory": "1Gi"}}),
            template(resources={"limits": {"memory": "512Mi"}}),
            ["limits.memory 1Gi -> 512Mi"],
        ),
        (template(), template({"affinity": {"podAntiAffinity": {"required": []}}}), ["affinity added"]),
        (
            template({"nodeSelector": {"pool": "a"}}),
            template({"nodeSelector": {"pool": "b"}}),
            ["nodeSelector pool=a -> pool=b"],
        ),
        (
            template({"imagePullSecrets": [{"name": "old"}]}),
            template({"imagePullSecrets": [{"name": "new"}]}),
            ["imagePullSecrets old -> new"],
        ),
    ],
)
def test_a_difference_is_a_phrase(before: dict[str, Any], after: dict[str, Any], said: list[str]) -> None:
    """Each changed field is one phrase with both sides, or the name alone where both sides would be long or secret."""
    assert list(differences(before, after)) == said


def env(*names: str) -> list[dict[str, Any]]:
    """Return variables of these names."""
    return [{"name": name, "value": f"the value of {name}"} for name in names]


@pytest.mark.parametrize(
    ("annotations", "names", "said"),
    [
        ({}, "", []),
        ({}, "URL", ["the value of env URL (values are not read)"]),
        ({}, "URL REGION", ["the value of env URL or REGION (values are not read)"]),
        ({}, "A B C", ["the value of env A, B or C (values are not read)"]),
        ({}, "A B C D E F G", ["the value of env A, B, C, D, E or 2 more (values are not read)"]),
        ({"checksum/config": "b"}, "URL", ["annotation +checksum/config"]),
        ({"kubectl.kubernetes.io/restartedAt": "2026"}, "URL", ["restarted by kubectl"]),
    ],
)
def test_a_change_that_is_not_read_is_named_as_far_as_it_is_known(
    annotations: dict[str, str], names: str, said: list[str]
) -> None:
    """A new revision differs from the one before: where no field does, the value of a variable was changed."""
    known = template(env=[*env(*names.split()), {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "db"}}}])
    after = {**known, "metadata": {**known["metadata"], "annotations": annotations}}
    assert differences(known, after) == ()
    assert list(unread(known, after)) == said


def test_contents_are_dropped_and_revisions_are_kept() -> None:
    """Values of variables, Secrets and ConfigMaps do not survive parsing; the template of a revision does."""
    kept = pruned(
        {
            "kind": "ControllerRevisionList",
            "items": [{"data": {"spec": {"template": {"spec": {"containers": [{"env": [{"value": "s3cret"}]}]}}}}}],
            "secret": {"data": {"password": "s3cret"}, "stringData": {"password": "s3cret"}},
        }
    )
    assert "s3cret" not in str(kept)
    assert str(hash("s3cret")) not in str(kept), "nor can a guess be checked"
    assert kept["items"][0]["data"]["spec"]["template"]["spec"]["containers"]
