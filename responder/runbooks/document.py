"""A runbook as a value: metadata, sections, steps, commands with expected output, and those that are run. Pure."""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from responder.model.text import seconds_of
from responder.runbooks.command import CommandLine, Refusal, Scope, placeholders
from responder.runbooks.command import parse as parse_command
from responder.runbooks.markdown import Fence, Heading, Link, Markdown
from responder.runbooks.markdown import read as read_markdown

#: Languages of fences that hold a command.
SHELLS: Final = frozenset({"sh", "bash", "shell", "zsh", "ksh", "console", "shell-session", "shellsession", "terminal"})
#: How output is compared with an expected block that does not say.
DEFAULT_MATCH: Final = "contains"

_STEP = re.compile(r"Step\s+(\d+)\b\s*[:.)-]?\s*(.*)\Z", re.IGNORECASE | re.DOTALL)
_MANUAL = re.compile(r"^[*_\s]*Manual step\b", re.IGNORECASE | re.MULTILINE)
_METADATA = re.compile(r"^\s*(?:[-*>]\s+)?\*\*([A-Z][\w ]+?)(?::\*\*|\*\*:)[ \t]*(.*?)[ \t\\]*$")
_YAML_LINE = re.compile(r"([A-Za-z][\w -]*):[ \t]*(.*?)[ \t]*$")
_EXPECTED = re.compile(r"[\s*_#>]*expected(\s+(output|result))?[\s*_:]*\Z", re.IGNORECASE)
#: Seconds that a command may take, and the most that its ``timeout`` may say.
SECONDS = 10.0
#: Seconds that a step may ask for, at most.
MOST_SECONDS = 60.0
#: The tag of a fence that is run.
READONLY = "readonly"


@dataclass(frozen=True, slots=True)
class Field:
    """Value of the metadata, with the position of its first character."""

    value: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Section:
    """Heading with what follows it, including its sub-sections; ``text`` is without the heading."""

    level: int
    title: str
    anchor: str
    line: int
    end_line: int
    text: str


@dataclass(frozen=True, slots=True)
class Expected:
    """Expected output of a command.

    ``match`` says how it is compared: lines, contains, exit:N, json:PATH==VALUE or none. ``line`` is that of the first
    of ``lines``.
    """

    for_name: str
    match: str
    lines: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Command:
    """Command with its expected output, if the runbook states it. ``section`` is the innermost section around it."""

    fence: Fence
    expected: Expected | None
    section: Section


@dataclass(frozen=True, slots=True)
class Step:
    """Step of a procedure. ``case`` is the section above it: a case, or ``Procedure`` itself.

    ``manual`` is True if the runbook says that a person carries it out.
    """

    number: int
    title: str
    section: Section
    case: Section | None
    commands: tuple[Command, ...]
    manual: bool

    @property
    def anchor(self) -> str:
        """Anchor of its heading."""
        return self.section.anchor

    @property
    def line(self) -> int:
        """Line of its heading."""
        return self.section.line

    @property
    def fence(self) -> Fence | None:
        """First command; None if there is none."""
        return self.commands[0].fence if self.commands else None

    @property
    def expected(self) -> Expected | None:
        """Expected output of the first command."""
        return self.commands[0].expected if self.commands else None


@dataclass(frozen=True, slots=True)
class Document:
    """Runbook file. ``metadata`` has the keys in lower case with underscores: owner, criticality, last_updated.

    ``commands`` are all fences in the language of a shell, also those outside of steps. ``sha256`` is that of the text.
    """

    path: str
    title: str
    metadata: Mapping[str, Field]
    sections: tuple[Section, ...]
    steps: tuple[Step, ...]
    commands: tuple[Command, ...]
    fences: tuple[Fence, ...]
    links: tuple[Link, ...]
    anchors: frozenset[str]
    code_lines: frozenset[int]
    lines: tuple[str, ...]
    sha256: str

    def section(self, anchor: str) -> Section | None:
        """Return the section with an anchor."""
        return next((each for each in self.sections if each.anchor == anchor), None)

    def named(self, title: str) -> Section | None:
        """Return the first section with a title, in any case."""
        return next((each for each in self.sections if each.title.lower() == title.lower()), None)

    def within(self, section: Section) -> tuple[Command, ...]:
        """Return the commands of a section and its sub-sections."""
        return tuple(each for each in self.commands if section.line < each.fence.line <= section.end_line)


def parse(path: str, text: str) -> Document:
    """Read a runbook. Any text is a document: what is missing or malformed is left out, or kept with its problem."""
    markdown = read_markdown(text)
    sections = tuple(_sections(markdown))
    commands = tuple(_commands(markdown, sections))
    metadata = _metadata(markdown, sections)
    first = next((each.title for each in sections if each.level == 1), "")
    title = first or (metadata["title"].value if "title" in metadata else "")
    return Document(
        path=path,
        title=title or (sections[0].title if sections else ""),
        metadata=metadata,
        sections=sections,
        steps=tuple(_steps(sections, commands)),
        commands=commands,
        fences=markdown.fences,
        links=markdown.links,
        anchors=markdown.anchors,
        code_lines=markdown.code_lines,
        lines=markdown.lines,
        sha256=sha256(text.encode()).hexdigest(),
    )


def _sections(markdown: Markdown) -> Iterator[Section]:
    headings = markdown.headings
    for number, each in enumerate(headings):
        after: Iterator[Heading] = (other for other in headings[number + 1 :] if other.level <= each.level)
        end = next((other.line - 1 for other in after), len(markdown.lines))
        text = "\n".join(markdown.lines[each.last_line : end])
        yield Section(each.level, each.title, each.anchor, each.line, end, text)


def _innermost(sections: tuple[Section, ...], line: int) -> Section:
    """Return the section of the nearest heading above a line."""
    number = bisect_left(sections, line, key=lambda each: each.line)
    return sections[number - 1] if number else Section(0, "", "", 0, 0, "")


def _commands(markdown: Markdown, sections: tuple[Section, ...]) -> Iterator[Command]:
    """Pair each command with the block that names it in ``for``, else with a block below it titled Expected output."""
    by_name = {fence.attributes["for"]: fence for fence in markdown.fences if "for" in fence.attributes}
    for number, fence in enumerate(markdown.fences):
        if fence.language not in SHELLS or "for" in fence.attributes:
            continue
        section = _innermost(sections, fence.line)
        block = by_name.get(fence.name) if fence.name else None
        following = markdown.fences[number + 1] if number + 1 < len(markdown.fences) else None
        if (
            block is None
            and following is not None
            and "for" not in following.attributes
            and _innermost(sections, following.line) == section
            and _EXPECTED.match(_line_above(markdown, following))
        ):
            block = following
        yield Command(fence, _expected(block, fence.name) if block else None, section)


def _line_above(markdown: Markdown, fence: Fence) -> str:
    """Return the nearest line with text above a fence."""
    return next((line for line in reversed(markdown.lines[: fence.line - 2]) if line.strip()), "")


def _expected(fence: Fence, name: str) -> Expected:
    lines = tuple(fence.content.removesuffix("\n").split("\n")) if fence.content else ()
    return Expected(fence.attributes.get("for", name), fence.attributes.get("match", DEFAULT_MATCH), lines, fence.line)


def _steps(sections: tuple[Section, ...], commands: tuple[Command, ...]) -> Iterator[Step]:
    for number, section in enumerate(sections):
        found = _STEP.match(section.title)
        if found is None:
            continue
        above = (each for each in reversed(sections[:number]) if each.level < section.level)
        inside = tuple(each for each in commands if section.line < each.fence.line <= section.end_line)
        manual = bool(_MANUAL.search(section.text)) or "(manual)" in section.title.lower()
        yield Step(int(found[1]), found[2], section, next(above, None), inside, manual)


def _metadata(markdown: Markdown, sections: tuple[Section, ...]) -> dict[str, Field]:
    """Return the keys of the front matter, and those in bold above the first section below the title."""
    found: dict[str, Field] = {}
    for number, line in enumerate(markdown.front_matter.splitlines(), 2):
        if match := _YAML_LINE.match(line):
            found[_key(match[1])] = Field(match[2].strip("\"'"), number, match.start(2) + 1)
    end = next((each.line - 1 for each in sections if each.level > 1), len(markdown.lines))
    for number, line in enumerate(markdown.lines[:end], 1):
        if number not in markdown.code_lines and (match := _METADATA.match(line)):
            found.setdefault(_key(match[1]), Field(match[2], number, match.start(2) + 1))
    return found


def _key(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")


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
    totals = Counter(id(step.case) for step in document.steps)
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
            total=totals[id(step.case)] if step else 0,
            title=step.title if step else each.section.title,
            case=step.case.title if step and step.case else "",
            line=each.fence.line,
            command=parse_command(each.fence.content, each.fence.line, values, scope),
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
