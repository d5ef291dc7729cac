"""Assumed findings from a test case or the command line, without running probes."""

from collections.abc import Mapping

from responder.cli.preview import Probe
from responder.diagnose.contract import ProbeQuestion
from responder.model.finding import Finding, Verdict
from responder.model.suggestions import nearest


def answering(given: Mapping[str, str]) -> Probe:
    """Return a prober that gives these results, by probe name, and none for other probes."""
    return lambda questions: tuple(
        _finding(question, given[question.probe])
        for question in questions
        if question.probe in given and not question.skip
    )


def unused_answers(given: Mapping[str, str], questions: tuple[ProbeQuestion, ...]) -> str:
    """Return an error for results of probes that do not run; empty if there are none."""
    asked = {question.probe for question in questions if not question.skip}
    left = [name for name in given if name not in asked]
    if not left:
        return ""
    hint = nearest(left[0], asked)
    return f"the rule does not run {', '.join(left)}" + (f": {hint}" if hint else "")


def _finding(question: ProbeQuestion, word: str) -> Finding:
    warning = word == "warning"
    return Finding(
        probe=question.probe,
        kind=question.kind,
        target=question.target,
        verdict=Verdict.BAD if warning else Verdict(word),
        headline=f"{question.target}: {question.probe} is {word} (assumed)",
        query=question.query,
        warning=warning,
    )
