"""Circuit breaker for each server that probes query, and a short cache of answers."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from dataclasses import dataclass, replace

from responder.diagnose.contract import ProbeQuestion
from responder.model.finding import HEADLINE_LIMIT, Finding, Verdict
from responder.model.text import cut

#: Consecutive timeouts after which the circuit opens.
TIMES = 3
#: Seconds until one check is let through again.
PAUSE = 30.0
#: Seconds of waiting from which a failure counts. An immediate refusal costs nothing to try again.
SLOW = 1.0


@dataclass(frozen=True, slots=True)
class BreakerState:
    """Consecutive timeouts of a server, and the monotonic time of the next attempt."""

    failures: int = 0
    retry_at: float = 0.0

    @property
    def blown(self) -> bool:
        """True if the circuit is open."""
        return self.failures >= TIMES


def ask(fuse: BreakerState, now: float) -> tuple[BreakerState, float]:
    """Return the new state and the seconds to wait, 0 for none. An open circuit lets one check a pause through."""
    if not fuse.blown:
        return fuse, 0.0
    if now < fuse.retry_at:
        return fuse, fuse.retry_at - now
    return replace(fuse, retry_at=now + PAUSE), 0.0


def after(fuse: BreakerState, *, answered: bool, now: float) -> BreakerState:
    """Return the state after a check succeeded or timed out."""
    return BreakerState() if answered else BreakerState(fuse.failures + 1, now + PAUSE)


class CircuitBreaker:
    """Circuit breakers of one process. Safe to share between threads."""

    def __init__(self) -> None:
        self._fuses: dict[str, BreakerState] = {}
        self._guard = threading.Lock()

    def ask(self, place: str, now: float) -> tuple[int, float]:
        """Return the consecutive timeouts of ``place`` and the seconds until the next attempt, 0 for now."""
        with self._guard:
            fuse, wait = ask(self._fuses.get(place, BreakerState()), now)
            if fuse.failures:
                self._fuses[place] = fuse
        return fuse.failures, wait

    def note(self, place: str, *, answered: bool, now: float) -> None:
        """Record the result of a check of ``place``."""
        with self._guard:
            fuse = after(self._fuses.get(place, BreakerState()), answered=answered, now=now)
            if fuse.failures:
                self._fuses[place] = fuse
            else:
                self._fuses.pop(place, None)


#: Seconds for which an answer is reused. Its finding shows the age.
FRESH = 10.0


def same(ask: ProbeQuestion) -> Hashable:
    """Return the cache key: everything except the probe's name and its timeout."""
    return ask.kind, ask.target, ask.question, repr(ask.wire)


def told_again(finding: Finding, ask: ProbeQuestion, age: float) -> Finding:
    """Return the finding for another probe with the same query, with its age in seconds."""
    said = f" ({age:.0f} s ago)" if age >= 1 else ""
    return replace(
        finding,
        probe=ask.probe,
        headline=cut(finding.headline, HEADLINE_LIMIT - len(said)) + said,
        link=ask.link,
        duration=0.0,
    )


class AnswerCache:
    """The answers of the last seconds of one process. Safe to share between threads.

    Only ok and bad are kept: an unknown result does not keep others from trying.
    """

    def __init__(self) -> None:
        self._answers: dict[Hashable, tuple[float, Finding]] = {}
        self._guard = threading.Lock()

    def recall(self, ask: ProbeQuestion, now: float) -> Finding | None:
        """The answer to the same question, where it is fresh."""
        with self._guard:
            at, finding = self._answers.get(same(ask), (0.0, None))
        return told_again(finding, ask, now - at) if finding and now - at <= FRESH else None

    def keep(self, ask: ProbeQuestion, finding: Finding, now: float) -> None:
        """Remember an answer, and forget those that are not fresh any more."""
        if finding.verdict not in {Verdict.OK, Verdict.BAD}:
            return
        with self._guard:
            self._answers = {key: each for key, each in self._answers.items() if now - each[0] <= FRESH}
            self._answers[same(ask)] = now, finding
