"""Which faults strike when. Everything follows from the seed."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from tests.faults.catalog import FAULTS, Fault
from tests.faults.stream import SECONDS
from tests.faults.world import World

#: Probability of a fault in each lane, and of a second one after it.
_CHANCE = 0.6


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault by its name, when it strikes after the stream has begun, and for how long. All in seconds."""

    name: str
    at: float
    seconds: float

    @property
    def fault(self) -> Fault:
        """Kind of fault."""
        return FAULTS[self.name]


def schedule(seed: int, possible: Mapping[str, Fault]) -> tuple[Planned, ...]:
    """The faults of a seed in order of time: at least one, at most two of each lane."""
    dice = Random(f"schedule {seed}")
    channel_states = sorted({fault.queue for fault in possible.values()})
    planned = []
    for queue in channel_states:
        names = [name for name, fault in possible.items() if fault.queue == queue]
        at = dice.uniform(0.3, SECONDS)
        while dice.random() < _CHANCE and at < SECONDS + 2:
            name = dice.choice(names)
            seconds = dice.uniform(0.2, 1) * possible[name].longest
            planned.append(Planned(name, at, seconds))
            at += seconds + dice.uniform(0.5, 3)
    if not planned:
        planned.append(Planned(dice.choice(list(possible)), 2.0, 1.0))
    return tuple(sorted(planned, key=lambda each: each.at))


class Schedule:
    """Strikes as planned, each lane in a thread of its own."""

    def __init__(self, seed: int, planned: tuple[Planned, ...], world: World) -> None:
        self._dice = Random(f"strikes {seed}")
        self._world = world
        channel_states: dict[str, list[Planned]] = {}
        for each in planned:
            channel_states.setdefault(each.fault.queue, []).append(each)
        self._threads = [
            threading.Thread(target=self._strike, args=(queue, Random(self._dice.random())), daemon=True)
            for queue in channel_states.values()
        ]
        self.failed: list[str] = []

    def start(self) -> None:
        """Begin now."""
        for thread in self._threads:
            thread.start()

    def over(self) -> bool:
        """True if every fault has started and ended."""
        return not any(thread.is_alive() for thread in self._threads)

    def _strike(self, queue: list[Planned], dice: Random) -> None:
        began = time.monotonic()
        try:
            for each in queue:
                time.sleep(max(0.0, began + each.at - time.monotonic()))
                each.fault.strike(self._world, each.seconds, dice)
        except Exception as error:  # noqa: BLE001 - a fault that cannot be done is a problem of the run, and is shown
            self.failed.append(f"a fault could not be done: {type(error).__name__}: {error}")
