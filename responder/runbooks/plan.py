"""The commands of a runbook that are run: those marked read-only, each with its step and its expected output. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from responder.model.text import seconds_of
from responder.runbooks.command import CommandLine, Refusal, Scope, parse, placeholders
from responder.runbooks.document import Command, Document, Expected, Step

#: Seconds that a command may take, and the most that its ``timeout`` may say.
SECONDS = 10.0
MOST_SECONDS = 60.0
#: The tag of a fence that is run.
READONLY = "readonly"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCommand:
    """A command that is marked read-only.

    ``number`` is that of its step, of ``total`` in the case; both are 0 outside of steps. ``title`` is that of the
    step, or of the section, and ``case`` that of the case. ``command`` is what is run, or why it is not. ``values``
    fill the expected output.
    """

    name: str
    number: int
    total: int
    title: str
    case: str = ""
    line: int
    command: CommandLine | Refusal
    seconds: float
    sha256: str
    expected: Expected | None = None
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def step(self) -> str:
        """``step 2 of 5``; the title of the section outside of steps."""
        return f"step {self.number} of {self.total}" if self.number else self.title

    @property
    def compared(self) -> bool:
        """True if its output is compared with a block, not only shown."""
        return self.expected is not None and self.expected.match != "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookSet:
    """Runbooks as they were loaded, by path below their folder, and what their commands may reach.

    Commands are run from here, never read again: a changed file has no effect until it is loaded.
    """

    documents: Mapping[str, Document] = field(default_factory=dict)
    scope: Scope = field(default_factory=lambda: Scope(namespace="", namespaces=frozenset()))


def is_readonly(command: Command) -> bool:
    """Return True if a closed fence is marked as one that only reads, with attributes that can be read."""
    return command.fence.tag == READONLY and command.fence.closed and not command.fence.problem


def planned(
    document: Document, values: Mapping[str, str], scope: Scope, anchor: str = ""
) -> tuple[PlannedCommand, ...]:
    """Return the read-only commands of a runbook, or of the section with an anchor, in their order."""
    section = document.section(anchor) if anchor else None
    if anchor and section is None:
        return ()
    commands = document.within(section) if section else document.commands
    steps = {id(command.fence): step for step in document.steps for command in step.commands}
    return tuple(_planned(document, commands, steps, values, scope))


def _planned(
    document: Document,
    commands: tuple[Command, ...],
    steps: Mapping[int, Step],
    values: Mapping[str, str],
    scope: Scope,
) -> Iterator[PlannedCommand]:
    for each in commands:
        if not is_readonly(each):
            continue
        step = steps.get(id(each.fence))
        used = {
            *placeholders(each.fence.content),
            *placeholders("\n".join(each.expected.lines if each.expected else ())),
        }
        yield PlannedCommand(
            name=each.fence.name or f"line {each.fence.line}",
            number=step.number if step else 0,
            total=sum(other.case == step.case for other in document.steps) if step else 0,
            title=step.title if step else each.section.title,
            case=step.case.title if step and step.case else "",
            line=each.fence.line,
            command=parse(each.fence.content, each.fence.line, values, scope),
            seconds=_seconds(each.fence.attributes.get("timeout", "")),
            sha256=each.fence.sha256,
            expected=each.expected,
            values={name: value for name, value in values.items() if name in used},
        )


def _seconds(written: str) -> float:
    try:
        return min(seconds_of(written), MOST_SECONDS) if written else SECONDS
    except ValueError:
        return SECONDS
