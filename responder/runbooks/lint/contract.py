"""Input and output of the checks of runbooks."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Final

from responder.model.problem import Level
from responder.runbooks.command import Scope
from responder.runbooks.document import Document, Field, Section

#: Sections of the template, in order.
SECTIONS: Final = (
    "Overview",
    "Prerequisites",
    "Symptoms",
    "Impact",
    "Procedure",
    "Verification",
    "Escalation",
    "Post-Incident",
)


_ISO = re.compile(r"\d{4}-\d\d-\d\d\Z")
_ROW = re.compile(r"^\s*\|?([^|]+)\|([^|]+)(?:\||$)")


class Profile(StrEnum):
    """Kind of a file, which decides which checks apply to it.

    ``template`` follows the template of ``responder runbooks new``, ``plain`` is any other runbook, ``index`` a page
    that lists runbooks.
    """

    TEMPLATE = "template"
    PLAIN = "plain"
    INDEX = "index"


@dataclass(frozen=True, slots=True)
class Catalog:
    """Values of the rule files that runbooks repeat.

    ``contacts`` maps roles to contacts, ``urls`` texts to addresses, ``responses`` the names of severities to their
    response, such as ``15 minutes, all hands``. ``scope`` is what commands may reach.
    """

    services: frozenset[str]
    contacts: Mapping[str, str]
    urls: Mapping[str, str]
    responses: Mapping[str, str]
    scope: Scope


@dataclass(frozen=True, slots=True)
class Edit:
    """Replacement of ``old`` by ``new`` at a position, for ``--fix``; lines and columns count from 1."""

    line: int
    column: int
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem without its file and code, and the edits that fix it; none if a person must."""

    line: int
    column: int
    message: str
    hint: str = ""
    level: Level = Level.ERROR
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """Row of a table: its first two cells, and the position of the second."""

    name: str
    value: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class ShellError:
    """A command that a shell cannot parse: line and column within its fence, from 1."""

    line: int
    column: int
    message: str


@dataclass(frozen=True, slots=True)
class Failure:
    """An incident that this runbook did not solve; ``outcome`` says ``re-fired`` or ``took over a day``."""

    incident: str
    opened: date
    outcome: str


@dataclass(frozen=True)
class Runbook:
    """A runbook to check, with its surroundings.

    ``catalog`` is None without rule files. ``anchors_of`` returns the anchors of a Markdown file by its path relative
    to the folder, None if it does not exist; ``exists`` is True for any file or folder. ``stale_days`` and
    ``critical_days`` limit the age of *Last Updated*; ``changed`` is the date of the last commit of the file, None if
    it is not known, and ``failures`` are the incidents that it did not solve, the newest first. ``shell_errors`` are by
    the index of the command; ``dead_urls`` maps addresses to the reason, and True if the page does not exist.
    """

    document: Document
    profile: Profile
    today: date
    catalog: Catalog | None = None
    anchors_of: Callable[[str], frozenset[str] | None] = lambda _path: None
    exists: Callable[[str], bool] = lambda _path: False
    stale_days: int = 180
    critical_days: int = 90
    changed: date | None = None
    failures: Sequence[Failure] = ()
    shell_errors: Mapping[int, Sequence[ShellError]] = field(default_factory=dict)
    dead_urls: Mapping[str, tuple[str, bool]] = field(default_factory=dict)

    @property
    def critical(self) -> bool:
        """True if its metadata says that it is critical."""
        found = self.document.metadata.get("criticality")
        return found is not None and found.value.lower() == "critical"

    @cached_property
    def prose(self) -> tuple[tuple[int, str], ...]:
        """Lines outside of code blocks and HTML comments, with their numbers; inline code is blanked."""
        found = []
        comment = False
        for number, line in enumerate(self.document.lines, 1):
            if number in self.document.code_lines:
                continue
            shown, comment = _without_comments(line, comment)
            found.append((number, _without_code(shown)))
        return tuple(found)

    def prose_of(self, section: Section) -> Iterator[tuple[int, str]]:
        """Yield the lines of prose of a section and its sub-sections."""
        return ((number, line) for number, line in self.prose if section.line < number <= section.end_line)

    @property
    def updated(self) -> tuple[Field, date] | None:
        """Metadata *Last Updated* and its date; None without a valid one."""
        value = self.document.metadata.get("last_updated")
        found = date_of(value.value) if value else None
        return (value, found) if value and found else None

    def rows(self, first: str, second: str) -> Iterator[Row]:
        """Yield the rows of tables whose first two columns have these heads, in lower case."""
        inside = False
        for number, line in self.prose:
            found = _ROW.match(line)
            if not found:
                inside = False
                continue
            name, value = found[1].strip(), found[2].strip()
            if inside:
                column = found.start(2) + len(found[2]) - len(found[2].lstrip()) + 1
                yield Row(name, value, number, column)
            inside = inside or (name.lower(), value.lower()) == (first, second)

    def section(self, title: str) -> Section | None:
        """Return a section of the template."""
        return self.document.named(title)


def date_of(text: str) -> date | None:
    """Return a date in ISO 8601 form; None if it is another text."""
    try:
        return date.fromisoformat(text) if _ISO.match(text) else None
    except ValueError:
        return None


def _without_comments(line: str, inside: bool) -> tuple[str, bool]:
    """Blank HTML comments; ``inside`` is True if the line begins in one."""
    pieces: list[str] = []
    rest = line
    while rest:
        mark = "-->" if inside else "<!--"
        before, found, after = rest.partition(mark)
        pieces.append(" " * (len(before) + len(found)) if inside else before + " " * len(found))
        rest, inside = after, inside != bool(found)
    return "".join(pieces), inside


def _without_code(line: str) -> str:
    """Blank inline code."""
    parts = line.split("`")
    if len(parts) < 3:
        return line
    return "`".join(" " * len(part) if n % 2 and n < len(parts) - 1 else part for n, part in enumerate(parts))


Check = Callable[[Runbook], Iterator[Finding]]
