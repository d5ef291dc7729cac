"""A breaker for each place that probes ask: one that did not answer several times is left alone for a while."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from dataclasses import dataclass, replace

from responder.diagnose.contract import ProbeQuestion
from responder.model.finding import HEADLINE_LIMIT, Finding, Verdict
from responder.model.text import cut

TIMES = 3
"""So often in a row nobody answered before a place is left alone."""
PAUSE = 30.0
"""Seconds until one question tries it again."""
SLOW = 1.0
"""Seconds of waiting from which no answer counts. A place that refuses at once costs nothing to ask again."""


@dataclass(frozen=True, slots=True)
class BreakerState:
    """How often in a row a place did not answer, and the tick from which it may be tried again."""

    failures: int = 0
    retry_at: float = 0.0

    @property
    def blown(self) -> bool:
        """Whether the place is left alone."""
        return self.failures >= TIMES


def ask(fuse: BreakerState, now: float) -> tuple[BreakerState, float]:
    """Whether to ask: the seconds until the next try, 0 for now. A blown fuse lets one question a pause through."""
    if not fuse.blown:
        return fuse, 0.0
    if now < fuse.retry_at:
        return fuse, fuse.retry_at - now
    return replace(fuse, retry_at=now + PAUSE), 0.0


def after(fuse: BreakerState, *, answered: bool, now: float) -> BreakerState:
    """The fuse after a question was answered or not."""
    return BreakerState() if answered else BreakerState(fuse.failures + 1, now + PAUSE)


class CircuitBreaker:
    """The fuses of one process. Safe to share between threads."""

    def __init__(self) -> None:
        self._fuses: dict[str, BreakerState] = {}
        self._guard = threading.Lock()

    def ask(self, place: str, now: float) -> tuple[int, float]:
        """How often in a row ``place`` did not answer, and the seconds until it may be asked, 0 for now."""
        with self._guard:
            fuse, wait = ask(self._fuses.get(place, BreakerState()), now)
            if fuse.failures:
                self._fuses[place] = fuse
        return fuse.failures, wait

    def note(self, place: str, *, answered: bool, now: float) -> None:
        """A question to ``place`` was answered or not."""
        with self._guard:
            fuse = after(self._fuses.get(place, BreakerState()), answered=answered, now=now)
            if fuse.failures:
                self._fuses[place] = fuse
            else:
                self._fuses.pop(place, None)


FRESH = 10.0
"""Seconds for which an answer is given again. It says how old it is."""


def same(ask: ProbeQuestion) -> Hashable:
    """What two questions share that are the same: all but the name of the probe and the time it is given."""
    return ask.kind, ask.target, ask.question, repr(ask.wire)


def told_again(finding: Finding, ask: ProbeQuestion, age: float) -> Finding:
    """The finding for another probe that asked the same, with its age in seconds."""
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

    Only ok and bad are kept: who could not look does not keep others from looking.
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
