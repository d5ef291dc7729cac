"""Time as a value: pure code takes ``now``, waits take a deadline, and only bootstrap owns a real clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Where the shell reads the time. Tests pass their own."""

    def now(self) -> datetime:
        """The wall clock, in UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock, in seconds, after which nobody waits any longer."""

    at: float

    def left(self, now: float) -> float:
        """Seconds until it, never below zero."""
        return max(0.0, self.at - now)

    def sooner(self, seconds: float, now: float) -> Deadline:
        """The earlier of this deadline and ``seconds`` from now."""
        return Deadline(min(self.at, now + seconds))
