"""Conclusion of the findings: likely cause, changes, ruled out, unknown, and the severity. Pure."""

import re
from collections.abc import Iterable, Sequence

from responder.diagnose.explain import Explanation, explain, signature_of
from responder.model.clue import Certainty
from responder.model.decision import FindingAdjustment, Subject
from responder.model.finding import Conclusion, Finding, Verdict, priority, worst_first
from responder.model.rule import FindingCondition
from responder.model.text import cut, number_of

#: The probe whose finding is the change, whatever its verdict.
RECENT_CHANGES = "recent-changes"

#: Kinds of probes that reach the pods of a subject through its Service.
_THROUGH_SERVICE = frozenset({"http", "tcp"})

#: Kinds of probes with a finding for each thing that they see: without them a page says least.
_INVESTIGATIONS = frozenset({"kubernetes"})

_LIMIT = 500
_NAMED = 2
_MOST_RULED_OUT = 6
_MOST_UNKNOWN = 3
#: The limit that was not exceeded, at the end of a headline.
_LIMITS = re.compile(r" \((?:warning|critical) [<>] [^)]*\)")


def conclude(findings: Iterable[Finding], subject: Subject) -> Conclusion:
    """Return the conclusion of the findings about ``subject``. Parts without content are empty."""
    ranked = worst_first(findings)
    clues = tuple(finding.clue for finding in ranked if finding.clue is not None)
    ranked = tuple(finding for finding in ranked if finding.clue is None)
    changes = [finding for finding in ranked if finding.probe == RECENT_CHANGES]
    certain = [finding for finding in changes if finding.verdict in {Verdict.OK, Verdict.BAD}]
    # A change has its own part; it counts as unknown only if the probe failed.
    others = tuple(finding for finding in ranked if finding not in certain)
    well = [finding for finding in others if finding.verdict is Verdict.OK]
    known = explain(clues)
    return Conclusion(
        code=known.cause.code if known.cause else "",
        likely=_joined(_cause(known), _likely([each for each in others if each.verdict is Verdict.BAD], subject)),
        changed=_joined(*(each.says for each in known.changes)) or _unchanged(known, certain, subject),
        ruled_out=_joined(
            *(each.says for each in known.fine), _ruled_out(_looked_at(others, known, subject), subject), by=" · "
        ),
        unknown=_joined(*(each.says for each in known.unseen), _unknown(others, subject)),
        seen=_joined(*_facts(known), *(_without_subject(finding, subject) for finding in well if not finding.judged)),
        signature=signature_of(known, subject),
    )


def _joined(*parts: str, by: str = "; ") -> str:
    return cut(by.join(dict.fromkeys(part for part in parts if part)), _LIMIT)


def _cause(known: Explanation) -> str:
    """Return the cause, then the steps from the subject to it, then what is true of the subject besides."""
    if known.cause is None:
        return _joined(*(each.says for each in known.symptoms))
    certainty = {Certainty.LIKELY: "likely ", Certainty.COINCIDES: "at the same time: "}.get(known.cause.certainty, "")
    steps = [each.says for each in known.chain[:-1]]
    return _joined(f"{certainty}{known.cause.says}", *steps, *(each.says for each in known.symptoms))


def _looked_at(findings: Sequence[Finding], known: Explanation, subject: Subject) -> tuple[Finding, ...]:
    """Return the findings that may rule something out: not an answer of the Service while some pods are not well.

    A Service asks ready pods only, so its answer says nothing about the others.
    """
    unread = [each.says.replace("pods/log", "") for each in known.unseen if each.code == "unseen"]
    blind = any("pods" in says or " more" in says for says in unread)  # pods may be among those not named
    if known.cause is None and not known.symptoms and not blind:
        return tuple(findings)
    return tuple(each for each in findings if each.kind not in _THROUGH_SERVICE or not _is_about(each, subject))


def _unchanged(known: Explanation, certain: Sequence[Finding], subject: Subject) -> str:
    """Return what the probe of changes found, unless the cluster itself says that there was no rollout."""
    quiet = next((each.says for each in known.facts if each.code == "change-none"), "")
    if certain and (certain[0].verdict is Verdict.BAD or not quiet):
        return _changed(certain[0], subject)
    return quiet


def _facts(known: Explanation) -> list[str]:
    return [each.says for each in known.facts if each.code != "change-none"]


def _changed(finding: Finding, subject: Subject) -> str:
    if finding.verdict is Verdict.BAD:
        return _without_subject(finding, subject)
    return f"no recent changes ({finding.headline.removeprefix(f'{finding.target}: ')})"


def _likely(bad: list[Finding], subject: Subject) -> str:
    if not bad:
        return ""
    # Among equal verdicts, evidence about the subject itself comes before evidence about its neighbors.
    own = sorted(bad, key=lambda finding: (priority(finding), not _is_about(finding, subject)))
    text = "; ".join(_without_subject(finding, subject) for finding in own[:_NAMED])
    more = f"; and {len(own) - _NAMED} more" if len(own) > _NAMED else ""
    return cut(text + more, _LIMIT)


def _is_about(finding: Finding, subject: Subject) -> bool:
    return finding.target in {subject.service, subject.name}


def _ruled_out(findings: Sequence[Finding], subject: Subject) -> str:
    """Return the ok findings in words; of probes that have a finding for each target, the targets."""
    facts: list[str] = []
    healthy: list[str] = []
    doubtful = {finding.probe for finding in findings if finding.verdict in {Verdict.BAD, Verdict.UNKNOWN}}
    for finding in findings:
        if finding.verdict is not Verdict.OK or not finding.judged:
            continue
        if finding.probe in doubtful and not finding.names_target:
            continue
        if finding.names_target:
            healthy.append(finding.target)
        else:
            facts.append(_LIMITS.sub("", _without_subject(finding, subject)))
    targets = [f"{', '.join(dict.fromkeys(healthy))} healthy"] if healthy else []
    return cut(" · ".join([*_some(facts, _MOST_RULED_OUT), *targets]), _LIMIT)


def _unknown(findings: tuple[Finding, ...], subject: Subject) -> str:
    missing = [finding for finding in findings if finding.verdict is Verdict.UNKNOWN]
    missing.sort(key=lambda finding: finding.kind not in _INVESTIGATIONS)  # the first ones are shown
    facts = [_without_subject(finding, subject) for finding in missing]
    skipped = sum(finding.verdict is Verdict.SKIPPED for finding in findings)
    parts = [*_some(facts, _MOST_UNKNOWN), *([f"{number_of(skipped, 'check')} skipped"] if skipped else [])]
    return cut("; ".join(parts), _LIMIT)


def _without_subject(finding: Finding, subject: Subject) -> str:
    """Return the headline, without the target where that is the subject, which the title names."""
    return finding.headline.removeprefix(f"{finding.target}: ") if _is_about(finding, subject) else finding.headline


def _some(texts: Sequence[str], most: int) -> list[str]:
    kept = list(dict.fromkeys(texts))
    return [*kept[:most], *([f"and {len(kept) - most} more"] if len(kept) > most else [])]


#: The worst first.
_WORDS = ("bad", "warning", "unknown", "ok")


def matching_adjustment(
    adjustments: Iterable[FindingAdjustment], findings: Sequence[Finding]
) -> tuple[FindingAdjustment, str] | None:
    """Return the adjustment that applies and its findings in one sentence; None if none applies."""
    for adjustment in adjustments:
        said = [_met(condition, findings) for condition in adjustment.findings]
        if all(said):
            return adjustment, " and ".join(said)
    return None


def result_name(finding: Finding) -> str:
    """Return the result as rules name it: ok, warning, bad, unknown; empty if the check was skipped."""
    if finding.verdict is Verdict.SKIPPED:
        return ""
    return "warning" if finding.warning and finding.verdict is Verdict.BAD else finding.verdict.value


def _met(condition: FindingCondition, findings: Sequence[Finding]) -> str:
    """Return the finding in words if it meets the condition; of a probe with several findings the worst counts."""
    answers = [finding for finding in findings if finding.probe == condition.probe and result_name(finding)]
    worst = min(answers, key=lambda each: _WORDS.index(result_name(each)), default=None)
    if worst is None or result_name(worst) not in condition.words:
        return ""
    return f"{condition.probe} is {result_name(worst)} ({worst.headline})"
