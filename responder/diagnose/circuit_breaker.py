"""A breaker for each place that probes ask: one that did not answer several times is left alone for a while."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

TIMES = 3
"""So often in a row nobody answered before a place is left alone."""
PAUSE = 30.0
"""Seconds until one question tries it again."""
SLOW = 1.0
"""Seconds of waiting from which no answer counts. A place that refuses at once costs nothing to ask again."""


@dataclass(frozen=True, slots=True)
class Fuse:
    """How often in a row a place did not answer, and the tick from which it may be tried again."""

    failures: int = 0
    retry_at: float = 0.0

    @property
    def blown(self) -> bool:
        """Whether the place is left alone."""
        return self.failures >= TIMES


def ask(fuse: Fuse, now: float) -> tuple[Fuse, float]:
    """Whether to ask: the seconds until the next try, 0 for now. A blown fuse lets one question a pause through."""
    if not fuse.blown:
        return fuse, 0.0
    if now < fuse.retry_at:
        return fuse, fuse.retry_at - now
    return replace(fuse, retry_at=now + PAUSE), 0.0


def after(fuse: Fuse, *, answered: bool, now: float) -> Fuse:
    """The fuse after a question was answered or not."""
    return Fuse() if answered else Fuse(fuse.failures + 1, now + PAUSE)


class Breaker:
    """The fuses of one process. Safe to share between threads."""

    def __init__(self) -> None:
        self._fuses: dict[str, Fuse] = {}
        self._guard = threading.Lock()

    def ask(self, place: str, now: float) -> tuple[int, float]:
        """How often in a row ``place`` did not answer, and the seconds until it may be asked, 0 for now."""
        with self._guard:
            fuse, wait = ask(self._fuses.get(place, Fuse()), now)
            if fuse.failures:
                self._fuses[place] = fuse
        return fuse.failures, wait

    def note(self, place: str, *, answered: bool, now: float) -> None:
        """A question to ``place`` was answered or not."""
        with self._guard:
            fuse = after(self._fuses.get(place, Fuse()), answered=answered, now=now)
            if fuse.failures:
                self._fuses[place] = fuse
            else:
                self._fuses.pop(place, None)
