"""Lets work gather while it keeps coming: a batch of one costs nearly as much as a batch of ten."""

from __future__ import annotations

import threading
from collections.abc import Callable

from responder.model.clock import Clock

LULL = 0.1
"""Seconds between steps from which on work no longer keeps coming."""
SUDDEN = 5
"""So many steps in a row are taken at once: what comes alone, or a few at a time, waits for nobody."""
PAUSE = 0.03
"""Seconds between steps after that: how much later a page may be in a storm."""


class BatchedStep:
    """A loop's step that rests a moment after each turn, once many have followed each other closely."""

    def __init__(
        self,
        step: Callable[[], float],
        clock: Clock,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        """``step`` returns the seconds to rest, 0 where more work is waiting already."""
        self._step = step
        self._clock = clock
        self._pause = pause or threading.Event().wait
        self._ended = float("-inf")
        self._streak = 0

    def step(self) -> float:
        """One step, and the pause after it where there is one. Returns the seconds to rest."""
        near = self._clock.monotonic() - self._ended < LULL
        self._streak = self._streak + 1 if near else 0
        rest = self._step()
        if rest > 0 and self._streak >= SUDDEN:
            self._pause(PAUSE)
        self._ended = self._clock.monotonic()
        return rest
