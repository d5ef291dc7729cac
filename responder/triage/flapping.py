"""Flapping: an incident that re-fires is one incident, and its resolve is held for longer each time."""

from datetime import datetime, timedelta

from responder.model.incident import Incident
from responder.model.timing import USUAL, Timing


def reopens(incident: Incident, now: datetime, timing: Timing = USUAL) -> bool:
    """Return True if an alert that fires now reopens an incident that was resolved."""
    return incident.resolved_at is not None and now - incident.resolved_at <= timing.same


def flapping(incident: Incident, now: datetime, timing: Timing = USUAL) -> bool:
    """Return True if it re-fired recently, so that its next resolve is probably not the last."""
    return incident.reopened_at is not None and now - incident.reopened_at < timing.steady


def count_re_fires(incident: Incident, now: datetime, timing: Timing = USUAL) -> int:
    """Return the number of re-fires including this one."""
    return incident.flaps + 1 if flapping(incident, now, timing) else 1


def quiet_period(flaps: int, timing: Timing = USUAL) -> timedelta:
    """Return the time without a firing alert before the resolve is announced: 10, 20, 40, then 60 minutes."""
    return min(timing.quiet_at_most, timing.quiet * (1 << min(flaps - 1, 10)))


def is_notable(flaps: int) -> bool:
    """Return True if channels that do not page are notified of this re-fire: the 1st, 2nd, 4th, 8th and so on."""
    return flaps & (flaps - 1) == 0
