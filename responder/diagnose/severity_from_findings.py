"""What findings make of a severity: the first turn of which all findings were made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from responder.model.decision import Turn
from responder.model.finding import Finding, Verdict
from responder.model.rule import Sought

_WORDS = ("bad", "warning", "unknown", "ok")
"""The worst first."""


def judge(turns: Iterable[Turn], findings: Sequence[Finding]) -> tuple[Turn, str] | None:
    """The turn that applies, and the findings it goes by in one sentence; None where none applies."""
    for turn in turns:
        said = [_made(sought, findings) for sought in turn.findings]
        if all(said):
            return turn, " and ".join(said)
    return None


def word(finding: Finding) -> str:
    """What a rule calls a finding; empty for a question that was not asked."""
    if finding.verdict is Verdict.SKIPPED:
        return ""
    return "warning" if finding.warning and finding.verdict is Verdict.BAD else finding.verdict.value


def _made(sought: Sought, findings: Sequence[Finding]) -> str:
    """The finding in words where it is one of those sought: of a probe with several answers the worst counts."""
    answers = [finding for finding in findings if finding.probe == sought.probe and word(finding)]
    worst = min(answers, key=lambda each: _WORDS.index(word(each)), default=None)
    if worst is None or word(worst) not in sought.words:
        return ""
    return f"{sought.probe} is {word(worst)} ({worst.headline})"
