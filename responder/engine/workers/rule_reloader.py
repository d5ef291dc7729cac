"""The rules in force: reloaded when their files change or on request, and replaced by valid rules only."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from responder.engine.effects.context import DecisionContext
from responder.model.clock import Clock
from responder.model.problem import InvalidRules
from responder.rulebook.file_state import Looks

_log = structlog.get_logger()

#: Seconds between checks of the files. A change is read once it is stable for one interval, to skip half-written files.
LOOK_SECONDS = 2.0
#: Problems listed in the log line of a rejected reload.
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class LoadedRules:
    """Rules, and the state of their files before they were read."""

    desk: DecisionContext
    looks: Looks


@dataclass(frozen=True, slots=True)
class RulesStatus:
    """The revision in force. ``refused`` counts the problems of newer files; 0 if the newest are in force."""

    revision: str
    since: datetime
    refused: int = 0


class RuleReloader:
    """Holds the rules in force. ``read`` loads them anew; it raises InvalidRules or OSError.

    A caller of ``desk()`` works with one rule set to the end: rules are replaced between two batches of notifications.
    """

    def __init__(
        self,
        loaded: LoadedRules,
        read: Callable[[], DecisionContext],
        look: Callable[[], Looks],
        clock: Clock,
        *,
        pause: float = LOOK_SECONDS,
    ) -> None:
        self._desk = loaded.desk
        self._seen = loaded.looks
        self._changing: Looks | None = None
        self._read = read
        self._look = look
        self._clock = clock
        self._pause = pause
        self._asked = threading.Event()
        self.state = RulesStatus(self._desk.book.revision, clock.now())

    def desk(self) -> DecisionContext:
        """Return the rules in force."""
        return self._desk

    def ask(self) -> None:
        """Read the files at the next step, changed or not."""
        self._asked.set()

    def step(self) -> float:
        """Check the files, and read them if they changed. Returns the seconds to rest."""
        looks = self._look()
        if self._asked.is_set():
            self._asked.clear()
            self._reload(looks)
        elif looks == self._seen:
            self._changing = None
        elif looks == self._changing:
            self._reload(looks)
        else:
            self._changing = looks
        return self._pause

    def _reload(self, looks: Looks) -> None:
        before, self._seen, self._changing = self.state.revision, looks, None
        try:
            desk = self._read()
        except (InvalidRules, OSError) as error:
            problems = [str(each) for each in error.problems] if isinstance(error, InvalidRules) else [str(error)]
            self.state = RulesStatus(before, self.state.since, len(problems))
            _log.error("rules.refused", in_force=before[:12], problems=len(problems), first=problems[:_SHOWN])
            return
        self._desk = desk
        self.state = RulesStatus(desk.book.revision, self._clock.now())
        _log.info("rules.reloaded", revision=desk.book.revision[:12], before=before[:12], rules=len(desk.book.rules))
