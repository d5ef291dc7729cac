"""Findings of probes, and the conclusion."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from responder.model.clue import Clue
from responder.model.rule import Link


class Verdict(StrEnum):
    """A probe has four outcomes. Could-not-look is unknown: it never reads as down, and never as fine."""

    OK = "ok"
    BAD = "bad"
    UNKNOWN = "unknown"
    SKIPPED = "skipped"

    @classmethod
    def _missing_(cls, value: object) -> "Verdict | None":
        """Return unknown for a verdict that a newer replica wrote during a rollout."""
        return cls.UNKNOWN if isinstance(value, str) else None


class Origin(StrEnum):
    """Place that a finding comes from: the conclusion weighs it by this."""

    #: The Service of the target, behind which one of its pods answered.
    SERVICE = "service"
    #: The API server of the cluster: without these findings a page says least.
    CLUSTER = "cluster"
    #: Prometheus, where a target may have no data.
    METRICS = "metrics"
    #: Anything else.
    OTHER = "other"

    @classmethod
    def _missing_(cls, value: object) -> "Origin | None":
        """Return other for an origin that a newer replica wrote during a rollout."""
        return cls.OTHER if isinstance(value, str) else None


#: Characters.
HEADLINE_LIMIT = 240
DETAIL_LIMIT = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The answer of one probe about one target.

    ``headline`` is one line of at most 240 characters with a number in it; ``detail`` at most 2,048 characters.
    ``duration`` is seconds. ``query`` is the exact query, fit to be pasted. ``points`` are (epoch seconds,
    value) pairs of the range behind it, and ``threshold`` the value beyond which it is bad. ``warning`` marks a bad
    finding that crossed only the lower of two thresholds.
    ``judged`` is False without a threshold, and for steps of runbooks: such a finding is context, no cause, and rules
    nothing out.
    ``names_target`` is True if an ok answer about another target is listed by that target's name, not the probe's.
    ``age`` is an age in the headline, ``14 min ago``, and ``since`` the moment from which it counts.
    ``clue`` is what an investigation of a cluster saw; the conclusion links clues into a chain.
    All text is untrusted and was cleaned and redacted, not escaped.
    """

    probe: str
    kind: str
    target: str
    verdict: Verdict
    headline: str
    query: str
    origin: Origin = Origin.OTHER
    detail: str = ""
    duration: float = 0.0
    link: str = ""
    warning: bool = False
    judged: bool = True
    points: tuple[tuple[float, float], ...] = ()
    threshold: float | None = None
    names_target: bool = False
    clue: Clue | None = None
    age: str = ""
    since: datetime | None = None


_ORDER = (Verdict.BAD, Verdict.UNKNOWN, Verdict.SKIPPED, Verdict.OK)


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Bad first, then warnings, unknown, skipped and ok; findings with the same verdict keep their order."""
    return tuple(sorted(findings, key=priority))


def priority(finding: Finding) -> tuple[int, bool]:
    """The smallest for the worst."""
    return _ORDER.index(finding.verdict), finding.warning


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """Conclusion of the findings, in words. ``likely`` is one sentence, or empty; ``code`` names the cause for rules.

    ``brief`` is the cause in a few words, for titles; ``chain`` leads from the subject to it. ``evidence`` is what else
    is wrong. ``first_step`` and ``runbook`` are those that the rule names for the code, or else the step that the code
    suggests. ``seen`` are the figures that nothing judged: where errors come from, how a container ended.
    ``signature`` is equal for equal causes, without names of instances; ``before`` names the other incidents that had
    it. ``checked_at`` is when the findings were saved, None before. ``ages`` are those that the texts
    name, ``14 min ago``, with the moments from which they count.
    """

    code: str = ""
    brief: str = ""
    likely: str = ""
    chain: str = ""
    evidence: str = ""
    first_step: str = ""
    runbook: Link | None = None
    changed: str = ""
    ruled_out: str = ""
    unknown: str = ""
    seen: str = ""
    signature: str = ""
    before: str = ""
    checked_at: datetime | None = None
    ages: Mapping[str, datetime] = field(default_factory=dict)

    def with_ages(self, words: Callable[[datetime], str]) -> "Conclusion":
        """Return the conclusion with the words for a moment in the place of the age that it had at the diagnosis."""
        if not self.ages:
            return self
        ages = re.compile(rf"\b(?:{'|'.join(map(re.escape, self.ages))})")

        def later(text: str) -> str:
            return ages.sub(lambda found: words(self.ages[found[0]]), text)

        return replace(
            self,
            likely=later(self.likely),
            evidence=later(self.evidence),
            changed=later(self.changed),
            seen=later(self.seen),
        )


#: No probe ran, or none has finished yet.
NOTHING = Conclusion()
