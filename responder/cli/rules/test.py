"""``responder rules test``: run test cases, decided as in ``serve``."""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from responder import bootstrap
from responder.cli.durations import SPAN
from responder.cli.errors import FAILED, FatalError, named_failures
from responder.cli.options import RULES, RUNBOOKS
from responder.cli.table import print_json
from responder.model.redaction import redact
from responder.model.text import number_of
from responder.runbooks.catalog import Runbooks
from responder.settings import Settings

if TYPE_CHECKING:
    from responder.cli.rules.case_coverage import RuleCoverage
    from responder.cli.rules.case_run import CaseResult
    from responder.cli.rules.mutate import MutationReport
    from responder.engine.effects.context import DecisionContext
    from responder.rulebook.cases import CaseSet, CoverageShape

#: Seconds between two lines of progress.
_PROGRESS_SECONDS = 5.0
_COLOURS = {"ok": "green", "FAIL": "red", "todo": "yellow"}


@dataclass(frozen=True, slots=True)
class _TestRun:
    proofs: "Mapping[Path, Sequence[CaseResult]]"
    reach: "RuleCoverage"
    minimum: "CoverageShape"
    not_run: int = 0
    mutations: "MutationReport | None" = None

    @property
    def short(self) -> bool:
        """True if the coverage is below the minimum of the files."""
        return self.reach.share < self.minimum.min_rules or self.reach.matcher_share < self.minimum.min_matchers

    @property
    def blind(self) -> bool:
        """True if the cases notice less mutations than the minimum of the files, or not all could be tried."""
        found = self.mutations
        return found is not None and (found.share < self.minimum.min_mutation or found.untried > 0)

    def count(self, verdict: str) -> int:
        return sum(proof.verdict == verdict for proofs in self.proofs.values() for proof in proofs)


@click.command("test")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--run", "only", metavar="REGEX", help="Run only the cases whose name matches.")
@click.option("-v", "--verbose", is_flag=True, help="List the cases that pass, too; --run does as well.")
@click.option("--junit", "report", type=click.Path(path_type=Path), help="Write a JUnit report to this file.")
@click.option(
    "--coverage", is_flag=True, help="Show rules and matchers without a test; fail below the minimum of the files."
)
@click.option(
    "--mutate",
    is_flag=True,
    help="Change one value of the rules at a time and list the changes that no case notices; "
    "fail below the minimum of the files.",
)
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--update", is_flag=True, help="Write the actual results to the files, for review.")
@click.option(
    "--timeout",
    type=SPAN,
    default="120s",
    show_default=True,
    help="Fail with the cases and mutations that were not run by then.",
)
@RULES
@RUNBOOKS
def test(
    files: tuple[Path, ...],
    only: str | None,
    report: Path | None,
    *,
    verbose: bool,
    coverage: bool,
    mutate: bool,
    output: str,
    update: bool,
    timeout: timedelta,
    rules: str | None,
    runbooks: str | None,
) -> None:
    """Run the test cases of FILES against the rules.

    Default: all files in the folder tests inside the rules folder. A failure shows each field that differs and the
    steps that led to it. Runs no probes and sends nothing; of the environment it reads only the names of the folders,
    so that results are the same everywhere.

    Exit status: 0 if all cases pass and the minimum of the files is reached, 1 if not, 2 for a wrong command line.
    """
    from responder.cli.rules.junit import junit

    pattern = _pattern(only)
    with named_failures():
        found = _run(files, pattern, rules, runbooks, timeout.total_seconds(), mutate=mutate)
        if output == "json":
            print_json(_as_json(found))
        else:
            for line in _lines(found, every=verbose or bool(only), coverage=coverage):
                click.echo(line)
        if report:
            _write(report, junit(found.proofs))
        if update:
            for line in _update(found):
                click.echo(line)
    failed = (found.count("FAIL") and not update) or (coverage and found.short) or found.blind or found.not_run
    sys.exit(FAILED if failed else 0)


def _pattern(only: str | None) -> re.Pattern[str]:
    try:
        return re.compile(only or "")
    except re.error as error:
        raise click.BadParameter(f"invalid regex: {error}", param_hint="--run") from error


def _run(
    files: tuple[Path, ...],
    only: re.Pattern[str],
    rules: str | None,
    runbooks: str | None,
    seconds: float,
    *,
    mutate: bool,
) -> _TestRun:
    from responder.cli.rules.case_coverage import reach
    from responder.cli.rules.case_run import run_case
    from responder.rulebook.cases import CoverageShape, load_cases

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
    shares = {name: max(getattr(each.minimum, name) for each in sets) for name in CoverageShape.model_fields}
    minimum = CoverageShape.model_construct(**shares)
    found = _TestRun(proofs, reach(context.book.rules, traces), minimum, not_run)
    if mutate and not not_run and not found.count("FAIL"):
        results = [proof for several in proofs.values() for proof in several]
        found = replace(found, mutations=_mutated(results, context, anchors, (rules, runbooks), clock, end))
    return found


def _mutated(
    results: "Sequence[CaseResult]",
    context: "DecisionContext",
    anchors: Runbooks,
    folders: tuple[str, str],
    clock: bootstrap.SystemClock,
    end: float,
) -> "MutationReport":
    """Try every mutation until ``end``, with a line of progress on standard error every few seconds."""
    from responder.cli.rules.mutate import try_all
    from responder.rulebook.mutations import mutations
    from responder.triage.matchers import predicate

    rule_files = bootstrap.examine_rules(*folders, confined=True).rule_files
    if rule_files is None or rule_files.revision != context.book.revision:
        raise FatalError("the rule files changed while they were read")
    found = list(mutations(rule_files, context.book, predicate))
    shown = clock.monotonic()

    def goes_on(number: int) -> bool:
        nonlocal shown
        now = clock.monotonic()
        if now > shown + _PROGRESS_SECONDS:
            click.echo(f"mutations: {number} of {len(found)} tried", err=True)
            shown = now
        return now < end

    return try_all(found, results, context, anchors, goes_on)


def _context(rules: str, runbooks: str) -> "tuple[DecisionContext, Runbooks]":
    """Return a decision context with every channel and a Prometheus, independent of the environment."""
    from responder.cli.decision_context import ANY_PROMETHEUS, decision_context_of

    context = decision_context_of(rules, runbooks, Settings(prometheus_url=ANY_PROMETHEUS))
    return context, bootstrap.rule_references(runbooks, confined=True).runbooks or {}


def _default(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.glob("*.y*ml") if path.is_file())
    if not found:
        raise FatalError(f"no test cases: no *.yaml file in {folder}")
    return found


def _lines(found: _TestRun, *, every: bool, coverage: bool) -> Iterator[str]:
    from responder.cli.rules.mutate import lines as mutation_lines
    from responder.cli.rules.trace_text import lines

    for path, proofs in found.proofs.items():
        if not every and any(proof.verdict == "ok" for proof in proofs):
            passed = number_of(sum(proof.verdict == "ok" for proof in proofs), "case")
            yield f"{click.style('ok', fg=_COLOURS['ok'])}   {path.as_posix()}: {passed}"
        for proof in proofs:
            if proof.verdict == "ok" and not every:
                continue
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
    if found.mutations is not None:
        yield from mutation_lines(found.mutations, found.minimum.min_mutation)
        if found.mutations.untried:
            rest = number_of(found.mutations.untried, "mutation")
            yield click.style(f"{rest} not tried: out of time; give more with --timeout", fg="red")
    if found.not_run:
        rest = number_of(found.not_run, "case")
        yield click.style(f"{rest} not run: out of time; give fewer values, or more time with --timeout", fg="red")
    counts = ", ".join(f"{found.count(verdict)} {verdict}" for verdict in ("ok", "FAIL", "todo"))
    rules = found.reach.rules - len(found.reach.unreached)
    colour = "red" if found.count("FAIL") else "green"
    yield click.style(f"{counts}; {rules} of {found.reach.rules} rules reached", fg=colour, bold=True)


def _as_json(found: _TestRun) -> dict[str, Any]:
    """Return the JSON output. Scripts rely on its keys: add, never rename."""
    from responder.cli.rules.mutate import as_json

    return {
        "cases": [
            {
                "name": proof.case.name,
                "file": path.as_posix(),
                "line": proof.case.position.line,
                "verdict": proof.verdict,
                "differences": [redact(text) for text in _differences(proof)],
            }
            for path, proofs in found.proofs.items()
            for proof in proofs
        ],
        "not_run": found.not_run,
        "rules": {"share": round(found.reach.share, 2), "minimum": found.minimum.min_rules},
        "matchers": {"share": round(found.reach.matcher_share, 2), "minimum": found.minimum.min_matchers},
        "mutations": as_json(found.mutations, found.minimum.min_mutation) if found.mutations else None,
    }


def _differences(proof: "CaseResult") -> Iterator[str]:
    if proof.problem:
        yield redact(proof.problem)
    for each in proof.differences:
        yield f"{each.field}:"
        yield f"  expected {redact(repr(each.expected))}"
        yield f"  got      {redact(repr(each.got))}"


def _coverage(found: _TestRun) -> Iterator[str]:
    from responder.cli.rules.trace_text import entry_text

    reach = found.reach
    yield f"coverage: {reach.share:.1f} % of the rules, minimum {found.minimum.min_rules:g} %"
    yield f"coverage: {reach.matcher_share:.1f} % of the matchers, minimum {found.minimum.min_matchers:g} %"
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
