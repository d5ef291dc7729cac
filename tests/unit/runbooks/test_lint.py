"""Lint finds what would cost time at 3 a.m., says where, and is silent about good runbooks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random
from time import process_time
from typing import Any

import pytest

from responder.model.problem import Level, Problem
from responder.runbooks.command import Scope
from responder.runbooks.document import parse
from responder.runbooks.lint.checks import CHECKS
from responder.runbooks.lint.contract import Catalog, Failure, Profile, Runbook, ShellError
from responder.runbooks.lint.lint import LintResult, apply, examine, profile_of
from responder.runbooks.lint.pages import CODES, examples, page
from responder.runbooks.lint.shell import parse_errors, script_of, simple_commands

ROOT = Path(__file__).parents[3]
BROKEN = ROOT / "tests" / "fixtures" / "runbooks"
TODAY = date(2026, 11, 30)
CATALOG = Catalog(
    services=frozenset({"shop", "cart"}),
    contacts={"On-Call Secondary": "PagerDuty", "SRE Team": "Slack: #sre-team"},
    urls={"Grafana": "https://grafana.example.org"},
    responses={"P1": "15 minutes, all hands", "P2": "1 hour, on-call", "P4": "next business day"},
    scope=Scope(namespace="shop", namespaces=frozenset({"shop"})),
)


#: What checks compare with that is in no file: the last commit, and incidents.
HISTORY: Mapping[str, Mapping[str, Any]] = {
    "changed-since-update": {"changed": date(2026, 11, 24)},
    "failed-since-update": {"failures": (Failure("INC-118", date(2026, 11, 23), "re-fired"),)},
}


def _runbook(text: str, profile: Profile | None = None, path: str = "x.md", **history: Any) -> Runbook:
    """A runbook with the built-in parser of commands, in a folder of its own."""
    document = parse(path, text)
    errors = {
        number: found
        for number, command in enumerate(document.commands)
        if (found := tuple(parse_errors(script_of(command.fence))))
    }
    profile = profile or profile_of(document)
    return Runbook(document, profile, TODAY, CATALOG, shell_errors=errors, **history)


def _lint(text: str, profile: Profile | None = None, **history: Any) -> LintResult:
    return examine([_runbook(text, profile, **history)])


def _codes(text: str, profile: Profile | None = None, **history: Any) -> set[str]:
    return {problem.code for problem in _lint(text, profile, **history).problems}


@pytest.mark.parametrize("path", sorted(BROKEN.glob("*.md")), ids=lambda path: path.stem)
def test_each_planted_fault_is_found_and_nothing_else(path: Path) -> None:
    """One fault in an otherwise good runbook gives problems of its code only."""
    expected = set() if path.stem == "valid" else {path.stem}
    assert _codes(path.read_text(), **HISTORY.get(path.stem, {})) == expected


def test_there_is_a_broken_runbook_for_each_check() -> None:
    """No check is without a planted fault, and no file in the folder of checks is unregistered."""
    assert set(CHECKS) <= {path.stem for path in BROKEN.glob("*.md")}
    files = (ROOT / "responder" / "runbooks" / "lint" / "checks").glob("[a-z]*.py")
    assert {path.stem.replace("_", "-") for path in files} == set(CHECKS)


@pytest.mark.parametrize("code", CHECKS)
def test_every_code_has_a_page_with_true_examples(code: str) -> None:
    """Each code is explained, and its examples are as bad and as good as they claim."""
    assert 20 < len(page(code).splitlines()[0]) <= 120
    found = examples(code)
    assert set(found) == {"Bad", "Good"}, page(code)
    history = HISTORY.get(code, {})
    assert code in _codes(found["Bad"], Profile.TEMPLATE, **history)
    assert code not in _codes(found["Good"], Profile.TEMPLATE, **history)


def test_the_docs_list_every_check() -> None:
    """The docs have the first sentence of each code, its levels, and the files to which it applies."""
    rows = []
    for code in CHECKS:
        problems = _lint((BROKEN / f"{code}.md").read_text(), **HISTORY.get(code, {})).problems
        levels = " or ".join(sorted({each.level.value for each in problems}))
        levels = {"stale": "warning or error", "no-expected-output": "error or warning"}.get(code, levels)
        profiles = CHECKS[code].profiles
        files = "all" if profiles == frozenset(Profile) else ", ".join(each for each in Profile if each in profiles)
        rows.append(f"| `{code}` | {levels} | {files} | {page(code).splitlines()[0]} |\n")
    others = {"unreadable": "error", "bad-ignore": "error", "expired-ignore": "warning", "unused-ignore": "warning"}
    assert set(CODES) == {*CHECKS, *others}
    rows += [f"| `{code}` | {level} | all | {page(code).splitlines()[0]} |\n" for code, level in others.items()]
    head = (
        "# Checks of runbooks\n\n`responder runbooks lint` reports these problems; `--explain CODE` prints an example"
        " of each.\n[Runbooks](runbooks.md) explains the kinds of files and how to suppress a problem.\n\n"
        "| code | level | files | problem |\n|---|---|---|---|\n"
    )
    path = ROOT / "docs" / "runbook-checks.md"
    if os.environ.get("UPDATE_DOCS"):
        path.write_text(head + "".join(rows))
    assert path.read_text() == head + "".join(rows), "docs/runbook-checks.md is stale: run make generate"


def test_a_file_that_follows_no_template_is_not_held_to_one() -> None:
    """Plain Markdown is checked for what is wrong in any runbook: no sections, steps or owners are demanded."""
    text = "# KubeAPIDown\n\n## Meaning\n\nIt is down.\n\n```console\n$ kubectl cluster-info\nok\n```\n"
    assert profile_of(parse("a.md", text)) is Profile.PLAIN
    assert _codes(text) == set()
    assert _codes(text, Profile.TEMPLATE) >= {"missing-section", "bad-metadata"}
    assert profile_of(parse("docs/README.md", text)) is Profile.INDEX


def test_a_comment_suppresses_a_problem_until_its_date() -> None:
    """A known problem is silent with a reason, and is reported again after its date."""
    text = (BROKEN / "placeholder.md").read_text()
    comment = '<!-- responder: ignore placeholder until=2026-12-01 reason="the owner is on leave" -->\n- TODO'
    assert _codes(text.replace("- TODO", comment)) == set()
    assert _codes(text.replace("- TODO", comment.replace("2026-12-01", "2026-11-29"))) == {
        "placeholder",
        "expired-ignore",
    }
    assert _codes(text.replace("- TODO", f"```text\n{comment}\n```\n- TODO")) == {"placeholder"}


PIECES = [
    "```",
    "~~~",
    "`",
    "{{ x }}",
    "{",
    "$ ",
    "\n",
    "\r",
    "<!--",
    "-->",
    "[a](b.md#c)",
    "|",
    "# ",
    "---\n",
    "- ",
    "“",
    "'",
    "<<EOF\n",
]


def test_any_text_can_be_linted() -> None:
    """Damaged runbooks give problems at places that exist, never an exception."""
    chance = Random(7)
    texts = [path.read_text() for path in BROKEN.glob("*.md")]
    for _ in range(100):
        text = chance.choice(texts)
        for _ in range(4):
            at = chance.randrange(len(text))
            text = text[:at] + chance.choice(PIECES) + text[at + chance.choice((0, 0, 30)) :]
        runbook = _runbook(text, Profile.TEMPLATE)
        lines = (*runbook.document.lines, "")
        for each in examine([runbook]).problems:
            assert 1 <= each.position.column <= len(lines[each.position.line - 1]) + 1


def test_the_time_is_nearly_linear_in_the_length() -> None:
    """A long runbook, or a hostile one, does not stop CI."""

    def seconds(count: int) -> float:
        steps = (
            f'### Step {n}: x\n\n```sh {{"name":"n{n}"}}\nls\n```\n\n[a](#b{n}) TODO\n\n' for n in range(1, count + 1)
        )
        begun = process_time()
        assert len(examine([_runbook("# A\n\n## Procedure\n\n" + "".join(steps))]).problems) >= count
        return process_time() - begun

    assert seconds(800) < 6 * seconds(200) + 0.3


FIXED = [
    ("step-number", "### Step 3: Restart", "### Step 2: Restart"),
    ("bad-character", "\N{EN DASH}l app=shop", "-l app=shop"),
    ("no-language", "```\nkubectl -n shop get events", "```sh\nkubectl -n shop get events"),
]


@pytest.mark.parametrize(("code", "before", "after"), FIXED)
def test_mechanical_problems_are_fixed(code: str, before: str, after: str) -> None:
    """--fix changes the place of the problem and nothing else, and finds nothing to fix afterwards."""
    text = (BROKEN / f"{code}.md").read_text()
    found = _lint(text)
    fixed = apply(text, found.edits["x.md"])
    assert fixed == text.replace(before, after)
    assert code not in _codes(fixed)
    assert _lint(fixed).edits == {}


@pytest.mark.parametrize("text", ["```sh\nls\n", "- a\n\n  ```sh\n  ls\n\n## B\n\nText.\n", "~~~sh\nls\n```\n"])
def test_a_fence_that_is_not_closed_is_reported_where_it_begins(text: str) -> None:
    """A missing fence hides the rest of a runbook from readers and from all other checks."""
    found = [(each.position.line, each.code) for each in _lint(f"# A\n\n{text}").problems]
    assert found == [(3 if text[0] in "`~" else 5, "bad-fence")]
    assert _codes("# A\n\n> ````md\n> ```\n> ````\n\n  ~~~\n  a\n  ~~~  \n") == set()


def test_line_endings_survive_a_fix() -> None:
    """A file keeps its own line endings."""
    text = (BROKEN / "step-number.md").read_text().replace("\n", "\r\n")
    assert apply(text, _lint(text).edits["x.md"]) == text.replace("### Step 3: Restart", "### Step 2: Restart")


def test_a_date_in_another_form_is_rewritten() -> None:
    """A date that can be read in one way only becomes ISO 8601; one that is ambiguous is left to a person."""
    text = (BROKEN / "valid.md").read_text()
    for written, expected in {"23 November 2026": "2026-11-23", "2026/11/23": "2026-11-23"}.items():
        found = _lint(text.replace("2026-11-23", written))
        assert apply(text.replace("2026-11-23", written), found.edits["x.md"]) == text.replace("2026-11-23", expected)
    assert _lint(text.replace("2026-11-23", "11/10/2026")).edits == {}


def test_steps_that_the_text_names_are_not_renumbered() -> None:
    """A fix never makes "go to step 3" lead elsewhere."""
    text = (BROKEN / "step-number.md").read_text().replace("**Impact:**", "Then go to step 3. **Impact:**")
    found = _lint(text)
    assert {each.code for each in found.problems} == {"step-number"}
    assert found.edits == {}


AGES = [(89, None), (90, None), (91, Level.WARNING), (180, Level.WARNING), (181, Level.ERROR)]


@pytest.mark.parametrize(("days", "level"), AGES)
def test_a_critical_runbook_is_stale_after_90_days(days: int, level: Level | None) -> None:
    """Age is reported from the limit on, and is an error at twice the limit."""
    updated = date.fromordinal(TODAY.toordinal() - days)
    problems = _lint((BROKEN / "valid.md").read_text().replace("2026-11-23", updated.isoformat())).problems
    assert [each.level for each in problems] == ([level] if level else [])


def test_incidents_before_the_last_update_are_no_failures_of_it() -> None:
    """Only incidents since the last update count; at most three are named."""
    text = (BROKEN / "failed-since-update.md").read_text()
    days = (date(2026, 11, 1), date(2026, 11, 2), *(date(2026, 11, day) for day in range(3, 8)))
    failures = tuple(Failure(f"INC-{day.day}", day, "re-fired") for day in days)
    (found,) = _lint(text, failures=failures).problems
    assert found.message == (
        "5 incidents since 2026-11-02 that it did not solve: INC-3 re-fired, INC-4 re-fired, INC-5 re-fired and 2 more"
    )


def _positions(text: str) -> list[tuple[int, int, str]]:
    return [(each.position.line, each.position.column, each.code) for each in _lint(text).problems]


PLACES: Mapping[str, tuple[int, int]] = {
    "bad-metadata": (4, 18),
    "secret": (54, 15),
    "bad-character": (54, 26),
    "dead-link": (69, 26),
    "dead-anchor": (69, 26),
    "unknown-placeholder": (28, 33),
    "unknown-contact": (65, 76),
    "severity-mismatch": (21, 50),
    "refused-command": (54, 26),
    "bad-fence": (53, 7),
    "url-mismatch": (73, 13),
}


@pytest.mark.parametrize("code", PLACES)
def test_a_problem_is_shown_where_it_is(code: str) -> None:
    """Line and column are those of the words that are wrong."""
    text = (BROKEN / f"{code}.md").read_text()
    assert _positions(text) == [(*PLACES[code], code)]


def test_links_into_other_files_are_followed() -> None:
    """A section of another file must exist; URLs, absolute paths and a site's templates are not files."""
    text = "# A\n\n[a](b.md#two) [b](b.md#tow) [c](../c.md) [d](/docs/x) [e]({{< x >}}) [f](mailto:x@example.org)\n"
    anchors = {"sub/b.md": frozenset({"two"})}
    runbook = replace(
        _runbook(text, path="sub/a.md"), anchors_of=anchors.get, exists=lambda path: path in {"sub/b.md", "d.md"}
    )
    found = [(each.code, each.message) for each in examine([runbook]).problems]
    assert found == [("dead-anchor", "'sub/b.md' has no section '#tow'"), ("dead-link", "there is no file 'c.md'")]


def test_addresses_that_were_requested_in_vain_are_reported() -> None:
    """A page that does not exist is an error; one that could not be requested is a warning."""
    text = "# A\n\nhttps://example.org/gone and https://example.org/slow and https://example.org/ok\n"
    dead = {"https://example.org/gone": ("status 404", True), "https://example.org/slow": ("timed out", False)}
    problems = examine([replace(_runbook(text), dead_urls=dead)]).problems
    assert [(each.level, each.position.column) for each in problems] == [(Level.ERROR, 1), (Level.WARNING, 30)]


SESSION = """\
$ kubectl get pods \\
    -n shop
NAME   READY
it's   1/1
$ cat <<EOF
it's
EOF
done "
root@node:~# df -h | sort
"""


def test_prompts_separate_commands_from_output() -> None:
    """Output of a console session is not parsed as commands."""
    document = parse("x.md", f"# A\n\n```console\n{SESSION}```\n")
    script = script_of(document.fences[0])
    assert list(parse_errors(script)) == []
    found = [(each.text, each.line, each.column) for each in simple_commands(document.fences[0])]
    assert found == [("kubectl get pods -n shop", 4, 3), ("cat <<EOF", 8, 3), ("df -h", 12, 14), ("sort", 12, 22)]


def test_placeholders_for_people_are_no_redirections() -> None:
    """<pod> and {{ pod }} are names to fill in, not syntax."""
    (fence,) = parse("x.md", "```sh\nkubectl logs <pod name> {{ pod }} -n [ns]\n```\n").fences
    assert script_of(fence) == "kubectl logs xxxxxxxxxx xxxxxxxxx -n xxxx\n"


@pytest.mark.parametrize(("language", "codes"), [("console", set()), ("sh", {"command-syntax"}), ("promql", set())])
def test_a_query_in_a_session_is_no_command(language: str, codes: set[str]) -> None:
    """A console without prompts shows output or a query; a fence that claims to be a script is parsed."""
    assert _codes(f"# A\n\n```{language}\nit's (a / b) * 100\n```\n") == codes


@pytest.mark.parametrize("text", ["TODO", "To be added.", "```console\n# TODO: command needed\n```"])
def test_unfinished_texts_are_found_in_prose_and_in_place_of_commands(text: str) -> None:
    """A mark for later is found wherever a reader would expect a step."""
    assert _codes(f"# A\n\n## Mitigation\n\n{text}\n") == {"placeholder"}
    assert _codes("# A\n\nAll todos in `TODO` are done.\n") == set()


def test_a_namespace_that_steps_cannot_reach_is_reported() -> None:
    """A step in a namespace that the rules do not know would be refused when a page needs it."""
    text = (BROKEN / "valid.md").read_text().replace("kubectl -n shop get pods\n", "kubectl -n kube-system get pods\n")
    assert _codes(text) == {"refused-command"}
    assert examine([replace(_runbook(text), catalog=None)]).problems == ()


def test_a_shell_error_is_placed_in_its_file() -> None:
    """The line and column of shellcheck count from the fence; those of the problem from the file."""
    runbook = replace(
        _runbook("# A\n\n- x\n\n  ```sh\n  echo a\n  if\n  ```\n"),
        shell_errors={0: (ShellError(2, 1, "no then (SC1)"),)},
    )
    (problem,) = examine([runbook]).problems
    assert (problem.position.line, problem.position.column, problem.code) == (7, 3, "command-syntax")


DANGEROUS = [
    "kubectl -n shop delete pvc data-0",
    "kubectl delete ns shop",
    "oc adm drain node-1 --ignore-daemonsets",
    "kubectl -n shop scale deployment/shop --replicas=0",
    "rm -rf /var/lib/docker",
    "psql -c 'DROP TABLE orders'",
    "oc debug node/a -- chroot /host rm -rf /var/log/x",
]
HARMLESS = [
    "kubectl -n shop get pvc",
    "kubectl -n shop delete pod shop-0",
    "kubectl -n shop scale deployment/shop --replicas=3",
    "kubectl -n shop logs delete-pvc-job",
    "docker run --rm -it alpine",
    "grep -rf patterns .",
]


@pytest.mark.parametrize(("command", "count"), [*((each, 1) for each in DANGEROUS), *((each, 0) for each in HARMLESS)])
def test_only_commands_that_destroy_need_a_warning_in_plain_runbooks(command: str, count: int) -> None:
    """A runbook of another project is not held to our tags; a warning beside the command is enough."""
    text = f"# A\n\n## Mitigation\n\nRun this:\n\n```sh\n{command}\n```\n"
    problems: list[Problem] = [each for each in _lint(text).problems if each.code == "unmarked-danger"]
    assert len(problems) == count
    warned = text.replace("Run this:", "**Warning:** data is lost.")
    assert "unmarked-danger" not in _codes(warned)
