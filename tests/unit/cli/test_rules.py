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


def test_without_a_folder_the_rules_of_the_service_are_checked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside a container, what is checked is what `serve` reads there."""
    monkeypatch.chdir(folder / "tests")
    monkeypatch.setenv("RESPONDER_RULES", str(folder))
    assert "no runbooks found" in _check().output
    monkeypatch.setenv("RESPONDER_RUNBOOKS", str(folder.parent / "runbooks"))
    assert _check().exit_code == 0
    monkeypatch.setenv("RESPONDER_THREADS", "none")
    assert "error: RESPONDER_THREADS is not a whole number above zero" in _check().stderr


def test_a_problem_is_shown_with_its_line(folder: Path) -> None:
    """The output shows the line, the place in it and the likely word."""
    (folder / "50-mine.yaml").write_text('rules:\n  - id: mine\n    match: alertname="Mine"\n    sevrity: P1\n')
    done = _check(str(folder))
    assert done.exit_code == 1
    assert "rules/50-mine.yaml:4:5: error[unknown-key] unknown key 'sevrity'\n" in done.output
    assert "  4 |     sevrity: P1\n    |     ^\n  help: did you mean 'severity'?\n" in done.output
    assert done.output.splitlines()[-1] == "2 errors in 1 file"
    found = json.loads(_check(str(folder), "--output", "json").output)["problems"]
    assert [(each["line"], each["code"]) for each in found] == [(2, "missing-key"), (4, "unknown-key")]


def test_a_very_long_line_is_shown_around_the_place(folder: Path) -> None:
    """A regex of a thousand names, or a file on one line, leaves the problem readable."""
    line = "  - {id: mine, match: 'alertname=~\"" + "Name|" * 1000 + "\"', sevrity: P1, note: '" + "so " * 1000 + "'}"
    (folder / "50-mine.yaml").write_text(f"rules:\n{line}\n")
    shown = _check(str(folder)).output.splitlines()
    (at,) = [number for number, each in enumerate(shown) if "unknown key 'sevrity'" in each]
    assert shown[at].startswith(f"rules/50-mine.yaml:2:{line.index('sevrity') + 1}: ")
    excerpt, caret = shown[at + 1], shown[at + 2]
    assert excerpt.startswith("  2 | …")
    assert excerpt.endswith("…")
    assert max(map(len, shown)) < 200
    assert excerpt[caret.index("^") :].startswith("sevrity")


def test_control_characters_of_a_file_do_not_reach_the_terminal(folder: Path) -> None:
    """Rule files cannot send control sequences to the terminal."""
    (folder / "50-mine.yaml").write_text('rules: ["\x85\u202e", 7]\n')
    done = _check(str(folder))
    assert done.exit_code == 1
    assert "\u202e" not in done.output


def test_a_missing_folder_ends_with_two(tmp_path: Path) -> None:
    """A wrong path is distinguished from wrong rules."""
    done = _check(str(tmp_path / "nowhere"))
    assert done.exit_code == 2
    assert "no-rules" in done.output


def test_missing_runbooks_are_told(folder: Path, tmp_path: Path) -> None:
    """Rules are not called good while the runbooks they lead to are not there."""
    done = _check(str(folder), "--runbooks", str(tmp_path / "nowhere"))
    assert done.exit_code == 1
    assert "--runbooks" in done.output


def test_what_is_most_likely_wrong_is_said_beside_a_missing_runbook(folder: Path, tmp_path: Path) -> None:
    """All problems are reported at once, in rules and in runbook links."""
    mine = 'rules:\n  - {id: mine, match: alertname="Watchdog", severity: P3, first_step: Look., channels: [slack]}\n'
    (folder / "50-mine.yaml").write_text(mine)
    done = _check(str(folder), "--runbooks", str(tmp_path / "nowhere"), "--output", "json")
    found = json.loads(done.output)
    assert {each["code"] for each in found["problems"]} == {"unknown-runbook", "shadowed-rule"}
    assert found["rules"] is None
    assert done.exit_code == 1


UNUSED = '# Mine.\nprobes:\n  spare: {kind: tcp, target: "${health}"}\n'


def test_warnings_fail_only_when_asked(folder: Path) -> None:
    """Warnings do not fail the check unless --strict is set."""
    (folder / "50-mine.yaml").write_text(UNUSED)
    done = _check(str(folder))
    assert done.exit_code == 0
    assert "rules/50-mine.yaml:3:3: warning[unused-probe] no rule runs the probe 'spare'" in done.output
    assert done.output.splitlines()[-2:][0] == "1 warning in 1 file"
    assert _check(str(folder), "--strict").exit_code == 1
    [found] = json.loads(_check(str(folder), "--output", "json").output)["problems"]
    assert (found["level"], found["code"]) == ("warning", "unused-probe")


def test_the_shipped_rules_are_clean(folder: Path) -> None:
    """The shipped rules have no problem and no suppressed one."""
    assert _check(str(folder), "--strict").exit_code == 0
    assert "responder: ignore" not in "".join(path.read_text() for path in folder.glob("*.yaml"))


@pytest.mark.parametrize(
    ("comment", "codes"),
    [
        ('  # responder: ignore unused-probe until=2999-01-01 reason="for May"', []),
        ('  # responder: ignore unused-probe until=2020-01-01 reason="for May"', ["expired-ignore", "unused-probe"]),
        ('  # responder: ignore unused-probe reason="for May"', ["bad-ignore", "unused-probe"]),
        ("  # responder: ignore unused-probe until=2999-01-01", ["bad-ignore", "unused-probe"]),
        ('  # responder: ignore unused-prob until=2999-01-01 reason="for May"', ["bad-ignore", "unused-probe"]),
        ('  # responder: ignore plain-regex until=2999-01-01 reason="for May"', ["unused-ignore", "unused-probe"]),
    ],
)
def test_a_comment_silences_with_a_reason_and_an_end(folder: Path, comment: str, codes: list[str]) -> None:
    """A finding can be set aside in the file itself, never without a reason and never for ever."""
    (folder / "50-mine.yaml").write_text(UNUSED.replace("probes:\n", f"probes:\n{comment}\n"))
    found = json.loads(_check(str(folder), "--output", "json").output)["problems"]
    assert [each["code"] for each in found] == codes


def test_a_comment_may_stand_on_the_line_itself(folder: Path) -> None:
    """There is room for the excuse beside what it excuses, and it speaks of nothing else."""
    comment = '  # responder: ignore unused-probe until=2999-01-01 reason="for May"'
    (folder / "50-mine.yaml").write_text(UNUSED.rstrip() + comment + '\n  more: {kind: tcp, target: "${health}"}\n')
    found = json.loads(_check(str(folder), "--output", "json").output)["problems"]
    assert [(each["code"], each["line"]) for each in found] == [("unused-probe", 4)]


def test_code_hosts_and_editors_can_read_it(folder: Path) -> None:
    """Findings stand beside the line in a review, at a path that exists in the repository."""
    (folder / "50-mine.yaml").write_text(UNUSED)
    [line] = _check(str(folder), "--output", "github").output.splitlines()
    path = f"{folder}/50-mine.yaml"
    assert line.startswith(f"::warning file={path},line=3,col=3,title=unused-probe::no rule runs the probe 'spare' (")
    sarif = json.loads(_check(str(folder), "--output", "sarif").output)
    [run] = sarif["runs"]
    assert sarif["version"] == "2.1.0"
    [result] = run["results"]
    assert (result["ruleId"], result["level"]) == ("unused-probe", "warning")
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == path
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["unused-probe"]


def test_a_code_explains_itself() -> None:
    """Each code is explained on the command line."""
    done = _check("--explain", "shadowed-rule")
    assert done.exit_code == 0
    assert "Bad:" in done.output
    wrong = _check("--explain", "shadowed-rul")
    assert wrong.exit_code == 2
    assert "did you mean 'shadowed-rule'?" in wrong.output
