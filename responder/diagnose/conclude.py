"""What findings say together: the likely cause, changes, what is ruled out, what is unknown, and the severity. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from responder.model.decision import FindingAdjustment, Subject
from responder.model.finding import Conclusion, Finding, Verdict, rank, worst_first
from responder.model.rule import FindingCondition
from responder.model.text import cut

RECENT_CHANGES = "recent-changes"
"""The probe whose answer says what changed, whatever its verdict."""

_LIMIT = 500
_NAMED = 2


def conclude(findings: Iterable[Finding], subject: Subject) -> Conclusion:
    """What the findings say together about ``subject``. Each part is empty where there is nothing to say."""
    ranked = worst_first(findings)
    changes = [finding for finding in ranked if finding.probe == RECENT_CHANGES]
    told = [finding for finding in changes if finding.verdict in {Verdict.OK, Verdict.BAD}]
    # What changed has its own place; only where it could not be seen it counts among the unknown.
    others = tuple(finding for finding in ranked if finding not in told)
    well = [finding for finding in others if finding.verdict is Verdict.OK]
    return Conclusion(
        likely=_likely([finding for finding in others if finding.verdict is Verdict.BAD], subject),
        changed=_changed(told[0]) if told else "",
        ruled_out=_ruled_out(others, subject),
        unknown=_unknown(others),
        seen=cut("; ".join(_evidence(finding) for finding in well if not finding.judged), _LIMIT),
    )


def _changed(finding: Finding) -> str:
    if finding.verdict is Verdict.BAD:
        return finding.headline
    return f"no recent changes ({finding.headline.removeprefix(f'{finding.target}: ')})"


def _likely(bad: list[Finding], subject: Subject) -> str:
    if not bad:
        return ""
    # Within a rank, evidence about the subject itself comes before that about its neighbours.
    own = sorted(bad, key=lambda finding: (rank(finding), not _is_about(finding, subject)))
    text = "; ".join(_evidence(finding) for finding in own[:_NAMED])
    more = f"; and {len(own) - _NAMED} more" if len(own) > _NAMED else ""
    return cut(text + more, _LIMIT)


def _evidence(finding: Finding) -> str:
    return f"{finding.headline} ({finding.probe})"


def _is_about(finding: Finding, subject: Subject) -> bool:
    return finding.target in {subject.service, subject.name}


def _ruled_out(findings: Sequence[Finding], subject: Subject) -> str:
    """Probes by their names, and what one of several answers was about by its own: the probe as a whole is not ok."""
    names: list[str] = []
    neighbours: list[str] = []
    answers = Counter(finding.probe for finding in findings)
    for finding in findings:
        if finding.verdict is not Verdict.OK or not finding.judged:
            continue
        if finding.names_target and (answers[finding.probe] > 1 or not _is_about(finding, subject)):
            neighbours.append(finding.target)
        else:
            names.append(finding.probe)
    parts = [f"{name} ok" for name in dict.fromkeys(names)]
    if neighbours:
        parts.append(f"{', '.join(dict.fromkeys(neighbours))} healthy")
    return cut(" · ".join(parts), _LIMIT)


def _unknown(findings: tuple[Finding, ...]) -> str:
    parts = [f"{finding.probe}: {finding.headline}" for finding in findings if finding.verdict is Verdict.UNKNOWN]
    skipped = dict.fromkeys(finding.probe for finding in findings if finding.verdict is Verdict.SKIPPED)
    if skipped:
        parts.append(f"skipped: {', '.join(skipped)}")
    return cut("; ".join(parts), _LIMIT)


_WORDS = ("bad", "warning", "unknown", "ok")
"""The worst first."""


def judge(turns: Iterable[FindingAdjustment], findings: Sequence[Finding]) -> tuple[FindingAdjustment, str] | None:
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


def _made(sought: FindingCondition, findings: Sequence[Finding]) -> str:
    """The finding in words where it is one of those sought: of a probe with several answers the worst counts."""
    answers = [finding for finding in findings if finding.probe == sought.probe and word(finding)]
    worst = min(answers, key=lambda each: _WORDS.index(word(each)), default=None)
    if worst is None or word(worst) not in sought.words:
        return ""
    return f"{sought.probe} is {word(worst)} ({worst.headline})"
