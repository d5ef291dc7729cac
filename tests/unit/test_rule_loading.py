"""Changed rule files are read by a child process first, so that no file can hang or crash a worker."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from responder import bootstrap
from responder.engine.workers.rule_reloader import LoadedRules, RuleReloader
from responder.model.problem import InvalidRules
from responder.settings import Settings, read
from tests.conftest import HandClock

ROOT = Path(__file__).parents[2]


@pytest.fixture(name="settings")
def some_settings(tmp_path: Path) -> Settings:
    """Settings with a copy of the shipped rules."""
    rules = shutil.copytree(ROOT / "rules", tmp_path / "rules")
    return read({"RESPONDER_RULES": str(rules), "RESPONDER_RUNBOOKS": str(ROOT / "runbooks")})


def test_the_rules_are_the_same(settings: Settings) -> None:
    """A reload yields the same rule book as a start."""
    assert bootstrap.load_changed(settings, {}).context.book == bootstrap.load_rules(settings.rules, settings.runbooks)


def test_every_problem_is_reported(settings: Settings) -> None:
    """A reload reports the same problems as `rules check`."""
    bad = "rules:\n  - id: one\n    nonsense: 1\n  - id: two\n    severity: P9\n"
    (Path(settings.rules) / "50-bad.yaml").write_text(bad)
    with pytest.raises(InvalidRules) as reloaded:
        bootstrap.load_changed(settings, {})
    with pytest.raises(InvalidRules) as loaded:
        bootstrap.load_rules(settings.rules, settings.runbooks)
    assert len(loaded.value.problems) > 1
    assert reloaded.value.problems == loaded.value.problems


def test_a_file_that_hangs_the_parser_leaves_the_rules_in_force(settings: Settings, clock: HandClock) -> None:
    """The child process is killed at its deadline; the worker reports it, keeps its rules and takes the next change."""
    seconds = [0.02, bootstrap.READ_SECONDS]

    def again() -> LoadedRules:
        return bootstrap.load_changed(settings, {}, seconds.pop(0))

    rules = RuleReloader(bootstrap.loaded(settings, {}), again, lambda: bootstrap.rule_files(settings), clock)
    before = rules.context()
    rules.request_reload()
    rules.step()
    assert (rules.context() is before, rules.state.refused) == (True, 1)
    rules.request_reload()
    rules.step()
    assert (rules.context() is before, rules.state.refused) == (False, 0)


def test_a_deadline_kills_the_child(settings: Settings) -> None:
    """A child that hangs does not stay behind."""
    # In a process of its own, since this one may have children of other tests.
    script = (
        "import os, sys; from responder import bootstrap; from responder.settings import read\n"
        "settings = read({'RESPONDER_RULES': sys.argv[1], 'RESPONDER_RUNBOOKS': sys.argv[2]})\n"
        "try: bootstrap.load_changed(settings, {}, 0.02)\n"
        "except OSError as error: print(error)\n"
        "try: print(os.waitpid(-1, os.WNOHANG))\n"
        "except ChildProcessError: print('no child')\n"
    )
    command = [sys.executable, "-c", script, settings.rules, settings.runbooks]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "reading the rule files took longer than 0.02 s\nno child\n"


def test_a_child_that_crashes_is_reported(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash of the parser is no problem of the rules: it is reported as what it is."""
    (tmp_path / "yaml.py").write_text("import os\nos.kill(os.getpid(), 9)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(OSError, match="ended with status -9"):
        bootstrap.load_changed(settings, {})
