"""``responder runbooks drill``: run the read-only steps against stand-ins, and report what no longer fits."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from responder import bootstrap
from responder.cli.errors import FAILED, FatalError, named_failures
from responder.cli.options import OUTPUT
from responder.cli.table import Column, print_rows
from responder.model.clock import Deadline
from responder.model.message import Response
from responder.model.rule import RuleBook
from responder.runbooks.command import OF_SETTINGS, Refusal
from responder.runbooks.document import PlannedCommand, planned

if TYPE_CHECKING:
    from responder.diagnose.steps.run import StepRun
    from responder.standins.cluster.running import Scenario

_COLOURS = {"ok": "green", "differs": "red", "not run": "red", "skipped": "white"}
#: Programs of steps that are started, and so are not drilled.
_STARTED = frozenset({"promtool", "dig", "responder"})


@dataclass(frozen=True, slots=True)
class Drilled:
    """Result of a command in all scenarios. Scripts rely on its fields in ``--output json``: add, never rename."""

    result: str
    place: str
    name: str
    detail: str


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--service", metavar="NAME", help="Service that the steps are about. [default: the first of the catalog]")
@OUTPUT
def drill(*, files: tuple[str, ...], service: str | None, output: str) -> None:
    """Run the read-only steps of runbooks against stand-ins, and compare their output with the runbook.

    The stand-ins are a cluster in which the services of the catalog run, and their health endpoints: all well, each
    with a crashing and a pending pod, and all scaled to zero. A step must be as expected in one of them. No server is
    asked, and no program is started.

    Addresses that only the settings name, such as that of Prometheus, are skipped where they are not set.

    Exit status: 0 if every step produces what the runbook says, 1 if one does not, 2 for a wrong command line.
    """
    with named_failures():
        settings = bootstrap.settings_from_environment()
        book = bootstrap.load_rules(settings.rules, settings.runbooks)
        found = drilled(files, book, service or next(iter(book.services), ""))
    columns = (Column("RESULT", colours=_COLOURS), Column("RUNBOOK"), Column("STEP"), Column("DETAIL"))
    print_rows(found, output, columns, lambda each: (each.result, each.place, each.name, each.detail), asdict)
    bad = [each for each in found if each.result in {"differs", "not run"}]
    skipped = sum(each.result == "skipped" for each in found)
    others = f", {skipped} skipped" if skipped else ""
    well = len(found) - len(bad) - skipped
    click.echo(f"{well} of {len(found)} steps as the runbooks say{others}", err=True)
    if bad:
        sys.exit(FAILED)


def drilled(files: Sequence[str], book: RuleBook, service: str) -> list[Drilled]:
    """Return the result of each read-only command of some runbooks. Raises FatalError."""
    from responder.standins.cluster.running import Scenario

    if service not in book.services:
        raise FatalError(f"the service catalog has no {service}: there are {', '.join(book.services)}")
    names = {name: each.namespace or book.namespace or "default" for name, each in book.services.items()}
    for beside in ("responder", "kafka"):
        names.setdefault(beside, names[service])
    scenarios = [
        Scenario("healthy", names),
        Scenario("failing", names, failing=True),
        Scenario("idle", names, idle=True),
    ]
    return [each for file in files for each in _of_file(file, book, service, scenarios)]


def _of_file(file: str, book: RuleBook, service: str, scenarios: "Sequence[Scenario]") -> list[Drilled]:
    from responder.cli.runbooks.steps import opened

    settings = bootstrap.settings_from_environment()
    document, anchor = opened(file, settings)
    scope = bootstrap.scope_of(settings, book)
    runs: dict[int, dict[str, StepRun]] = {}
    for scenario in scenarios:
        for each in _runs(planned(document, scenario.values(service), scope, anchor), scenario):
            runs.setdefault(each.planned.line, {})[scenario.title] = each
    return [_judged(document.path, found) for _, found in sorted(runs.items())]


def _runs(steps: Sequence[PlannedCommand], scenario: "Scenario") -> "list[StepRun]":
    from responder.cli.runbooks.steps import carried_out
    from responder.diagnose.cluster.reader import TABLE, SharedReads
    from responder.diagnose.steps.run import StepTools

    clock, cluster = bootstrap.SystemClock(), scenario.cluster()

    def fetch(target: str, deadline: Deadline, cap: int, accept: str) -> Response:  # noqa: ARG001 - the names of Fetch
        return Response(*cluster.answer(target, as_table=accept == TABLE))

    tools = StepTools(send=scenario.send, clock=clock, cluster=SharedReads(fetch, clock))
    return [carried_out(each, tools) for each in steps]


def _judged(path: str, runs: "Mapping[str, StepRun]") -> Drilled:
    first = next(iter(runs.values())).planned
    place = f"{path}:{first.line}"
    if isinstance(first.command, Refusal):
        reason = str(first.command)
        return Drilled("skipped" if OF_SETTINGS.search(reason) else "not run", place, first.name, reason)
    if first.command.argv[0] in _STARTED:
        return Drilled("skipped", place, first.name, f"{first.command.argv[0]} is not started in a drill")
    fits = [title for title, each in runs.items() if each.result == "match"]
    if fits:
        return Drilled("ok", place, first.name, f"as expected ({', '.join(fits)})")
    said: dict[str, list[str]] = {}
    for title, each in runs.items():
        said.setdefault(each.comparison.difference, []).append(title)
    detail = "; ".join(f"{' and '.join(titles)}: {difference}" for difference, titles in said.items())
    return Drilled("differs", place, first.name, detail)
