"""Steps of a runbook on the command line: opened, filled, carried out, shown and recorded."""

import shlex
from pathlib import Path

import click

from responder import bootstrap
from responder.checked_file import repository_of
from responder.cli.errors import FatalError
from responder.diagnose.steps.run import StepRun, StepTools, carry_out
from responder.model.clock import Clock, Deadline
from responder.model.rule import RuleBook
from responder.model.suggestions import nearest
from responder.model.text import sanitize
from responder.model.transcript import OUTPUT_LIMIT, RESULTS, StepRecord
from responder.runbooks.command import Refusal
from responder.runbooks.document import Document, PlannedCommand, planned
from responder.runbooks.words import is_value
from responder.settings import Settings

_COLOURS = {"match": "green", "mismatch": "red", "unknown": "yellow"}


def opened(file: str, settings: Settings) -> tuple[Document, str]:
    """Return a runbook and the anchor of a section of it, empty for none. Raises FatalError."""
    name, _, anchor = file.partition("#")
    folder = Path(settings.runbooks)
    places = (Path(name), folder / name, folder / f"{name}.md")
    path = next((each for each in places if name and each.is_file()), None)
    if path is None:
        hint = nearest(Path(name).name, {each.name for each in folder.glob("*.md")})
        raise FatalError(f"there is no runbook {name}, neither here nor in {folder}{hint and f': {hint}'}")
    try:
        document = bootstrap.document_of(path, repository_of(path))
    except OSError as error:
        raise FatalError(f"{path}: {error.strerror}") from error
    if anchor and document.section(anchor) is None:
        hint = nearest(anchor, document.anchors)
        raise FatalError(f"{path} has no section #{anchor}{hint and f': {hint}'}")
    return document, anchor


def linked_as(path: str, anchor: str, settings: Settings) -> str:
    """Return a runbook as rules link it: its path below the folder of the runbooks, and the section."""
    folder, file = Path(settings.runbooks).resolve(), Path(path).resolve()
    name = file.relative_to(folder).as_posix() if file.is_relative_to(folder) else path
    return f"{name}#{anchor}" if anchor else name


def values_of(given: tuple[str, ...], book: RuleBook) -> dict[str, str]:
    """Return the values of placeholders. A service must be in the catalog. Raises FatalError."""
    values: dict[str, str] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals:
            raise FatalError(f"--value {each}: write NAME=VALUE")
        if not is_value(value):
            raise FatalError(f"--value {name}: {value!r} is not a name: letters, digits, '-', '_' and '.'")
        values[name] = value
    service = values.get("service", "")
    if service and service not in book.services:
        known = nearest(service, book.services) or f"there are {', '.join(book.services)}"
        raise FatalError(f"--value service: the service catalog has no {service}: {known}")
    namespace = (book.services[service].namespace if service else "") or book.namespace
    return {**({"namespace": namespace} if namespace else {}), **values}


def planned_of(
    document: Document,
    anchor: str,
    names: tuple[str, ...],
    values: dict[str, str],
    settings: Settings,
    book: RuleBook,
) -> list[PlannedCommand]:
    """Return the read-only commands of a section, or those of ``names``. Raises FatalError."""
    found = planned(document, values, bootstrap.scope_of(settings, book), anchor)
    for name in names:
        if all(each.name != name for each in found):
            marked = ", ".join(each.name for each in found) or "none"
            fence = next((each.fence for each in document.commands if each.fence.name == name), None)
            problem = f" ({fence.problem})" if fence and fence.problem else ""
            why = f'is not marked "tag":"readonly"{problem}' if fence else "does not exist here"
            raise FatalError(f"{document.path}: step {name} {why}; read-only steps are: {marked}")
    if not found:
        raise FatalError(
            f'{document.path} has no step that is marked "tag":"readonly"' + (f" in #{anchor}" * bool(anchor))
        )
    return [each for each in found if not names or each.name in names]


def carried_out(planned: PlannedCommand, tools: StepTools) -> StepRun:
    """Run a command within its time, and compare its output."""
    return carry_out(planned, Deadline(tools.clock.monotonic() + planned.seconds), tools)


def record_of(ran: StepRun, document: Document, clock: Clock) -> StepRecord:
    """Return the record of a command."""
    return StepRecord(
        at=clock.now(),
        runbook=document.path,
        step=f"{ran.planned.step}: {ran.planned.name}",
        result=ran.result,
        difference=ran.comparison.difference,
        command=command_line(ran.planned),
        sha256=ran.planned.sha256,
        output=sanitize(ran.output.text, OUTPUT_LIMIT) if ran.output else "",
    )


def command_line(planned: PlannedCommand) -> str:
    """Return the argument vector as a shell would need it; empty if the command is refused."""
    return "" if isinstance(planned.command, Refusal) else shlex.join(planned.command.argv)


def show(ran: StepRun) -> None:
    """Print a command, its output and the comparison."""
    planned = ran.planned
    where = f"{planned.step}: {planned.title}" if planned.number else planned.title
    click.secho(f"{where} ({planned.name})", bold=True)
    if line := command_line(planned):
        click.echo(f"  $ {line}")
    for line in ran.output.text.splitlines() if ran.output else ():
        click.echo(f"  {line}")
    said = f": {ran.comparison.difference}" if ran.comparison.difference else ""
    click.echo(click.style(f"  {RESULTS[ran.result]}{said}", fg=_COLOURS[ran.result]))
    click.echo()
