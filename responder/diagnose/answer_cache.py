"""Answers that are still fresh: the same question is not asked twice within a few seconds."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from dataclasses import replace

from responder.diagnose.contract import Ask
from responder.model.finding import HEADLINE_LIMIT, Finding, Verdict
from responder.model.text import cut

FRESH = 10.0
"""Seconds for which an answer is given again. It says how old it is."""


def same(ask: Ask) -> Hashable:
    """What two questions share that are the same: all but the name of the probe and the time it is given."""
    return ask.kind, ask.target, ask.question, repr(ask.wire)


def told_again(finding: Finding, ask: Ask, age: float) -> Finding:
    """The finding for another probe that asked the same, with its age in seconds."""
    said = f" ({age:.0f} s ago)" if age >= 1 else ""
    return replace(
        finding,
        probe=ask.probe,
        headline=cut(finding.headline, HEADLINE_LIMIT - len(said)) + said,
        link=ask.link,
        duration=0.0,
    )


class Memory:
    """The answers of the last seconds of one process. Safe to share between threads.

    Only ok and bad are kept: who could not look does not keep others from looking.
    """

    def __init__(self) -> None:
        self._answers: dict[Hashable, tuple[float, Finding]] = {}
        self._guard = threading.Lock()

    def recall(self, ask: Ask, now: float) -> Finding | None:
        """The answer to the same question, where it is fresh."""
        with self._guard:
            at, finding = self._answers.get(same(ask), (0.0, None))
        return told_again(finding, ask, now - at) if finding and now - at <= FRESH else None

    def keep(self, ask: Ask, finding: Finding, now: float) -> None:
        """Remember an answer, and forget those that are not fresh any more."""
        if finding.verdict not in {Verdict.OK, Verdict.BAD}:
            return
        with self._guard:
            self._answers = {key: each for key, each in self._answers.items() if now - each[0] <= FRESH}
            self._answers[same(ask)] = now, finding
