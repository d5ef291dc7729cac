"""Guided run: walks a person through the steps of a runbook, one question at a time."""

from collections.abc import Iterator, Mapping
from typing import Final

import click

from responder.cli.runbooks.steps import carried_out, command_line, record_of, show
from responder.diagnose.steps.run import StepTools
from responder.model.transcript import StepRecord
from responder.runbooks.document import Document, PlannedCommand, Step
from responder.runbooks.words import SLOT

#: Questions until a person who gives other answers is taken to have stopped, such as a pipe.
_TRIES: Final = 3
_TICKED = {"d": "done", "s": "skipped"}


def guide(
    document: Document,
    anchor: str,
    planned: list[PlannedCommand],
    values: Mapping[str, str],
    tools: StepTools,
) -> tuple[list[StepRecord], list[str]]:
    """Walk through the steps of a section, then through the commands outside of steps (Verification).

    Read-only commands are run on demand; the others, and manual steps, are ticked. Returns the records, and the results
    of the commands that were run.
    """
    records: list[StepRecord] = []
    results: list[str] = []
    steps = list(_steps(document, anchor))
    try:
        for step in steps:
            _heading(step, sum(other.case == step.case for other in steps), values)
            mine = [each for each in planned if each.number and each.line in _lines(step)]
            for each in mine:
                _run(each, document, tools, records, results)
            _tick(step, mine, document, tools, records)
        for each in planned:
            if not each.number:
                click.secho(f"\n{each.title}", bold=True)
                _run(each, document, tools, records, results)
    except _QuitError:
        click.echo("stopped here", err=True)
    well = results.count("match")
    ticked = sum(record.result == "done" for record in records)
    click.echo(f"{well} of {len(results)} commands as expected, {ticked} steps ticked", err=True)
    return records, results


class _QuitError(Exception):
    """The person stopped the run; what was done until then is kept."""


def _steps(document: Document, anchor: str) -> Iterator[Step]:
    section = document.section(anchor) if anchor else None
    for step in document.steps:
        if section is None or section.line <= step.line <= section.end_line:
            yield step


def _lines(step: Step) -> set[int]:
    return {command.fence.line for command in step.commands}


def _heading(step: Step, total: int, values: Mapping[str, str]) -> None:
    """Print a step as the runbook has it, without the lines around fences, and with the values that are known."""
    case = f"{step.case.title}: " if step.case and step.case.title != "Procedure" else ""
    click.secho(f"\n{case}step {step.number} of {total}: {step.title}", bold=True)
    fenced = False
    for line in step.section.text.strip().splitlines():
        if line.startswith("```"):
            fenced = not fenced
            continue
        filled = SLOT.sub(lambda found: values.get(found[1], found[0]), line)
        click.echo(f"{'      ' if fenced else '  '}{filled}".rstrip())


def _run(
    each: PlannedCommand, document: Document, tools: StepTools, records: list[StepRecord], results: list[str]
) -> None:
    line = command_line(each)
    if line and _asked(f"Run {line}", {"y": "run", "s": "skip"}, "y") != "y":
        return
    ran = carried_out(each, tools)
    show(ran)
    records.append(record_of(ran, document, tools.clock))
    results.append(ran.result)


def _tick(
    step: Step, mine: list[PlannedCommand], document: Document, tools: StepTools, records: list[StepRecord]
) -> None:
    """Ask a person about a step, or the part of it, that is not run here."""
    if not step.manual and mine and len(mine) == len(step.commands):
        return
    answer = _asked("Carry it out yourself", {"d": "done", "s": "skip"}, "d")
    records.append(
        StepRecord(
            at=tools.clock.now(),
            runbook=document.path,
            step=f"{f'{step.case.title}: ' if step.case else ''}step {step.number}: {step.title}",
            result=_TICKED[answer],
        )
    )


def _asked(what: str, answers: dict[str, str], default: str) -> str:
    """Ask a question. Returns the letter of the answer, of which ``n`` means skip.

    Raises _QuitError for ``q``, at the end of the input, and after other answers only.
    """
    choices = ", ".join(f"{letter} = {word}" for letter, word in answers.items())
    for _ in range(_TRIES):
        try:
            answer: str = click.prompt(f"{what}? [{choices}, q = quit]", default=default, show_default=True, err=True)
        except click.Abort:
            raise _QuitError from None
        letter = answer.strip().lower()[:1]
        if letter == "q":
            raise _QuitError
        if letter == "n":
            letter = "s"
        if letter in answers:
            return letter
        click.echo(f"answer {', '.join(answers)} or q", err=True)
    raise _QuitError
