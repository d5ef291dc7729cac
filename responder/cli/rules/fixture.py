"""Findings as a test case or a command line gives them: what probes would have answered, without asking."""

from __future__ import annotations

from collections.abc import Mapping

from responder.cli.preview import Probe
from responder.diagnose.contract import ProbeQuestion
from responder.model.finding import Finding, Verdict
from responder.rulebook.suggestions import nearest


def answering(given: Mapping[str, str]) -> Probe:
    """A prober that gives these answers, by the probe's name, and none to other questions."""
    return lambda asks: tuple(_finding(ask, given[ask.probe]) for ask in asks if ask.probe in given and not ask.skip)


def unasked(given: Mapping[str, str], asks: tuple[ProbeQuestion, ...]) -> str:
    """Which of the answers nobody asked for, as a sentence; empty where each was."""
    asked = {ask.probe for ask in asks if not ask.skip}
    left = [name for name in given if name not in asked]
    if not left:
        return ""
    hint = nearest(left[0], asked)
    return f"nothing asks {', '.join(left)}, so there is no such finding" + (f": {hint}" if hint else "")


def _finding(ask: ProbeQuestion, word: str) -> Finding:
    warning = word == "warning"
    return Finding(
        probe=ask.probe,
        kind=ask.kind,
        target=ask.target,
        verdict=Verdict.BAD if warning else Verdict(word),
        headline=f"{ask.target}: {word}, as given",
        question=ask.question,
        warning=warning,
    )
