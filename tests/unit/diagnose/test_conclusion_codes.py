"""Codes of conclusions: each that a look gives has its words and its first step."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from responder.diagnose.conclude import conclude
from responder.model.clue import Clue, Role
from responder.model.conclusion_codes import CODES, closest, is_known
from responder.model.finding import Finding, Verdict
from tests.support.builders import a_finding, a_subject

#: The looks at a cluster, and the probes: one of Grafana gives a clue, too.
LOOKS = sorted(
    path for folder in ("cluster/causes", "probes") for path in Path("responder/diagnose", folder).glob("*.py")
)
#: Codes of clues that never explain an alert.
CONTEXT = {
    *("change-none", "change-after", "node-ready", "node-cordoned", "pods-ready", "rollout-under-way", "unseen"),
    *(
        "rollout-on-delete",
        "rollout-partition",
        "job-active",
        "job-done",
        "volume-waits",
        "health-unseen",
        "namespace-unready",
        "namespace-ready",
        "autoscaler",
        "certificate-ready",
        "sync-failed",
        "preempted",
        "volume-bound",
    ),
}


def test_every_code_has_a_step() -> None:
    """A look that gives a code without words and a step for it is found."""
    written = {
        keyword.value.value
        for path in LOOKS
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Clue"
        for keyword in node.keywords
        if keyword.arg == "code" and isinstance(keyword.value, ast.Constant)
    }
    assert written - set(CODES) - CONTEXT == set()


def test_no_word_holds_a_fact_by_accident() -> None:
    """A search for OOM, a taint or a quota in a page finds no word such as "room": one reads a page by such words."""
    texts = [text for code in CODES.values() for text in (code.short, code.step)]
    texts += [
        node.value
        for path in LOOKS
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value
    ]
    accident = re.compile(r"(?i)\b[a-z]+(?:oom|taint|quota|evict)[a-z]*|\boom[a-z]+")
    found = {word for text in texts for word in accident.findall(text)}
    assert found <= {"btaint", "toomanyrequests"}  # of patterns, which no page shows


def test_every_code_is_one_that_a_look_gives() -> None:
    """The table has no code that no look gives."""
    text = "\n".join(path.read_text() for path in LOOKS)
    assert [code for code in CODES if f'"{code}"' not in text] == []


def test_a_code_is_known_by_its_beginning() -> None:
    """`crash` holds for `crash-memory`; half a word is unknown."""
    assert closest("crash-memory", {"crash": "Read the log."}) == "Read the log."
    assert closest("crash-memory", {"crash": "no", "crash-memory": "yes"}) == "yes"
    assert closest("crashed", {"crash": "no"}) is None
    assert is_known("crash")
    assert is_known("none")
    assert not is_known("cra")


def found(code: str, role: Role, says: str = "") -> Finding:
    """A finding of the cluster about plato."""
    clue = Clue(code=code, role=role, entity="Deployment/plato", namespace="shop", says=says or f"says {code}")
    return a_finding(Verdict.BAD if role is Role.CAUSE else Verdict.OK, kind="kubernetes", clue=clue)


def test_a_rollout_is_undone_only_where_there_was_one() -> None:
    """The step goes back to the previous revision if a rollout came before the alert, and not without one."""
    crash = found("crash", Role.CAUSE)
    with_rollout = conclude((crash, found("change-rollout", Role.CHANGE)), a_subject())
    without = conclude((crash, found("change-none", Role.FACT)), a_subject())
    later = conclude((crash, found("change-after", Role.CHANGE)), a_subject())
    assert "kubectl rollout undo deployment/plato -n shop" in with_rollout.first_step
    assert "undo" not in without.first_step
    assert "undo" not in later.first_step


def test_a_rollout_that_was_synced_is_reverted_in_git() -> None:
    """Argo CD and Flux would sync again what `kubectl rollout undo` takes back."""
    rollout, sync = found("change-rollout", Role.CHANGE), found("change-sync", Role.CHANGE)
    crash = conclude((found("crash", Role.CAUSE), rollout, sync), a_subject())
    assert crash.first_step.startswith("Revert the commit in Git that was synced; or fix what the last line")
    alone = conclude((rollout, sync), a_subject())
    assert alone.first_step == "Revert the commit in Git, if the errors began with the sync."
    assert "undo" not in crash.first_step + alone.first_step


def test_a_page_says_that_no_cause_was_found() -> None:
    """An investigation that found nothing wrong says so, once, and with what it read."""
    said = conclude((found("pods-ready", Role.FINE),), a_subject())
    assert (said.code, said.likely, said.ruled_out) == ("none", "no cause found in the cluster: says pods-ready", "")


HTTP = a_finding(Verdict.OK, kind="http", duration=0.02)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(found("unready", Role.CAUSE), id="a cause"),
        pytest.param(found("pods-unready", Role.SYMPTOM), id="a symptom"),
        pytest.param(found("unseen", Role.UNSEEN, says="pods: 403"), id="pods not read"),
        pytest.param(a_finding(Verdict.BAD, probe="replicas-ready", kind="promql"), id="a metric of the subject"),
    ],
)
def test_the_service_clears_nothing_while_something_of_it_is_not_well(other: Finding) -> None:
    """An answer through the Service comes from one ready pod, so it rules nothing out for the others."""
    assert conclude((HTTP,), a_subject()).ruled_out
    assert HTTP.headline.split(": ", 1)[1] not in conclude((HTTP, other), a_subject()).ruled_out


def test_a_slow_answer_clears_nothing() -> None:
    """The status alone is no evidence against latency."""
    slow = a_finding(Verdict.OK, kind="http", duration=1.5)
    assert conclude((slow,), a_subject()).ruled_out == ""


def test_ready_endpoints_clear_nothing_while_pods_crash() -> None:
    """Two ready endpoints of three say nothing about the pod that crashes."""
    assert conclude((found("crash", Role.CAUSE), found("service-endpoints", Role.FINE)), a_subject()).ruled_out == ""
