"""An operator's own causes are data in a rule file: a text, what it means, and the first step."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

from responder.diagnose.cluster.causes import investigate
from responder.diagnose.cluster.causes.named import NamedCause
from responder.diagnose.conclude import conclude
from responder.diagnose.explain import explain
from responder.diagnose.probes import PROBES
from responder.diagnose.probes.kubernetes import KubernetesSpec
from responder.model.finding import Conclusion, Verdict
from tests.support.builders import a_finding, a_subject
from tests.support.kubernetes.investigation import scene_of
from tests.support.kubernetes.scenarios import load

#: One moment for all scenes of a test: two that are compared must not lie on both sides of a second.
NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
LOCK = NamedCause(contains="WAITING for changelog lock", says="a migration waits", step="Release the lock.")


def concluded(name: str, line: str = "", minutes: float = 1.0, **causes: NamedCause) -> Conclusion:
    """Return the conclusion of a scenario with one more line, so many minutes old, in each of its logs."""
    scene = scene_of(load(Path(f"tests/scenarios/{name}.yaml"), NOW), now=NOW)
    at = (scene.began - timedelta(minutes=minutes)).isoformat()
    logs = tuple(dataclasses.replace(log, lines=(*log.lines, f"{at} {line}")) for log in scene.logs)
    clues = investigate(
        dataclasses.replace(scene, logs=logs), causes={key.replace("_", "-"): each for key, each in causes.items()}
    )
    return conclude(
        [a_finding(Verdict.BAD, kind="kubernetes", headline=each.says, clue=each) for each in clues], a_subject()
    )


def test_a_text_in_the_log_names_the_cause_and_the_first_step() -> None:
    """The operator's cause comes before what the exit of the container says, with the line that shows it."""
    said = concluded("crash-missing-env", "INFO Waiting for changelog lock....", migration_lock=LOCK)
    assert said.code == "migration-lock"
    assert said.likely == "plato: a migration waits (INFO Waiting for changelog lock....) (likely)"
    assert said.first_step == "Release the lock."


@pytest.mark.parametrize("minutes", [31, 600])
def test_an_old_line_names_nothing(minutes: float) -> None:
    """A line from long before the alert is no evidence; without the text nothing changes."""
    usual = concluded("crash-missing-env")
    assert usual.code == "crash"
    assert concluded("crash-missing-env", "Waiting for changelog lock", minutes, migration_lock=LOCK).code == "crash"
    assert concluded("crash-missing-env", migration_lock=LOCK) == usual


def test_an_event_names_a_cause() -> None:
    """The text may stand in a warning of the workload or its pods; the first cause of the file wins."""
    quota = NamedCause(contains="exceeded quota", says="the team's budget is used up")
    said = concluded("quota-exceeded", budget=quota, later=dataclasses.replace(quota, says="another"))
    assert said.code == "budget"
    assert "the team's budget is used up" in said.likely


def test_causes_that_are_not_found_change_nothing() -> None:
    """The chain through two dependencies is the same with causes that no log has."""
    scene = scene_of(load(Path("tests/scenarios/chain-two-steps-oom.yaml"), NOW), now=NOW)
    known = explain(investigate(scene, causes={"no-heap": NamedCause(contains="no such text", says="x")}))
    assert known == explain(investigate(scene))


def test_the_documented_example_is_valid() -> None:
    """The example of docs/kubernetes.md can be copied into a rule file."""
    text = Path("docs/kubernetes.md").read_text("utf-8")
    (block,) = re.findall(r"((?:    .*\n)*    +causes:\n(?:    .*\n)+)", text)
    given = yaml.safe_load(block)["probes"]["cluster"]
    spec = TypeAdapter(KubernetesSpec).validate_json(json.dumps({"causes": given["causes"]}), strict=True)
    assert given["kind"] == "kubernetes"
    assert PROBES["kubernetes"].check(spec) == ()
    assert spec.causes["migration-lock"].step.startswith("Release the lock")
