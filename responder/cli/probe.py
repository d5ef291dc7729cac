"""``responder probe``: list the probes of the rules, and run one by hand as the engine would."""

import sys
from typing import TYPE_CHECKING, Any

import click

from responder import bootstrap
from responder.cli.errors import FAILED, FatalError, named_failures
from responder.cli.options import LABELS, OUTPUT, TIMEOUT
from responder.cli.table import Column, print_rows
from responder.model.finding import Finding
from responder.model.rule import ProbeSpec
from responder.model.suggestions import nearest
from responder.settings import env_name

if TYPE_CHECKING:
    from responder.diagnose.contract import ProbeQuestion

_COLOURS = {"ok": "green", "bad": "red", "unknown": "yellow", "skipped": "white"}


@click.group()
def probe() -> None:
    """List the probes of the rule files, show what one asks, and run one by hand."""


@probe.command("list")
@OUTPUT
def list_probes(*, output: str) -> None:
    """List the probes of the rule files.

    Exit status: 0, 1 for invalid rules or settings, 2 for a wrong command line.
    """
    with named_failures():
        settings = bootstrap.settings_from_environment()
        book = bootstrap.load_rules(settings.rules, settings.runbooks)
        used = {name for rule in book.rules for name in rule.probes}
        rows = sorted(book.probes.values(), key=lambda each: each.name)
        columns = (Column("PROBE"), Column("KIND"), Column("SECONDS", right=True), Column("USED"), Column("WHERE"))
        print_rows(
            rows,
            output,
            columns,
            lambda each: (each.name, each.kind, f"{each.timeout:g}", _used(each, used), str(each.position)),
            lambda each: {
                "probe": each.name,
                "kind": each.kind,
                "timeout_seconds": each.timeout,
                "used": each.name in used,
                "position": str(each.position),
            },
        )


def _used(each: ProbeSpec[Any], used: set[str]) -> str:
    return "yes" if each.name in used else "no"


@probe.command()
@click.argument("name", metavar="ID")
@LABELS
@OUTPUT
def show(*, name: str, labels: dict[str, str], output: str) -> None:
    """Show what a probe asks for these labels; nothing is sent.

    Exit status: 0, 1 for an unknown probe, invalid rules or settings, 2 for a wrong command line.
    """
    with named_failures():
        questions = _planned(name, labels)
        columns = (Column("TARGET"), Column("SECONDS", right=True), Column("QUERY"))
        print_rows(
            questions,
            output,
            columns,
            lambda each: (each.target, f"{each.timeout:g}", f"skipped: {each.skip}" if each.skip else each.query),
            lambda each: {
                "target": each.target,
                "timeout_seconds": each.timeout,
                "query": each.query,
                "skipped": each.skip,
                "link": each.link,
            },
        )


@probe.command()
@click.argument("name", metavar="ID")
@LABELS
@click.option("--timeout", metavar="SECONDS", type=TIMEOUT, default=10.0, show_default=True, help="Total.")
@OUTPUT
def run(*, name: str, labels: dict[str, str], timeout: float, output: str) -> None:
    """Run a probe as the engine would for an alert with these labels. It only reads.

    Exit status: 0 if nothing is bad, 1 if something is, 3 if it could not be checked, 2 for a wrong command line.
    """
    with named_failures():
        findings = _ask(_planned(name, labels), timeout)
    columns = (Column("RESULT", colours=_COLOURS), Column("TARGET"), Column("SECONDS", right=True), Column("FINDING"))
    print_rows(findings, output, columns, _cells, _fields)
    verdicts = {found.verdict.value for found in findings}
    if "bad" in verdicts:
        sys.exit(FAILED)
    if not verdicts & {"ok"}:
        sys.exit(3)


def _planned(name: str, labels: dict[str, str]) -> "tuple[ProbeQuestion, ...]":
    """Return the questions of a probe. Raises FatalError for an unknown probe."""
    from responder.diagnose.probes import PROBES
    from responder.triage.subject import subject

    settings = bootstrap.settings_from_environment()
    book = bootstrap.load_rules(settings.rules, settings.runbooks)
    if name not in book.probes:
        raise FatalError(
            f"the rules define no probe {name}: {nearest(name, book.probes) or 'see responder probe list'}"
        )
    context = bootstrap.context(settings, book, {})
    who = subject(labels, book)
    questions = context.questions((name,), who) or context.late_questions((name,), who)
    if not questions:
        kind = PROBES[book.probes[name].kind]
        raise FatalError(f"{name}: no server for kind {kind.name} is configured: set {env_name(kind.setting)}")
    return questions


def _ask(questions: "tuple[ProbeQuestion, ...]", timeout: float) -> tuple[Finding, ...]:
    from responder import telemetry

    settings = bootstrap.settings_from_environment()
    telemetry.configure(settings.log_format, settings.secrets(), for_good=False)
    return bootstrap.probe_once(questions, settings, timeout)


def _cells(found: Finding) -> tuple[str, ...]:
    return found.verdict.value, found.target, f"{found.duration:.2f}", found.headline


def _fields(found: Finding) -> dict[str, Any]:
    """Return an element of ``--output json``. Scripts rely on its keys: add, never rename."""
    clue = found.clue
    return {
        "probe": found.probe,
        "target": found.target,
        "verdict": found.verdict.value,
        "headline": found.headline,
        "detail": found.detail,
        "seconds": round(found.duration, 3),
        "code": clue.code if clue else "",
        "entity": clue.entity if clue else "",
        "role": clue.role.value if clue else "",
    }
