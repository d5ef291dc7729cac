"""Paging windows: if a window is open, and when it opens next, by the local time of its time zone."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final

from responder.model.window import TimeRange, Window

_DAY: Final = timedelta(days=1)
#: Days to search: a window that opens on none of them never opens.
_HORIZON: Final = 400


def is_open(window: Window, now: datetime) -> bool:
    """Return True if the window is open. An hour that occurs twice when clocks are set back counts both times."""
    local = now.astimezone(window.zone)
    today, clock = local.date(), local.time()
    yesterday = today - _DAY
    for span in window.spans:
        over_night = span.end <= span.start
        if _begins_on(window, today) and span.start <= clock and (over_night or clock < span.end):
            return True
        if over_night and _begins_on(window, yesterday) and clock < span.end:
            return True
    return False


def opens(window: Window, now: datetime) -> datetime | None:
    """Return when the window opens next after ``now``, in UTC; None if it does not within a year."""
    return next((at for at in _beginnings(window, now) if at > now and is_open(window, at)), None)


def next_day_ends(window: Window, now: datetime) -> datetime | None:
    """Return when the window closes on the next day on which it opens after ``now``, in UTC; None if it never does."""
    at = opens(window, now)
    if at is None:
        return None
    day = at.astimezone(window.zone).date()
    ends = ((day + _DAY if span.end <= span.start else day, span.end) for span in window.spans)
    return max(datetime.combine(on, end, tzinfo=window.zone).astimezone(UTC) for on, end in ends)


def opening(window: Window, now: datetime) -> str:
    """Return the next opening as text for a page, such as ``opens Mon 2026-03-02 09:00 (Europe/Berlin)``."""
    at = opens(window, now)
    if at is None:
        return "does not open within a year"
    return f"opens {at.astimezone(window.zone):%a %Y-%m-%d %H:%M} ({window.zone.key})"


def _beginnings(window: Window, now: datetime) -> Iterator[datetime]:
    first = now.astimezone(window.zone).date()
    for number in range(_HORIZON):
        day = first + number * _DAY
        if _begins_on(window, day):
            yield from sorted(_moment(window, day, span) for span in window.spans)


def _moment(window: Window, day: date, span: TimeRange) -> datetime:
    return datetime.combine(day, span.start, tzinfo=window.zone).astimezone(UTC)


def _begins_on(window: Window, day: date) -> bool:
    return day.weekday() in window.days and day not in window.holidays
