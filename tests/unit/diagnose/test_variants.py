"""Second variants of scenarios: the same class of cause in other words, and what must not be taken for it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from responder.diagnose.explain import explain
from tests.support.kubernetes.investigation import clues_of
from tests.support.kubernetes.scenarios import load

WEBHOOK_REFUSES = "dial tcp 10.43.7.9:443: connect: connection refused"


def cause_of(folder: Path, name: str, *changes: tuple[str, str]) -> str:
    """Return the cause, as a sentence, of a scenario with some texts of its file replaced; empty without one."""
    text = Path(f"tests/scenarios/{name}.yaml").read_text("utf-8")
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    changed = folder / f"{name}.yaml"
    changed.write_text(text, "utf-8")
    cause = explain(clues_of(load(changed, datetime.now(UTC)))).cause
    return cause.says if cause else ""


@pytest.mark.parametrize(
    ("name", "changes", "says"),
    [
        (
            "rollout-recreate-old-pod-terminating",
            [("[archive.example.net/flush]", "[]")],
            "no finalizer holds it, so its node does not stop it; ledgerd starts no new pod before that",
        ),
        (
            "svc-governing-service-missing",
            [
                (
                    "kind: Service\n    metadata:\n      name: beaver\n",
                    "kind: Service\n    metadata:\n      name: beaver-headless\n",
                )
            ],
            "host beaver-0.beaver-headless does not resolve: Service beaver-headless is not headless",
        ),
        (
            "dns-upstream-timeouts",
            [("53: i/o timeout", "53: read: connection refused")],
            "no answer from 169.254.169.253",
        ),
        (
            "svc-listens-on-loopback",
            [("INFO  listening on 127.0.0.1:8080", "Uvicorn running on http://127.0.0.1:8080 (Press CTRL+C to quit)")],
            "pricer listens on loopback only",
        ),
        (
            "admission-webhook-workload-crashes",
            [('no endpoints available for service "sidecar-injector"', WEBHOOK_REFUSES)],
            "all 2 pods of sidecar-injector crash-loop",
        ),
        (
            "netpol-namespace-relabelled",
            [("db-client: catalogue", "purpose: ratings")],
            "(namespace ratings has no db-client, edited by kubectl-label",
        ),
        (
            "chain-two-steps-redis-volume-full",
            [("500 Internal Server Error", "upstream returned 503")],
            "log of carts-redis (1 of 1 logs read): Failed opening the temp RDB file",
        ),
    ],
)
def test_a_variant_has_the_same_cause(tmp_path: Path, name: str, changes: list[tuple[str, str]], says: str) -> None:
    """The class is recognized, not the example."""
    assert says in cause_of(tmp_path, name, *changes)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("svc-listens-on-loopback", [("exec:", "httpGet:")]),
        ("svc-listens-on-loopback", [("listening on 127.0.0.1:8080", "listening on 127.0.0.1:9090")]),
        ("netpol-namespace-relabelled", [("db-client: catalogue", "db-client: catalog")]),
        ("dns-upstream-timeouts", [("plugin/errors: 2 api.bank", "plugin/cache: 2 api.bank")]),
    ],
)
def test_what_is_no_such_cause(tmp_path: Path, name: str, changes: list[tuple[str, str]]) -> None:
    """A kubelet that reaches the port, another port, and other lines of CoreDNS are no evidence."""
    assert cause_of(tmp_path, name, *changes) == ""
