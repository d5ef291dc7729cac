"""An incident that ends and begins again: one incident, and an ever longer quiet before its end is believed."""

from __future__ import annotations

from datetime import datetime, timedelta

from responder.model.incident import Incident
from responder.model.timing import USUAL, Timing


def returns(incident: Incident, now: datetime, patience: Timing = USUAL) -> bool:
    """Whether something that fires now continues an incident that was resolved."""
    return incident.resolved_at is not None and now - incident.resolved_at <= patience.same


def flapping(incident: Incident, now: datetime, patience: Timing = USUAL) -> bool:
    """Whether it fired again lately, so that its next end is most likely not the last one."""
    return incident.reopened_at is not None and now - incident.reopened_at < patience.steady


def counted(incident: Incident, now: datetime, patience: Timing = USUAL) -> int:
    """How often it has fired again, with this time."""
    return incident.flaps + 1 if flapping(incident, now, patience) else 1


def quiet_period(flaps: int, patience: Timing = USUAL) -> timedelta:
    """How long nothing may fire before the end is told: 10, 20, 40 and then 60 minutes."""
    return min(patience.quiet_at_most, patience.quiet * (1 << min(flaps - 1, 10)))


def worth_telling(flaps: int) -> bool:
    """Whether people who read along want to hear of one more time: of the 1st, 2nd, 4th, 8th and so on."""
    return flaps & (flaps - 1) == 0
