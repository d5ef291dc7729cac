"""A result of a check of the installation, as ``responder doctor`` shows it."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """The weight of a result. Bad: pages may be lost; a warning: probably a mistake; skipped: not checked."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Result:
    """Subject, level, finding, and what to change (empty if nothing) of a check."""

    about: str
    level: Level
    what: str
    change: str = ""


def ok(about: str, what: str) -> Result:
    """Return a result without a problem."""
    return Result(about, Level.OK, what)


def warn(about: str, what: str, change: str) -> Result:
    """Return a probable mistake."""
    return Result(about, Level.WARN, what, change)


def bad(about: str, what: str, change: str) -> Result:
    """Return a problem that loses pages, or may."""
    return Result(about, Level.BAD, what, change)


def skipped(about: str, what: str, change: str = "") -> Result:
    """Return what could not be checked, or need not be."""
    return Result(about, Level.SKIPPED, what, change)
