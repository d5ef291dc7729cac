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
from responder.rulebook.file_state import FileStates

_log = structlog.get_logger()

#: Seconds between checks of the files. A change is read once it is stable for one interval, to skip half-written files.
LOOK_SECONDS = 2.0
#: Problems listed in the log line of a rejected reload.
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class LoadedRules:
    """Rules, and the state of their files before they were read."""

    context: DecisionContext
    states: FileStates


@dataclass(frozen=True, slots=True)
class RulesStatus:
    """The revision in force. ``refused`` counts the problems of newer files; 0 if the newest are in force."""

    revision: str
    since: datetime
    refused: int = 0


class RuleReloader:
    """Holds the rules in force. ``read`` loads them anew; it raises InvalidRules or OSError.

    A caller of ``context()`` works with one rule set to the end: rules are replaced between two batches of
    notifications.
    """

    def __init__(
        self,
        loaded: LoadedRules,
        read: Callable[[], DecisionContext],
        file_states: Callable[[], FileStates],
        clock: Clock,
        *,
        pause: float = LOOK_SECONDS,
    ) -> None:
        self._context = loaded.context
        self._seen = loaded.states
        self._changing: FileStates | None = None
        self._read = read
        self._look = file_states
        self._clock = clock
        self._pause = pause
        self._asked = threading.Event()
        self.state = RulesStatus(self._context.book.revision, clock.now())

    def context(self) -> DecisionContext:
        """Return the rules in force."""
        return self._context

    def request_reload(self) -> None:
        """Read the files at the next step, changed or not."""
        self._asked.set()

    def step(self) -> float:
        """Check the files, and read them if they changed. Returns the seconds to rest."""
        states = self._look()
        if self._asked.is_set():
            self._asked.clear()
            self._reload(states)
        elif states == self._seen:
            self._changing = None
        elif states == self._changing:
            self._reload(states)
        else:
            self._changing = states
        return self._pause

    def _reload(self, states: FileStates) -> None:
        before, self._seen, self._changing = self.state.revision, states, None
        try:
            context = self._read()
        except (InvalidRules, OSError) as error:
            problems = [str(each) for each in error.problems] if isinstance(error, InvalidRules) else [str(error)]
            self.state = RulesStatus(before, self.state.since, len(problems))
            _log.error("rules.refused", in_force=before[:12], problems=len(problems), first=problems[:_SHOWN])
            return
        self._context = context
        self.state = RulesStatus(context.book.revision, self._clock.now())
        _log.info(
            "rules.reloaded", revision=context.book.revision[:12], before=before[:12], rules=len(context.book.rules)
        )
