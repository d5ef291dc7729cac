"""How times and lengths of time are written on a page."""

from __future__ import annotations

from datetime import datetime


def lasted(seconds: float) -> str:
    """``seconds`` in whole minutes as the templates ask, in hours too where the minutes are many."""
    minutes = max(0, int(seconds)) // 60
    if not minutes:
        return f"{max(0, int(seconds))} seconds"
    text = "1 minute" if minutes == 1 else f"{minutes} minutes"
    hours, rest = divmod(minutes, 60)
    if hours >= 48:
        return f"{text} ({hours // 24} d {hours % 24} h)"
    return f"{text} ({hours} h {rest} min)" if hours >= 2 else text


def between(start: datetime, end: datetime) -> str:
    """How long from ``start`` to ``end``; nothing is shorter than 0 seconds."""
    return lasted((end - start).total_seconds())


def at(moment: datetime, *, seen_from: datetime | None = None) -> str:
    """``02:41Z``; with the date where ``seen_from`` lies on another day or is not given."""
    clock = f"{moment:%H:%M}Z"
    return clock if seen_from and moment.date() == seen_from.date() else f"{moment.date().isoformat()} {clock}"
