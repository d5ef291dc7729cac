"""Builds findings: cleaned, and within the length limits."""

from collections.abc import Sequence
from datetime import datetime

from responder.diagnose.contract import ProbeQuestion
from responder.diagnose.plan import NAME_LIMIT
from responder.model.clue import Clue
from responder.model.finding import DETAIL_LIMIT, HEADLINE_LIMIT, Finding, Verdict
from responder.model.text import sanitize, sanitize_line
from responder.outgoing import UnreachableError


def answer(
    question: ProbeQuestion,
    verdict: Verdict,
    fact: str,
    *,
    detail: str = "",
    duration: float = 0.0,
    warning: bool = False,
    judged: bool = True,
    points: Sequence[tuple[float, float]] = (),
    threshold: float | None = None,
    names_target: bool = False,
    clue: Clue | None = None,
    age: str = "",
    since: datetime | None = None,
) -> Finding:
    """Return the finding for ``question``: its headline is the target and ``fact``. A clue names its object itself."""
    return Finding(
        probe=question.probe,
        kind=question.kind,
        target=question.target,
        verdict=verdict,
        headline=sanitize_line(
            fact if clue else f"{sanitize_line(question.target, NAME_LIMIT)}: {fact}", HEADLINE_LIMIT
        ),
        query=sanitize(question.query, DETAIL_LIMIT),
        origin=question.origin,
        detail=sanitize(detail, DETAIL_LIMIT),
        duration=duration,
        link=question.link,
        warning=warning,
        judged=judged,
        points=tuple(points),
        threshold=threshold,
        names_target=names_target,
        clue=clue,
        age=age,
        since=since,
    )


def unreachable(
    question: ProbeQuestion, error: UnreachableError, took: float, verdict: Verdict = Verdict.UNKNOWN
) -> Finding:
    """Return an unknown finding: no response says nothing about the target's health."""
    reason = str(error)
    fact = reason if any(sign.isdigit() for sign in reason) else f"{reason} after {span(took)}"
    return answer(question, verdict, fact, duration=took)


def skipped(question: ProbeQuestion) -> Finding:
    """Return the finding for a check that was skipped, with its reason."""
    return answer(question, Verdict.SKIPPED, f"skipped: {question.skip}")


_BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def span(seconds: float) -> str:
    """A length of time in the unit that suits it, from ``0 ms`` to days."""
    size = abs(seconds)
    if size < 1:
        return f"{seconds * 1000:.0f} ms"
    if size < 120:
        return f"{seconds:.1f} s"
    if size < 7200:
        return f"{seconds / 60:.0f} min"
    if size < 86400:
        return f"{_short(seconds / 3600)} h"
    days = _short(seconds / 86400)
    return f"{days} day" if days == "1" else f"{days} days"


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def figure(value: float, unit: str) -> str:
    """A finite value in a unit of promql probes. ``ratio`` is shown as a percentage, ``percent`` is one already."""
    match unit:
        case "percent":
            return f"{plain(value)}%"
        case "ratio":
            return f"{plain(value * 100)}%"
        case "seconds":
            return span(value)
        case "bytes":
            return _bytes(value)
        case "days":
            return span(value * 86400) if abs(value) < 2 else f"{plain(value)} days"
    return plain(value)


def plain(value: float) -> str:
    """Three significant digits below a thousand, groups of three above."""
    if abs(value) >= 1e15:
        return f"{value:.3g}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _bytes(value: float) -> str:
    step = 0
    while abs(value) >= 1024 and step < len(_BINARY) - 1:
        value /= 1024
        step += 1
    return f"{plain(value)} {_BINARY[step]}"
