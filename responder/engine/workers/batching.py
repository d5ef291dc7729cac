"""Batching under load: lets work accumulate, since a batch of one costs nearly as much as a batch of ten."""

import threading
from collections.abc import Callable

from responder.model.clock import Clock

#: Seconds between steps from which on they no longer count as consecutive.
LULL = 0.1
#: Consecutive steps that run without a pause, so that single notifications are not delayed.
SUDDEN = 5
#: Seconds of pause between steps after that: the added latency of a page in a storm.
PAUSE = 0.03


class BatchedStep:
    """A loop's step that pauses after each run once many have followed each other closely."""

    def __init__(
        self,
        step: Callable[[], float],
        clock: Clock,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        """``step`` returns the seconds to rest, 0 if more work is waiting."""
        self._step = step
        self._clock = clock
        self._pause = pause or threading.Event().wait
        self._ended = float("-inf")
        self._streak = 0

    def step(self) -> float:
        """Run one step, and pause after it under load. Returns the seconds to rest."""
        near = self._clock.monotonic() - self._ended < LULL
        self._streak = self._streak + 1 if near else 0
        rest = self._step()
        if rest > 0 and self._streak >= SUDDEN:
            self._pause(PAUSE)
        self._ended = self._clock.monotonic()
        return rest
