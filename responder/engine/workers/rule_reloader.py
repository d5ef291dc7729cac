"""The rules in force: reloaded when their files change or on request, and replaced by valid rules only."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from responder.engine.effects.context import DecisionContext
from responder.model.clock import Clock
from responder.model.problem import InvalidRules
from responder.model.rule_text import RuleText
from responder.model.text import number_of
from responder.rulebook.file_state import FileStates

_log = structlog.get_logger()

#: Seconds between checks of the files. A change is read once it is stable for one interval, to skip half-written files.
LOOK_SECONDS = 2.0
#: Longest pause after several refusals in a row, in seconds. SIGHUP reads the files at once.
MOST_SECONDS = 60.0
#: Problems listed in the log line of a rejected reload.
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class LoadedRules:
    """Rules, the state of their files before they were read, and their text.

    If the files were invalid, ``problems`` is not empty, and the context is that of the last valid revision.
    """

    context: DecisionContext
    states: FileStates
    text: RuleText | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RulesStatus:
    """The revision in force. ``refused`` counts the problems of newer files; 0 if the newest are in force.

    ``problem`` is the first of them, and ``refused_at`` the time of the first refusal. ``kept`` is true if the revision
    comes from the database, because the files were invalid when the process started.
    """

    revision: str
    since: datetime
    refused: int = 0
    problem: str = ""
    refused_at: datetime | None = None
    kept: bool = False

    @property
    def note(self) -> str:
        """A sentence for /readyz, empty if the newest files are in force."""
        if not self.refused:
            return ""
        rules = "the last valid revision, kept in the database," if self.kept else "the revision before"
        return f"the rule files are invalid ({number_of(self.refused, 'problem')}): {rules} is in force"


def problems_of(error: InvalidRules | OSError) -> tuple[str, ...]:
    """Return every problem of rule files as a line."""
    return tuple(map(str, error.problems)) if isinstance(error, InvalidRules) else (str(error),)


class RuleReloader:
    """Holds the rules in force. ``read`` loads them anew; it raises InvalidRules or OSError.

    ``keep`` stores the text of valid rules, and ``last_valid`` loads what was stored; both raise StoreError.

    A caller of ``context()`` works with one rule set to the end: rules are replaced between two batches of
    notifications.
    """

    def __init__(
        self,
        loaded: LoadedRules,
        read: Callable[[], LoadedRules],
        file_states: Callable[[], FileStates],
        clock: Clock,
        *,
        keep: Callable[[RuleText], None] = lambda _text: None,
        last_valid: Callable[[], DecisionContext | None] = lambda: None,
    ) -> None:
        self._context = loaded.context
        self._seen = loaded.states
        self._changing: FileStates | None = None
        self._read = read
        self._look = file_states
        self._keep = keep
        self._last_valid = last_valid
        self._clock = clock
        self._asked = threading.Event()
        self._unkept = loaded.text
        self._first_error: InvalidRules | OSError | None = None
        self._refusals = 0
        self._not_before = float("-inf")
        now = clock.now()
        self.state = RulesStatus(self._context.book.revision, now)
        if problems := loaded.problems:
            self.state = replace(self.state, refused=len(problems), problem=problems[0], refused_at=now, kept=True)
        #: False until the files are read that changed before this process was forked. Nothing is decided before.
        self.ready = not loaded.problems and file_states() == loaded.states

    def context(self) -> DecisionContext:
        """Return the rules in force."""
        return self._context

    def request_reload(self) -> None:
        """Read the files at the next step, changed or not."""
        self._asked.set()

    def step(self) -> float:
        """Check the files, and read them if they changed. Returns the seconds to rest. Raises StoreError."""
        states = self._look()
        if not self.ready:
            self._begin(states)
        elif self._asked.is_set():
            self._asked.clear()
            self._reload(states)
        elif states == self._seen:
            self._changing = None
        elif states == self._changing and self._clock.monotonic() >= self._not_before:
            self._reload(states)
        else:
            self._changing = states
        if self._unkept is not None:
            self._keep(self._unkept)
            self._unkept = None
        return LOOK_SECONDS

    def _begin(self, states: FileStates) -> None:
        """Read the files before anything is decided. If they are invalid, the last valid revision is in force."""
        if self._first_error is None or states != self._seen:
            self._seen = states
            try:
                self._swap(self._read())
            except (InvalidRules, OSError) as error:
                self._first_error = error
        if self._first_error is not None:
            kept = self._last_valid()
            if kept is not None:
                self._context, self._unkept = kept, None  # the rules of the start may be older: they replace nothing
            from_database = self.state.kept or kept is not None
            self.state = replace(self.state, revision=self._context.book.revision, kept=from_database)
            self._refuse(self._first_error)
        self.ready = True

    def _reload(self, states: FileStates) -> None:
        self._seen, self._changing = states, None
        try:
            self._swap(self._read())
        except (InvalidRules, OSError) as error:
            self._refuse(error)

    def _swap(self, loaded: LoadedRules) -> None:
        before, context = self.state.revision, loaded.context
        self._context, self._unkept = context, loaded.text
        self._refusals, self._not_before, self._first_error = 0, float("-inf"), None
        self.state = RulesStatus(context.book.revision, self._clock.now())
        _log.info(
            "rules.reloaded", revision=context.book.revision[:12], before=before[:12], rules=len(context.book.rules)
        )

    def _refuse(self, error: InvalidRules | OSError) -> None:
        """Keep the rules in force. From the second refusal in a row on, the next change is read after a pause."""
        problems, now = problems_of(error), self._clock.now()
        wait = min(LOOK_SECONDS * 2.0**self._refusals, MOST_SECONDS) if self._refusals else 0.0
        self._refusals = min(self._refusals + 1, 10)
        self._not_before = self._clock.monotonic() + wait
        since = self.state.refused_at or now
        self.state = replace(self.state, refused=len(problems), problem=problems[0], refused_at=since)
        _log.error(
            "rules.refused",
            in_force=self.state.revision[:12],
            kept_in_database=self.state.kept,
            problems=len(problems),
            first=problems[:_SHOWN],
            wait=wait,
        )
