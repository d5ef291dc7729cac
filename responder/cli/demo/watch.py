"""What reaches the stand-ins, shown as it comes, timed from the acknowledgement of the body that caused it."""

from __future__ import annotations

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

_TICK = 0.1
_TOGETHER = 0.06
"""Seconds within which messages count as one page, so that PagerDuty's part can be shown first."""
_Event = tuple[str, PagerEvent | SlackMessage]


class ServeEnded(Exception):
    """``responder serve`` is not running any more; the text is the last of its log."""


@dataclass(slots=True)
class EventFeed:
    """Hears of events in the stand-ins' threads (``hear``), shows them in ours (``show``). Times are seconds.

    ``seen`` counts the requests by channel. ``waits`` holds, for each severity, how long first pages took.
    """

    screen: Screen
    clock: Clock
    seen: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    waits: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _news: queue.SimpleQueue[_Event] = field(default_factory=queue.SimpleQueue)
    _begun: float | None = None
    _severity: str = ""
    _timed: bool = True

    def hear(self, kind: str, record: Any) -> None:
        """Called by the stand-ins: what people would be told is kept, the questions of probes are not."""
        if isinstance(record, PagerEvent | SlackMessage):
            self._news.put((kind, record))

    def began(self) -> None:
        """From now on times count from now."""
        self._begun, self._severity, self._timed = self.clock.monotonic(), "", True

    def count_for(self, severity: str) -> None:
        """How long the first page takes, since ``began``, counts for this severity."""
        self._severity, self._timed = severity, False

    @property
    def since(self) -> float:
        """Seconds since ``began``."""
        return self.clock.monotonic() - (self._begun or 0.0)

    def ended(self) -> None:
        """From now on pages belong to nothing we sent."""
        self._begun, self._severity, self._timed = None, "", True

    def show(self, seconds: float) -> bool:
        """Show the next events, waiting for one so long. Returns whether there was any."""
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
        after = "just now" if self._begun is None else f"after {max(0.0, took):.2f} s"
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
        """Show what comes until ``wanted``, at most ``seconds``; says whether it was. Raises ServeEnded."""
        end = self.clock.monotonic() + seconds
        with self._spinner(waiting):
            while not wanted():
                if self.clock.monotonic() > end:
                    return False
                if not self.show(_TICK) and not program.running:
                    raise ServeEnded(program.said())
        return True

    def expect(self, messages: Mapping[str, int], seconds: float, program: Program, waiting: str) -> list[str]:
        """Wait until each channel got so many requests more. Returns the channels that did not. Raises ServeEnded."""
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
