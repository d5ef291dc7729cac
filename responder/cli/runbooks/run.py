"""``responder runbooks run``: run the read-only steps of a runbook, and compare their output."""

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from responder import bootstrap
from responder.cli.errors import FAILED, FatalError, named_failures
from responder.cli.options import OUTPUT
from responder.cli.table import print_json
from responder.runbooks.command import Refusal
from responder.runbooks.document import PlannedCommand
from responder.settings import Settings

if TYPE_CHECKING:
    from responder.diagnose.steps.run import StepRun, StepTools
    from responder.model.transcript import StepRecord

#: Exit status if no step differs, but one could not be run.
UNKNOWN = 3


@click.command()
@click.argument("file", metavar="FILE[#SECTION]")
@click.option("--step", "names", metavar="NAME", multiple=True, help="Only the fence of this name; may be repeated.")
@click.option("--value", "given", metavar="NAME=VALUE", multiple=True, help="Value of a placeholder; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Print the commands as they would be run, and run nothing.")
@click.option("--guided", is_flag=True, help="Walk through all steps, with a question before each.")
@click.option("--record", metavar="INCIDENT", help="Keep what was run, and its results, with this incident.")
@OUTPUT
def run(
    *,
    file: str,
    names: tuple[str, ...],
    given: tuple[str, ...],
    dry_run: bool,
    guided: bool,
    record: str | None,
    output: str,
) -> None:
    """Run the steps of a runbook that are marked read-only; nothing else is ever run.

    FILE is a path, or that of a file in the folder of the runbooks. SECTION is an anchor, as rules write it.

    Exit status: 0 if all is as expected, 1 if a step differs, 3 if one could not be run, 2 for a wrong command line.
    """
    from responder.cli.runbooks.guide import guide
    from responder.cli.runbooks.steps import linked_as, opened, planned_of, record_of, values_of

    with named_failures():
        settings = bootstrap.settings_from_environment()
        book = bootstrap.load_rules(settings.rules, settings.runbooks)
        if record:
            _check_known(record, settings)
        document, anchor = opened(file, settings)
        values = values_of(given, book)

        steps = planned_of(document, anchor, names, values, settings, book)
        _hint_values(steps)
        document = replace(document, path=linked_as(document.path, anchor, settings))
        if dry_run:
            _show_dry(steps, output)
            sys.exit(UNKNOWN if any(isinstance(each.command, Refusal) for each in steps) else 0)
        clock = bootstrap.SystemClock()
        with bootstrap.step_tools(settings, clock) as tools:
            if guided:
                records, results = guide(document, anchor, steps, values, tools)
            else:
                runs = list(_shown(steps, tools, output))
                records = [record_of(each, document, clock) for each in runs]
                results = [each.result for each in runs]
        if record:
            _keep(record, records, settings)
    sys.exit(status_of(results))


def status_of(results: list[str]) -> int:
    """Return the exit status of some results."""
    if "mismatch" in results:
        return FAILED
    return UNKNOWN if "unknown" in results else 0


def _hint_values(steps: list[PlannedCommand]) -> None:
    """Say which --value is missing, on stderr."""
    from responder.cli.runbooks.steps import command_line

    text = " ".join(str(each.command) for each in steps if not command_line(each))
    if names := dict.fromkeys(re.findall(r"no value for \{\{ (\w+) \}\}", text)):
        click.echo(f"note: to run all steps, add {' '.join(f'--value {name}=...' for name in names)}", err=True)


def _show_dry(steps: list[PlannedCommand], output: str) -> None:
    """Print the command of each step, or the reason why it would not be run."""
    from responder.cli.runbooks.steps import command_line

    if output == "json":
        print_json([_planned(each) for each in steps])
        return
    for each in steps:
        line = command_line(each)
        click.echo(f"{each.name}: {line}" if line else f"{each.name}: not run: {each.command} (line {each.line})")


def _planned(each: PlannedCommand) -> dict[str, Any]:
    """Return an element of ``--dry-run --output json``. Scripts rely on its keys: add, never rename."""
    from responder.cli.runbooks.steps import command_line

    refused = "" if command_line(each) else str(each.command)
    return {"name": each.name, "line": each.line, "command": command_line(each), "refused": refused}


def _shown(steps: list[PlannedCommand], tools: "StepTools", output: str) -> "Iterator[StepRun]":
    """Run commands and show each as it ends; as JSON all at the end."""
    from responder.cli.runbooks.steps import carried_out, show

    runs: list[StepRun] = []
    for planned in steps:
        ran = carried_out(planned, tools)
        runs.append(ran)
        if output != "json":
            show(ran)
        yield ran
    if output == "json":
        print_json([_fields(each) for each in runs])
    else:
        well = sum(each.result == "match" for each in runs)
        click.echo(f"{well} of {len(runs)} commands as expected", err=True)


def _fields(ran: "StepRun") -> dict[str, Any]:
    """Return an element of ``--output json``. Scripts rely on its keys: add, never rename."""
    from responder.cli.runbooks.steps import command_line

    return {
        "name": ran.planned.name,
        "step": ran.planned.number,
        "steps": ran.planned.total,
        "title": ran.planned.title,
        "line": ran.planned.line,
        "command": command_line(ran.planned),
        "result": ran.result,
        "difference": ran.comparison.difference,
        "exit_status": ran.output.status if ran.output else None,
        "output": ran.output.text if ran.output else "",
    }


def _check_known(incident: str, settings: Settings) -> None:
    """Raise FatalError for an unknown incident, before anything is run for it."""
    from responder.store.incidents import transcripts

    with bootstrap.database(settings) as database, database.read() as connection:
        if not transcripts.has_content(connection, incident):
            raise FatalError(f"there is no incident {incident}: nothing was run")


def _keep(incident: str, records: "list[StepRecord]", settings: Settings) -> None:
    """Keep records with an incident. Raises FatalError for an unknown one."""
    from responder.store.incidents import transcripts

    with bootstrap.database(settings) as database, database.transaction() as connection:
        known = transcripts.add(connection, incident, records)
    if not known:
        raise FatalError(f"there is no incident {incident}: nothing was recorded")
    click.echo(f"recorded with {incident}", err=True)
