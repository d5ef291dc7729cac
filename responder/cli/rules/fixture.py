"""Assumed findings from a test case or the command line, without running probes."""

from __future__ import annotations

from collections.abc import Mapping

from responder.cli.preview import Probe
from responder.diagnose.contract import ProbeQuestion
from responder.model.finding import Finding, Verdict
from responder.rulebook.suggestions import nearest


def answering(given: Mapping[str, str]) -> Probe:
    """Return a prober that gives these results, by probe name, and none for other probes."""
    return lambda asks: tuple(_finding(ask, given[ask.probe]) for ask in asks if ask.probe in given and not ask.skip)


def unasked(given: Mapping[str, str], asks: tuple[ProbeQuestion, ...]) -> str:
    """Return an error for results of probes that do not run; empty if there are none."""
    asked = {ask.probe for ask in asks if not ask.skip}
    left = [name for name in given if name not in asked]
    if not left:
        return ""
    hint = nearest(left[0], asked)
    return f"the rule does not run {', '.join(left)}" + (f": {hint}" if hint else "")


def _finding(ask: ProbeQuestion, word: str) -> Finding:
    warning = word == "warning"
    return Finding(
        probe=ask.probe,
        kind=ask.kind,
        target=ask.target,
        verdict=Verdict.BAD if warning else Verdict(word),
        headline=f"{ask.target}: {word} (assumed)",
        question=ask.question,
        warning=warning,
    )
