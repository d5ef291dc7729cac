"""Templates compared: what a rollout changed, without the values of variables."""

from __future__ import annotations

from typing import Any

import pytest

from responder.diagnose.cluster.objects import pruned
from responder.diagnose.cluster.template import differences


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
        (template(env=[{"name": "URL", "value": "a"}]), template(), ["env -URL"]),
        (
            template(env=[{"name": "URL", "value": "a"}]),
            template(env=[{"name": "URL", "value": "b"}]),
            ["env URL changed"],
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
    assert kept["items"][0]["data"]["spec"]["template"]["spec"]["containers"]
