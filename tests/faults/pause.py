"""Paused processes: a worker, or a whole replica, is stopped (SIGSTOP) until its leases have ended, and goes on."""

from __future__ import annotations

import time
from random import Random

from tests.faults.world import World

#: Seconds in which a message must be sent for its sender to be paused.
_WAIT_SECONDS = 10.0


def pause_sender(world: World, seconds: float, dice: Random) -> None:
    """Stop a worker between the claim of a message and the request. Its alert may be resolved when it goes on.

    Another worker takes the message over. The worker may hold a lock of the database, so that no page can be sent.
    """
    victim = dice.choice(world.replicas)
    pid = victim.pause_at_next_message(_WAIT_SECONDS)
    if not pid:
        world.timeline.note(f"no sender of {victim.name} was paused: it sent nothing")
        return
    with world.timeline.unreachable(f"a sender of {victim.name} is paused"):
        time.sleep(seconds)
        victim.go_on(pid)


def pause_replica(world: World, seconds: float, dice: Random) -> None:
    """Stop all processes of a replica, wherever each of them is, as a frozen virtual machine."""
    victim = dice.choice(world.replicas)
    with world.timeline.unreachable(f"{victim.name} is paused"):
        victim.pause()
        time.sleep(seconds)
        victim.go_on()
