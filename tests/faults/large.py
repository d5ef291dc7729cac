"""Groups whose notification is larger than RESPONDER_MAX_BODY_BYTES."""

from __future__ import annotations

import time
from random import Random

from tests.faults.driver import alert_of, post
from tests.faults.stream import BUDGETS, MAX_BODY_BYTES, SERVICES, Alert, Episode, Group
from tests.faults.world import World

_ALERT_BYTES = 2_000
_ALERTS = 2 * MAX_BODY_BYTES // _ALERT_BYTES
#: Seconds in which the notification must be acknowledged, whatever else happens.
_ACKNOWLEDGED_SECONDS = 30.0
#: Longer than a seed takes.
_FIRING_SECONDS = 600.0


def body_above_the_limit(world: World, _seconds: float, dice: Random) -> None:
    """Many alerts of one group fire at once and go on firing; its first alerts must page in time."""
    name = f"large-{len(world.large)}"
    alerts = tuple(Alert(name=f"{name}-{place:03}", episodes=(Episode(0.0, None),)) for place in range(_ALERTS))
    group = Group(name=name, severity="P1", service=dice.choice(SERVICES), budget=BUDGETS["P1"], alerts=alerts[:1])
    started = round(time.time(), 3)
    world.large[group] = started
    world.timeline.note(f"{len(alerts)} alerts of {name} begin to fire")
    firing = [alert_of(group, each, started, started + _FIRING_SECONDS, "x" * _ALERT_BYTES) for each in alerts]
    until = time.monotonic() + _ACKNOWLEDGED_SECONDS
    while not world.door.heard(alerts[0].name, started, firing=True) and time.monotonic() < until:
        post(world.alertmanagers, firing)
        time.sleep(1.0)
