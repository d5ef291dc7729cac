"""An incident that ends and begins again: one incident, and an ever longer quiet before its end is believed."""

from __future__ import annotations

from datetime import datetime, timedelta

from responder.model.incident import Incident

SAME = timedelta(minutes=30)
"""What fires again this soon after its end is the same incident."""
STEADY = timedelta(hours=2)
"""What has fired for so long without a pause does not flap any more."""
QUIET = timedelta(minutes=10)
"""How long nothing may fire before the second end is told; doubled with every time it fires again."""
LONGEST = timedelta(hours=1)


def returns(incident: Incident, now: datetime) -> bool:
    """Whether something that fires now continues an incident that was resolved."""
    return incident.resolved_at is not None and now - incident.resolved_at <= SAME


def flapping(incident: Incident, now: datetime) -> bool:
    """Whether it fired again lately, so that its next end is most likely not the last one."""
    return incident.reopened_at is not None and now - incident.reopened_at < STEADY


def counted(incident: Incident, now: datetime) -> int:
    """How often it has fired again, with this time."""
    return incident.flaps + 1 if flapping(incident, now) else 1


def quiet_period(flaps: int) -> timedelta:
    """How long nothing may fire before the end is told: 10, 20, 40 and then 60 minutes."""
    return min(LONGEST, QUIET * (1 << min(flaps - 1, 10)))


def worth_telling(flaps: int) -> bool:
    """Whether people who read along want to hear of one more time: of the 1st, 2nd, 4th, 8th and so on."""
    return flaps & (flaps - 1) == 0
