"""Something wrong in a file a person wrote: where, what, and what to write instead."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Position(NamedTuple):
    """A position in a file; lines and columns count from 1. A tuple, since a large rule set has 200,000 of them."""

    path: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


class Level(StrEnum):
    """An error must be fixed; a warning is most likely a mistake, but may be intended."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """A problem in a rule file or a runbook. ``code`` is stable; ``hint`` says what to write instead."""

    position: Position
    code: str
    message: str
    hint: str = ""
    level: Level = Level.ERROR

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.position}: {self.level.value}[{self.code}] {self.message}{hint}"


class InvalidRules(Exception):
    """The rule files cannot be used. ``problems`` are all of them, in the order of the files."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems
