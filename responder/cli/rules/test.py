"""``responder rules test``: run test cases, decided as in ``serve``."""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from responder import bootstrap
from responder.cli.decision_context import ANY_PROMETHEUS, decision_context_of
from responder.cli.durations import SPAN
from responder.cli.errors import FAILED, FatalError, named_failures
from responder.cli.options import RULES, RUNBOOKS
from responder.model.text import number_of

if TYPE_CHECKING:
    from responder.cli.rules.case_coverage import RuleCoverage
    from responder.cli.rules.case_run import CaseResult
    from responder.engine.effects.context import DecisionContext
    from responder.rulebook.cases import CaseSet
    from responder.runbooks.catalog import Runbooks

_COLOURS = {"ok": "green", "FAIL": "red", "todo": "yellow"}


@dataclass(frozen=True, slots=True)
class _TestRun:
    proofs: "Mapping[Path, Sequence[CaseResult]]"
    reach: "RuleCoverage"
    wanted: float
    wanted_matchers: float
    not_run: int = 0

    @property
    def short(self) -> bool:
        """True if the coverage is below the minimum of the files."""
        return self.reach.share < self.wanted or self.reach.matcher_share < self.wanted_matchers

    def count(self, verdict: str) -> int:
        return sum(proof.verdict == verdict for proofs in self.proofs.values() for proof in proofs)


@click.command("test")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--run", "only", metavar="REGEX", help="Run only the cases whose name matches.")
@click.option("--junit", "report", type=click.Path(path_type=Path), help="Write a JUnit report to this file.")
@click.option(
    "--coverage", is_flag=True, help="Show rules and matchers without a test; fail below the minimum of the files."
)
@click.option("--update", is_flag=True, help="Write the actual results to the files, for review.")
@click.option(
    "--timeout", type=SPAN, default="120s", show_default=True, help="Fail with the cases that were not run by then."
)
@RULES
@RUNBOOKS
def test(
    files: tuple[Path, ...],
    only: str | None,
    report: Path | None,
    *,
    coverage: bool,
    update: bool,
    timeout: timedelta,
    rules: str | None,
    runbooks: str | None,
) -> None:
    """Run the test cases of FILES against the rules.

    Default: all files in the folder tests inside the rules folder. A failure shows each field that differs and the
    steps that led to it. Runs no probes and sends nothing; of the environment it reads only the names of the folders,
    so that results are the same everywhere.

    Exit status: 0 if all cases pass, 1 if one fails, 2 for a wrong command line.
    """
    pattern = _pattern(only)
    with named_failures():
        found = _run(files, pattern, rules, runbooks, timeout.total_seconds())
        for line in _lines(found, coverage=coverage):
            click.echo(line)
        if report:
            from responder.cli.rules.junit import junit

            _write(report, junit(found.proofs))
        if update:
            for line in _update(found):
                click.echo(line)
    failed = (found.count("FAIL") and not update) or (coverage and found.short) or found.not_run
    sys.exit(FAILED if failed else 0)


def _pattern(only: str | None) -> re.Pattern[str]:
    try:
        return re.compile(only or "")
    except re.error as error:
        raise click.BadParameter(f"invalid regex: {error}", param_hint="--run") from error


def _run(
    files: tuple[Path, ...], only: re.Pattern[str], rules: str | None, runbooks: str | None, seconds: float
) -> _TestRun:
    from responder.cli.rules.case_coverage import reach
    from responder.cli.rules.case_run import run_case
    from responder.rulebook.cases import load_cases

    settings = bootstrap.folders_from_environment()
    rules, runbooks = rules or settings.rules, runbooks or settings.runbooks
    context, anchors = _context(rules, runbooks)
    sets: list[CaseSet] = [load_cases(path) for path in files or _default(Path(rules) / "tests")]
    clock = bootstrap.SystemClock()
    end = clock.monotonic() + seconds
    proofs: dict[Path, list[CaseResult]] = {}
    not_run = 0
    for each in sets:
        several = proofs[each.path] = []
        for case in each.cases:
            if only.search(case.name):
                if clock.monotonic() > end:
                    not_run += 1
                else:
                    several.append(run_case(case, context, anchors))
    if only.pattern and not any(proofs.values()) and not not_run:
        raise click.BadParameter(f"no case name matches '{only.pattern}'", param_hint="--run")
    if not any(proofs.values()) and not not_run:
        raise FatalError("no test cases in the files")
    traces = [trace for several in proofs.values() for proof in several for trace in proof.traces]
    wanted = max((each.min_rules for each in sets), default=0.0)
    matchers = max((each.min_matchers for each in sets), default=0.0)
    return _TestRun(proofs, reach(context.book.rules, traces), wanted, matchers, not_run)


def _context(rules: str, runbooks: str) -> "tuple[DecisionContext, Runbooks]":
    """Return a decision context with every channel and a Prometheus, independent of the environment."""
    from responder.settings import Settings

    context = decision_context_of(rules, runbooks, Settings(prometheus_url=ANY_PROMETHEUS))
    return context, bootstrap.rule_references(runbooks, confined=True).runbooks or {}


def _default(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.glob("*.y*ml") if path.is_file())
    if not found:
        raise FatalError(f"no test cases: no *.yaml file in {folder}")
    return found


def _lines(found: _TestRun, *, coverage: bool) -> Iterator[str]:
    from responder.cli.rules.trace_text import lines

    for proofs in found.proofs.values():
        for proof in proofs:
            verdict = click.style(f"{proof.verdict:<4}", fg=_COLOURS[proof.verdict])
            again = "  (passes now: remove todo)" if proof.case.todo and proof.passed else ""
            yield f"{verdict} {proof.case.name}{again}"
            if proof.verdict == "FAIL":
                yield f"     at {proof.case.position}"
                yield from (f"     {text}" for text in _differences(proof))
                for each in proof.traces[:1]:
                    yield from (f"     | {line}" for line in lines(each))
    if coverage:
        yield from _coverage(found)
    if found.not_run:
        rest = number_of(found.not_run, "case")
        yield click.style(f"{rest} not run: out of time; give fewer values, or more time with --timeout", fg="red")
    counts = ", ".join(f"{found.count(verdict)} {verdict}" for verdict in ("ok", "FAIL", "todo"))
    rules = found.reach.rules - len(found.reach.unreached)
    colour = "red" if found.count("FAIL") else "green"
    yield click.style(f"{counts}; {rules} of {found.reach.rules} rules reached", fg=colour, bold=True)


def _differences(proof: "CaseResult") -> Iterator[str]:
    from responder.model.redaction import redact

    if proof.problem:
        yield redact(proof.problem)
    for each in proof.differences:
        yield f"{each.field}:"
        yield f"  expected {redact(repr(each.expected))}"
        yield f"  got      {redact(repr(each.got))}"


def _coverage(found: _TestRun) -> Iterator[str]:
    from responder.cli.rules.trace_text import entry_text

    reach = found.reach
    yield f"coverage: {reach.share:.1f} % of the rules, minimum {found.wanted:g} %"
    yield f"coverage: {reach.matcher_share:.1f} % of the matchers, minimum {found.wanted_matchers:g} %"
    for rule in reach.unreached:
        yield f"  rule {rule.id} decides no case ({rule.position})"
    for rule, matcher in reach.untried:
        said = str(matcher) if len(str(matcher)) <= 72 else f"{str(matcher)[:69]}..."
        yield f"  rule {rule.id}: no case depends on {said}"
    for rule, entry in reach.idle:
        yield f"  rule {rule.id}: in no case adjust {entry_text(entry)}"


def _update(found: _TestRun) -> Iterator[str]:
    from responder.cli.rules.expectations import amend

    for path, proofs in found.proofs.items():
        failed = [proof for proof in proofs if proof.verdict == "FAIL"]
        if not failed:
            continue
        before = path.read_text("utf-8")
        after, left = amend(before, failed)
        if after != before:
            _write(path, after)
            yield f"{path}: updated, review it"
        yield from (f"update manually: {text}" for text in left)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise FatalError(f"{path} cannot be written: {error.strerror}") from error
