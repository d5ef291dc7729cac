"""Hours of the week in a time zone: when pages may reach on-call."""

from dataclasses import dataclass
from datetime import date, time
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From one time of the day to another, by the clock on the wall. One that ends before it begins ends tomorrow."""

    start: time
    end: time


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Open during ``spans`` that begin on one of ``days`` (0 is Monday), and not on one of ``holidays``.

    A span that ends at midnight ends at 00:00 of the next day.
    """

    name: str
    zone: ZoneInfo
    days: frozenset[int]
    spans: tuple[TimeRange, ...]
    holidays: frozenset[date] = frozenset()
