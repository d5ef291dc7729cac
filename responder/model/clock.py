"""Time as a value: pure code takes ``now``, waits take a deadline, and only bootstrap owns a real clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
"""The ends of what we can reckon with; the last day is left out, since a float rounds its end into the year 10000."""


def moment(seconds: float) -> datetime:
    """The time of epoch seconds that an alert brought; the end of the calendar for what lies beyond it."""
    return datetime.fromtimestamp(min(max(seconds, EARLIEST.timestamp()), LATEST.timestamp()), UTC)


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
