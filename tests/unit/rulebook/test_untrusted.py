"""Rule files of a change under review: the work is linear in their problems, bounded in time, and stays inside."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from responder.bootstrap import load_rules, rule_references
from responder.cli.findings import as_text
from responder.cli.rules import rules
from responder.cli.rules.check import findings_of
from responder.model.problem import InvalidRules
from responder.rulebook.cases import load_cases
from responder.rulebook.lint import LintResult, examine

HEAD = """\
platform: {environment: prod, namespace: shop}
severities:
  P1: {meaning: m, response: r, respond_within: 15m, responders: all, pages: true, pagerduty: critical,
    page_budget: 8s, next_update: 1h}
defaults: {channels: [pagerduty]}
"""
LAST = "  - {id: unknown, match: [], severity: P1, first_step: x}\n"


def _rule(number: int, match: str, more: str = "") -> str:
    return f"  - {{id: r{number}, match: '{match}', severity: P1, first_step: x{more}}}\n"


def _many(line: Callable[[int], str]) -> Callable[[int], str]:
    return lambda count: f"{HEAD}rules:\n{''.join(map(line, range(count)))}{LAST}"


def _unknown_probes(count: int) -> str:
    probes = "".join(f"  probe-number-{each}: {{kind: tcp}}\n" for each in range(count))
    rules = "".join(_rule(each, f'a="{each}"', f", probes: [prove-nunber-{each}x]") for each in range(count))
    return f"{HEAD}probes:\n{probes}rules:\n{rules}{LAST}"


def _zones(count: int) -> str:
    window = "{{days: [mon], hours: 08:00-18:00, zone: Europe/Berlim{0}}}"
    return (
        f"{HEAD}windows:\n"
        + "".join(f"  w{each}: {window.format(each)}\n" for each in range(count))
        + f"rules:\n{LAST}"
    )


PROBLEMS: dict[str, Callable[[int], str]] = {
    "missing keys": _many(lambda number: f"  - {{x: {number}}}\n"),
    "all on one line": lambda count: f"{HEAD}rules: [{', '.join(['{x: 1}'] * count)}]\n",
    "keys twice": lambda count: f"{HEAD}rules: [{{{', '.join(['id: r'] * count)}}}]\n",
    "unknown sections": lambda count: HEAD + "".join(f"s{number}: 1\n" for number in range(count)),
    "unknown probes among many": _unknown_probes,
    "unknown time zones": _zones,
    "unknown severities": _many(
        lambda number: f"  - {{id: r{number}, match: a=b, severity: Q{number}, first_step: x}}\n"
    ),
    "matchers that cannot be read": _many(lambda number: _rule(number, "a=~(")),
}


def _examined(folder: Path, text: str) -> LintResult:
    (folder / "all.yaml").write_text(text, "utf-8")
    return examine(folder, rule_references(str(folder / "none")), date(2026, 11, 29))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("text", PROBLEMS.values(), ids=PROBLEMS)
def test_the_time_is_linear_in_the_problems(tmp_path: Path, text: Callable[[int], str]) -> None:
    """Four times as many problems cost about four times as much, found and printed, and all of them are found."""

    def seconds(count: int) -> float:
        begun = time.process_time()
        found = _examined(tmp_path, text(count))
        assert found.errors >= count - 1
        as_text(findings_of(found, tmp_path))
        return time.process_time() - begun

    few = min(seconds(500) for _ in range(2))
    assert seconds(2_000) < 8 * few + 0.2


def _hard(count: int) -> str:
    return (
        HEAD + "rules:\n" + "".join(_rule(n, f'a=~".*(a|b).{{20}}c{n}.*(d|e).{{20}}f.*"') for n in range(count)) + LAST
    )


@pytest.mark.timeout(60)
def test_comparing_rules_ends_in_time_and_says_what_it_skipped(tmp_path: Path) -> None:
    """Regexes made to be compared slowly cost the comparison only, and a warning counts the rules not compared."""
    (tmp_path / "all.yaml").write_text(_hard(300), "utf-8")
    end = time.monotonic() + 0.5
    around = replace(rule_references(str(tmp_path / "none")), out_of_time=lambda: time.monotonic() > end)
    found = examine(tmp_path, around, date(2026, 11, 29))
    assert time.monotonic() < end + 15
    [note] = [problem for problem in found.problems if "time limit" in problem.message]
    assert note.code == "shadowed-rule"
    assert "rules from 'r" in note.message
    assert found.errors == 0


def test_nothing_is_skipped_where_there_is_time(tmp_path: Path) -> None:
    """Rules that are compared in time give no note."""
    found = _examined(tmp_path, HEAD + "rules:\n" + _rule(1, 'a="1"') + _rule(2, 'a="2"') + LAST)
    assert [problem for problem in found.problems if "time limit" in problem.message] == []


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with rules, beside a file that is not its own."""
    (tmp_path / "secret.yaml").write_text("password: hunter2\n", "utf-8")
    inside = tmp_path / "repository"
    for name in (".git", "rules", "common", "runbooks"):
        (inside / name).mkdir(parents=True)
    (inside / "rules" / "all.yaml").write_text(f"{HEAD}rules:\n{LAST}", "utf-8")
    (inside / "common" / "more.yaml").write_text("urls: []\n", "utf-8")
    return inside


def _check(folder: Path) -> Result:
    return CliRunner().invoke(rules, ["check", str(folder / "rules")])


@pytest.mark.parametrize("where", ["../../secret.yaml", "/dev/zero", "/proc/self/environ"])
def test_a_link_in_the_rules_stays_inside_the_repository(repository: Path, where: str) -> None:
    """A link of a change under review shows nothing of the machine that checks it."""
    (repository / "rules" / "link.yaml").symlink_to(where)
    done = _check(repository)
    assert done.exit_code == 1
    assert f"rules/link.yaml:1:1: error[unreadable] outside {repository}" in done.output
    assert "hunter2" not in done.output


def test_links_inside_the_repository_are_followed(repository: Path) -> None:
    """Files that a repository shares by links are read, and so are all others that `serve` is given."""
    (repository / "rules" / "link.yaml").symlink_to("../common/more.yaml")
    assert _check(repository).exit_code == 0
    (repository / "rules" / "link.yaml").unlink()
    (repository / "rules" / "link.yaml").symlink_to("../../secret.yaml")
    (repository.parent / "secret.yaml").write_text("urls: []\n", "utf-8")
    assert load_rules(str(repository / "rules"), str(repository / "runbooks")).rules


def test_a_folder_that_is_a_link_out_of_the_repository_is_refused(repository: Path) -> None:
    """The repository is the one that holds the link, not that of the link's target."""
    outside = repository.parent / "outside"
    (repository / "rules").rename(outside)
    (repository / "rules").symlink_to(outside)
    done = _check(repository)
    assert done.exit_code == 1
    assert "outside" in done.output


def test_a_runbook_that_is_a_link_out_of_the_repository_is_refused(repository: Path) -> None:
    """Headings of foreign files are no sections, and no hint lists them."""
    (repository / "runbooks" / "a.md").symlink_to("../../secret.yaml")
    done = _check(repository)
    assert (done.exit_code, done.exception.__class__) == (1, SystemExit)
    assert "runbooks/a.md:1:1: error[unreadable] outside" in done.stderr


def test_rule_files_are_bounded(repository: Path) -> None:
    """A file over 8 MiB is refused before it is read whole."""
    with (repository / "rules" / "huge.yaml").open("wb") as file:
        file.truncate(64 << 30)
    done = _check(repository)
    assert "rules/huge.yaml:1:1: error[too-big] larger than 8 MiB" in done.output


CASES = "tests:\n  - name: one\n    body: BODY\n    expect: {rule: unknown}\n"


@pytest.mark.parametrize("how", ["path", "link", "folder", "pipe"])
def test_the_body_of_a_case_stays_inside_the_repository(repository: Path, how: str) -> None:
    """A test case of a change under review reads regular files of its own repository only."""
    secret = repository.parent / "secret.json"
    secret.write_text('{"labels": {"alertname": "hunter2"}}', "utf-8")
    body, said = "body.json", "outside"
    if how == "path":
        body = "../../secret.json"
    elif how == "link":
        (repository / "rules" / "body.json").symlink_to(secret)
    elif how == "folder":
        (repository / "rules" / "body.json").mkdir()
        (repository / "rules" / "body.json" / "a.json").symlink_to(secret)
    else:
        os.mkfifo(repository / "rules" / "body.json")
        said = "not a regular file"
    cases = repository / "rules" / "cases.test"
    cases.write_text(CASES.replace("BODY", body), "utf-8")
    done = CliRunner().invoke(
        rules, ["test", "--rules", str(repository / "rules"), "--runbooks", str(repository / "runbooks"), str(cases)]
    )
    assert done.exit_code == 1
    assert f"cannot be read: {said}" in done.output, done.output
    assert "hunter2" not in done.output


def test_expanded_cases_have_a_time_limit_and_the_rest_is_counted(repository: Path) -> None:
    """A matrix that takes too long ends in time, says how many cases were not run, and is no success."""
    values = ", ".join(f'"{number}"' for number in range(100))
    cases = repository / "rules" / "cases.test"
    cases.write_text(
        "tests:\n  - name: many\n    alert: {alertname: '${a}${b}'}\n"
        f"    matrix: {{a: [{values}], b: [{values}]}}\n    expect: {{rule: unknown}}\n",
        "utf-8",
    )
    where = ("--rules", str(repository / "rules"), "--runbooks", str(repository / "runbooks"))
    done = CliRunner().invoke(rules, ["test", *where, "--timeout", "1s", str(cases)])
    assert done.exit_code == 1
    found = re.search(r"([\d,]+) cases not run: out of time", done.output)
    assert found is not None, done.output[-500:]
    assert 0 < int(found[1].replace(",", "")) < 10_000
    assert " 0 FAIL" in done.output


def test_the_cases_of_a_file_are_bounded(tmp_path: Path) -> None:
    """Many cases with large matrices are refused before they fill the memory."""
    values = ", ".join(f'"{number}"' for number in range(100))
    one = (
        f"  - name: many\n    alert: {{alertname: '${{a}}${{b}}'}}\n    matrix: {{a: [{values}], b: [{values}]}}\n"
        "    expect: {rule: x}\n"
    )
    path = tmp_path / "cases.yaml"
    path.write_text(f"tests:\n{one * 200}", "utf-8")
    with pytest.raises(InvalidRules, match="more than 50,000 cases"):
        load_cases(path)
