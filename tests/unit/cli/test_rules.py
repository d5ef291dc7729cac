"""`responder rules check` shows every problem with its line, and ends with a status that scripts can use."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from responder.cli.rules import rules

ROOT = Path(__file__).parents[3]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped rules, with the shipped runbooks beside it."""
    shutil.copytree(ROOT / "runbooks", tmp_path / "runbooks")
    return Path(shutil.copytree(ROOT / "rules", tmp_path / "rules"))


def _check(*arguments: str) -> Result:
    return CliRunner().invoke(rules, ["check", *arguments])


def test_good_rules_end_with_zero(folder: Path) -> None:
    """Rules that are right are said to be right, in one line."""
    done = _check(str(folder))
    assert done.exit_code == 0, done.output
    assert done.output.startswith("ok  ")
    assert len(done.output.splitlines()) == 1
    assert json.loads(_check(str(folder), "--output", "json").output)["problems"] == []


def test_a_problem_is_shown_with_its_line(folder: Path) -> None:
    """People see the line, the place in it and the word that was meant."""
    (folder / "50-mine.yaml").write_text('rules:\n  - id: mine\n    match: alertname="Mine"\n    sevrity: P1\n')
    done = _check(str(folder))
    assert done.exit_code == 1
    assert "rules/50-mine.yaml:4:5: error[unknown-key] unknown key 'sevrity'\n" in done.output
    assert "  4 |     sevrity: P1\n    |     ^\n  help: did you mean 'severity'?\n" in done.output
    assert done.output.splitlines()[-1] == "2 problems in 1 file"
    found = json.loads(_check(str(folder), "--output", "json").output)["problems"]
    assert [(each["line"], each["code"]) for each in found] == [(2, "missing-key"), (4, "unknown-key")]


def test_control_characters_of_a_file_do_not_reach_the_terminal(folder: Path) -> None:
    """A rule file from somebody else cannot play tricks on the terminal."""
    (folder / "50-mine.yaml").write_text('rules: ["\x85\u202e", 7]\n')
    done = _check(str(folder))
    assert done.exit_code == 1
    assert "\u202e" not in done.output


def test_a_missing_folder_ends_with_two(tmp_path: Path) -> None:
    """A wrong path can be told from wrong rules."""
    done = _check(str(tmp_path / "nowhere"))
    assert done.exit_code == 2
    assert "no-rules" in done.output


def test_missing_runbooks_are_told(folder: Path, tmp_path: Path) -> None:
    """Rules are not called good while the runbooks they lead to are not there."""
    done = _check(str(folder), "--runbooks", str(tmp_path / "nowhere"))
    assert done.exit_code == 1
    assert "--runbooks" in done.output
