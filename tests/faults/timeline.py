"""The timeline of a seed, printed when the seed fails."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Span:
    """From when until when, on the monotonic clock, and what it was."""

    begins: float
    ends: float
    what: str


@dataclass(slots=True)
class Timeline:
    """Lines with their times. ``spans`` are those in which no page can be sent by any process."""

    began: float = field(default_factory=time.monotonic)
    lines: list[tuple[float, str]] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def note(self, text: str) -> None:
        """Something happened now."""
        with self._guard:
            self.lines.append((time.monotonic(), text))

    @contextlib.contextmanager
    def unreachable(self, what: str, lasting: float = 0.0) -> Iterator[None]:
        """No page can be sent during the block and ``lasting`` seconds after it, because of the fault."""
        self.note(f"no page can leave: {what}")
        begins = time.monotonic()
        try:
            yield
        finally:
            with self._guard:
                self.spans.append(Span(begins, time.monotonic() + lasting, what))
            self.note(f"pages can leave again: {what} is over")

    def __str__(self) -> str:
        with self._guard:
            return "\n".join(f"  {at - self.began:7.2f} s  {text}" for at, text in sorted(self.lines))


def reachable_seconds(begins: float, ends: float, spans: list[Span]) -> float:
    """The part of an interval that lies in none of the spans; they may overlap."""
    total, at = 0.0, begins
    for span in sorted(spans, key=lambda each: each.begins):
        total += max(0.0, min(span.begins, ends) - at)
        at = min(max(at, span.ends), ends)
    return total + max(0.0, ends - at)
