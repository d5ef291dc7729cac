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


def permit(breaker: BreakerState, now: float) -> tuple[BreakerState, float]:
    """Return the new state and the seconds to wait, 0 for none. An open circuit lets one check a pause through."""
    if not breaker.blown:
        return breaker, 0.0
    if now < breaker.retry_at:
        return breaker, breaker.retry_at - now
    return replace(breaker, retry_at=now + PAUSE), 0.0


def after(breaker: BreakerState, *, answered: bool, now: float) -> BreakerState:
    """Return the state after a check succeeded or timed out."""
    return BreakerState() if answered else BreakerState(breaker.failures + 1, now + PAUSE)


class CircuitBreaker:
    """Circuit breakers of one process. Safe to share between threads."""

    def __init__(self) -> None:
        self._breakers: dict[str, BreakerState] = {}
        self._guard = threading.Lock()

    def permit(self, endpoint: str, now: float) -> tuple[int, float]:
        """Return the consecutive timeouts of ``endpoint`` and the seconds until the next attempt, 0 for now."""
        with self._guard:
            breaker, wait = permit(self._breakers.get(endpoint, BreakerState()), now)
            if breaker.failures:
                self._breakers[endpoint] = breaker
        return breaker.failures, wait

    def note(self, endpoint: str, *, answered: bool, now: float) -> None:
        """Record the result of a check of ``endpoint``."""
        with self._guard:
            breaker = after(self._breakers.get(endpoint, BreakerState()), answered=answered, now=now)
            if breaker.failures:
                self._breakers[endpoint] = breaker
            else:
                self._breakers.pop(endpoint, None)


#: Seconds for which an answer is reused. Its finding shows the age.
FRESH = 10.0


def same(question: ProbeQuestion) -> Hashable:
    """Return the cache key: everything except the probe's name and its timeout."""
    return question.kind, question.target, question.query, repr(question.wire)


def repeated(finding: Finding, question: ProbeQuestion, age: float) -> Finding:
    """Return the finding for another probe with the same query, with its age in seconds."""
    said = f" ({age:.0f} s ago)" if age >= 1 else ""
    return replace(
        finding,
        probe=question.probe,
        headline=cut(finding.headline, HEADLINE_LIMIT - len(said)) + said,
        link=question.link,
        duration=0.0,
    )


class AnswerCache:
    """The answers of the last seconds of one process. Safe to share between threads.

    Only ok and bad are kept: an unknown result does not keep others from trying.
    """

    def __init__(self) -> None:
        self._answers: dict[Hashable, tuple[float, Finding]] = {}
        self._guard = threading.Lock()

    def cached(self, question: ProbeQuestion, now: float) -> Finding | None:
        """The answer to the same question, where it is fresh."""
        with self._guard:
            at, finding = self._answers.get(same(question), (0.0, None))
        return repeated(finding, question, now - at) if finding and now - at <= FRESH else None

    def keep(self, question: ProbeQuestion, finding: Finding, now: float) -> None:
        """Remember an answer, and forget those that are not fresh any more."""
        if finding.verdict not in {Verdict.OK, Verdict.BAD}:
            return
        with self._guard:
            self._answers = {key: each for key, each in self._answers.items() if now - each[0] <= FRESH}
            self._answers[same(question)] = now, finding
