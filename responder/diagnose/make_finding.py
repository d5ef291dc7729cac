"""How a probe says what it found: within the limits, cleaned, and never without a number."""

from __future__ import annotations

from collections.abc import Sequence

from responder.diagnose.contract import Ask
from responder.diagnose.plan import NAME_LIMIT
from responder.diagnose.units import span
from responder.model.finding import DETAIL_LIMIT, HEADLINE_LIMIT, Finding, Verdict
from responder.model.text import tidy, tidy_line
from responder.outgoing import CouldNotReach


def answer(
    ask: Ask,
    verdict: Verdict,
    fact: str,
    *,
    detail: str = "",
    duration: float = 0.0,
    warning: bool = False,
    judged: bool = True,
    points: Sequence[tuple[float, float]] = (),
) -> Finding:
    """The finding for ``ask``: its headline is the target and ``fact``, which should begin with what matters."""
    return Finding(
        probe=ask.probe,
        kind=ask.kind,
        target=ask.target,
        verdict=verdict,
        headline=tidy_line(f"{tidy_line(ask.target, NAME_LIMIT)}: {fact}", HEADLINE_LIMIT),
        question=tidy(ask.question, DETAIL_LIMIT),
        detail=tidy(detail, DETAIL_LIMIT),
        duration=duration,
        link=ask.link,
        warning=warning,
        judged=judged,
        points=tuple(points),
    )


def unreachable(ask: Ask, error: CouldNotReach, took: float, verdict: Verdict = Verdict.UNKNOWN) -> Finding:
    """Nobody answered: we could not look, which says nothing about the target's health."""
    reason = str(error)
    fact = reason if any(letter.isdigit() for letter in reason) else f"{reason} after {span(took)}"
    return answer(ask, verdict, fact, duration=took)


def skipped(ask: Ask) -> Finding:
    """The question could not be asked, for the reason the Ask gives."""
    return answer(ask, Verdict.SKIPPED, f"0 questions asked, {ask.skip}")
