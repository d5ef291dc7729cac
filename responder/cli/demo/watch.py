"""Live view of messages to the stand-ins, timed from the acknowledgement of their payload."""

import contextlib
import queue
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from responder.cli.demo.cards import Screen
from responder.model.clock import Clock
from responder.standins.pagerduty import PagerEvent
from responder.standins.processes import Program
from responder.standins.slack import SlackMessage

#: Seconds between two looks at what is awaited.
_TICK_SECONDS = 0.1
#: Seconds within which messages are shown together, PagerDuty's first.
_TOGETHER = 0.06
_Event = tuple[str, PagerEvent | SlackMessage]


class ServeEnded(Exception):
    """``responder serve`` has exited; the text is the end of its log."""


@dataclass(slots=True)
class EventFeed:
    """Queue of events from the threads of the stand-ins, which the main thread shows. Times are seconds.

    ``seen`` counts the requests by channel. ``waits`` holds the latencies of first pages by severity.
    """

    screen: Screen
    clock: Clock
    seen: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    waits: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _news: queue.SimpleQueue[_Event] = field(default_factory=queue.SimpleQueue)
    _began_at: float | None = None
    _severity: str = ""
    _timed: bool = True

    def put_event(self, kind: str, record: Any) -> None:
        """Queue a message; called by the stand-ins. Probe queries are ignored."""
        if isinstance(record, PagerEvent | SlackMessage):
            self._news.put((kind, record))

    def began(self) -> None:
        """Restart the timer."""
        self._began_at, self._severity, self._timed = self.clock.monotonic(), "", True

    def count_for(self, severity: str) -> None:
        """Record the latency of the next page, since ``began``, under this severity."""
        self._severity, self._timed = severity, False

    @property
    def since(self) -> float:
        """Seconds since ``began``."""
        return self.clock.monotonic() - (self._began_at or 0.0)

    def ended(self) -> None:
        """Stop the timer: later pages belong to no sample."""
        self._began_at, self._severity, self._timed = None, "", True

    def show(self, seconds: float) -> bool:
        """Show the next events, waiting up to ``seconds``. Returns True if there was any."""
        found: list[_Event] = []
        with contextlib.suppress(queue.Empty):
            found.append(self._news.get(timeout=seconds))
            while True:
                found.append(self._news.get(timeout=_TOGETHER))
        for kind, record in sorted(found, key=lambda each: isinstance(each[1], SlackMessage)):
            self._show(kind, record)
        return bool(found)

    def _show(self, kind: str, record: PagerEvent | SlackMessage) -> None:
        channel, _, action = kind.partition(".")
        edited = action == "update"
        took = self.since - (0.0 if edited else self.clock.monotonic() - record.arrived)
        after = "just now" if self._began_at is None else f"after {max(0.0, took):.2f} s"
        self.seen[channel] += 1
        self.kinds[kind] += 1
        if isinstance(record, PagerEvent):
            self.screen.pager(record, after)
        else:
            self.screen.slack(record, after, edited=edited, paged=self._severity in {"P1", "P2"})
        if not self._timed and action in {"trigger", "post"}:
            self.waits[self._severity].append(took)
            self._timed = True  # the first page is the one that counts

    def until(self, wanted: Callable[[], bool], seconds: float, program: Program, waiting: str) -> bool:
        """Show events until ``wanted`` or for ``seconds``. Returns True if ``wanted``. Raises ServeEnded."""
        end = self.clock.monotonic() + seconds
        with self._spinner(waiting):
            while not wanted():
                if self.clock.monotonic() > end:
                    return False
                if not self.show(_TICK_SECONDS) and not program.running:
                    raise ServeEnded(program.last_output())
        return True

    def expect(self, messages: Mapping[str, int], seconds: float, program: Program, waiting: str) -> list[str]:
        """Wait for so many more requests on each channel. Returns the channels that miss some. Raises ServeEnded."""
        goal = {channel: self.seen[channel] + count for channel, count in messages.items()}
        self.until(lambda: all(self.seen[channel] >= goal[channel] for channel in goal), seconds, program, waiting)
        return [channel for channel in goal if self.seen[channel] < goal[channel]]

    @contextlib.contextmanager
    def _spinner(self, text: str) -> Iterator[None]:
        if text and self.screen.console.is_terminal:
            with self.screen.console.status(text, spinner="dots"):
                yield
        else:
            yield
