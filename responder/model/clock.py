"""Time as a value: pure code takes ``now``, waits take a deadline, and only bootstrap owns a real clock."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

#: Limits of usable times; the last day is left out, since a float rounds its end into the year 10000.
EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)


def time_of_epoch(seconds: float) -> datetime:
    """The time of epoch seconds that an alert brought; the end of the calendar for what lies beyond it."""
    return datetime.fromtimestamp(min(max(seconds, EARLIEST.timestamp()), LATEST.timestamp()), UTC)


class Clock(Protocol):
    """Source of the time for the shell. Tests pass their own."""

    def now(self) -> datetime:
        """The wall clock, in UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock, in seconds, after which waiting ends."""

    at: float

    def left(self, now: float) -> float:
        """Seconds until it, never below zero."""
        return max(0.0, self.at - now)

    def earlier(self, seconds: float, now: float) -> "Deadline":
        """The earlier of this deadline and ``seconds`` from now."""
        return Deadline(min(self.at, now + seconds))


#: Characters of a title.
TITLE_LIMIT = 120
#: Characters of a sentence on a page.
LINE_LIMIT = 500


def duration_in_minutes(seconds: float) -> str:
    """``seconds`` in whole minutes, as the message templates require; in hours from two hours on."""
    minutes = max(0, int(seconds)) // 60
    if minutes >= 120:
        return short_duration(seconds)
    if not minutes:
        whole = max(0, int(seconds))
        return {0: "less than a second", 1: "1 second"}.get(whole, f"{whole} seconds")
    return "1 minute" if minutes == 1 else f"{minutes} minutes"


def short_duration(seconds: float) -> str:
    """``seconds`` in at most two units: ``41 s``, ``16 h 45 min``, ``24 h``, ``3 d``."""
    whole = max(0, int(seconds))
    days, hours, minutes = whole // 86400, whole // 3600, whole // 60
    if hours >= 48:
        return f"{days} d" + (f" {hours % 24} h" if hours % 24 else "")
    if hours:
        return f"{hours} h" + (f" {minutes % 60} min" if minutes % 60 else "")
    return f"{minutes} min" if minutes else f"{whole} s"


def ago(now: datetime, moment: datetime) -> str:
    """Return the length of time since ``moment`` in one unit: ``40 s``, ``14 min``, ``5 h``, ``12 days``.

    Hours up to 48: a job that runs once a day was missed after 26 h, not after a day.
    """
    seconds = max(0.0, (now - moment).total_seconds())
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 120 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.0f} h"
    return f"{seconds / 86400:.0f} days"


def time_between(start: datetime, end: datetime) -> str:
    """Return the duration from ``start`` to ``end``, never below 0 seconds."""
    return duration_in_minutes((end - start).total_seconds())


def time_of_day(moment: datetime, *, seen_from: datetime | None = None) -> str:
    """Return ``02:41 UTC``; with the date unless ``seen_from`` is on the same day."""
    clock = f"{moment.hour:02}:{moment.minute:02} UTC"
    return clock if seen_from and moment.date() == seen_from.date() else f"{moment.date().isoformat()} {clock}"
