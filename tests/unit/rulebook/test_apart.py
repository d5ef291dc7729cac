"""Rules that a process of its own reads are the same rules, and whatever ends that process is told as what it is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from responder import bootstrap
from responder.model.problem import BadRules
from responder.rulebook.apart import NotRead, Reading
from responder.settings import Settings, read

ROOT = Path(__file__).parents[3]


def settings(rules: Path) -> Settings:
    """Where the rules are."""
    return read({"RESPONDER_RULES": str(rules), "RESPONDER_RUNBOOKS": str(ROOT / "runbooks")})


def reading(statement: str) -> Reading:
    """A process that does something else than reading."""
    return Reading(statement, env=dict(os.environ))


def test_the_rules_are_the_same() -> None:
    """Nothing of the rule book is lost on the way from the process that read it."""
    here = bootstrap.load_rules(str(ROOT / "rules"), str(ROOT / "runbooks"))
    assert bootstrap.begin_reading(settings(ROOT / "rules")).reading.book() == here


def test_every_problem_is_told_with_its_place(tmp_path: Path) -> None:
    """A start is refused with the same words as `rules check` says."""
    rules = Path(shutil.copytree(ROOT / "rules", tmp_path / "rules"))
    (rules / "50-bad.yaml").write_text("rules:\n  - id: one\n    nonsense: 1\n  - id: two\n    severity: P9\n")
    with pytest.raises(BadRules) as here:
        bootstrap.load_rules(str(rules), str(ROOT / "runbooks"))
    with pytest.raises(BadRules) as apart:
        bootstrap.begin_reading(settings(rules)).reading.book()
    assert len(here.value.problems) > 1
    assert apart.value.problems == here.value.problems


def test_a_reader_that_is_killed_is_not_taken_for_bad_rules() -> None:
    """Where the system kills the reader, the rules in force stay, and the log says what happened."""
    with pytest.raises(NotRead, match="ended with status -9"):
        reading("import os; os.kill(os.getpid(), 9)").book()


def test_a_reader_that_hangs_is_ended() -> None:
    """A rule file that cannot be read to the end holds nothing up for longer than its deadline."""
    with pytest.raises(NotRead, match=r"longer than 0\.2 s"):
        reading("import time; time.sleep(60)").book(0.2)


def test_what_the_system_refuses_is_named() -> None:
    """A runbook that cannot be opened is no traceback."""
    broken = "from responder.rulebook.apart import tell; import sys; tell(lambda: open('/no/such'), sys.stdout.buffer)"
    with pytest.raises(NotRead, match="No such file"):
        reading(broken).book()
