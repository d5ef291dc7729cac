"""What a check says, and what it looks with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from responder.model.clock import Clock, Deadline
from responder.model.message import Request, Response
from responder.model.rule import RuleBook
from responder.outgoing import Outgoing
from responder.settings import Settings

ANSWER_LIMIT = 4 * 1024 * 1024
"""Bytes of an answer that are read: Alertmanager answers with its whole configuration."""


class Level(StrEnum):
    """Bad keeps people from being paged, or may; a warning is most likely a slip; skipped could not be looked at."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Result:
    """One finding: about what, how bad, what is so, and what to change (empty where nothing needs to be)."""

    about: str
    level: Level
    what: str
    change: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """What the checks look at. ``book`` is None where the rules cannot be used; ``send`` allows test messages."""

    settings: Settings
    environment: Mapping[str, str]
    book: RuleBook | None
    outgoing: Outgoing
    clock: Clock
    deadline: Deadline
    send: bool

    def get(self, url: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Response:
        """The answer to a request without a body. Raises CouldNotReach by the deadline."""
        return self.outgoing.send(Request(url, b"", headers or {}, method), self.deadline, ANSWER_LIMIT)

    def ask(self, url: str) -> Response:
        """The same from Prometheus or Alertmanager, which may want their token."""
        return self.outgoing.ask(Request(url, b"", {}, "GET"), self.deadline, ANSWER_LIMIT)


Check = Callable[[Patient], tuple[Result, ...]]


def ok(about: str, what: str) -> Result:
    """All is well."""
    return Result(about, Level.OK, what)


def warn(about: str, what: str, change: str) -> Result:
    """Most likely a slip."""
    return Result(about, Level.WARN, what, change)


def bad(about: str, what: str, change: str) -> Result:
    """People are not paged, or may not be."""
    return Result(about, Level.BAD, what, change)


def skipped(about: str, what: str, change: str = "") -> Result:
    """Could not be looked at, or need not."""
    return Result(about, Level.SKIPPED, what, change)
