"""Test coverage of rules, of their matchers and of their ``adjust`` entries."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from responder.cli.rules.trace import Trace
from responder.model.alert import Labels
from responder.model.rule import Adjustment, Matcher, Rule
from responder.triage.decide import applying
from responder.triage.matchers import matches
from responder.triage.rule_index import RuleIndex


@dataclass(frozen=True, slots=True)
class RuleCoverage:
    """Coverage of the rules by test cases.

    ``unreached`` are rules that decide no case; ``untried`` are matchers that were never decisive, with their rules;
    ``idle`` are entries of ``adjust`` that never applied. ``rules`` and ``matchers`` are the totals. A matcher is
    decisive if it fails while all others of its rule hold.
    """

    rules: int
    unreached: tuple[Rule, ...]
    untried: tuple[tuple[Rule, Matcher], ...]
    matchers: int
    idle: tuple[tuple[Rule, Adjustment], ...] = ()

    @property
    def share(self) -> float:
        """Share of rules that decide a case, in percent."""
        return 100.0 * (self.rules - len(self.unreached)) / self.rules

    @property
    def matcher_share(self) -> float:
        """Share of decisive matchers, in percent; 100 if there are none."""
        return 100.0 * (self.matchers - len(self.untried)) / self.matchers if self.matchers else 100.0


def reach(rules: tuple[Rule, ...], traces: Iterable[Trace]) -> RuleCoverage:
    """Compute the coverage. Every alert of a payload counts; a shadow rule is reached where it would decide."""
    traces = list(traces)
    matches = [match for each in traces if each.decision for match in each.decision.matches]
    ends = {each.rule.id for match in matches for each in (match, match.shadow) if each}
    index = RuleIndex(rules)
    alerts = [index.labels_of(match.alert) for match in matches]
    untried = tuple((rule, matcher) for rule in rules for matcher in _untried(rule, alerts))
    applied = [found for each in traces for found in _applied(each)]
    return RuleCoverage(
        rules=len(rules),
        unreached=tuple(rule for rule in rules if rule.id not in ends),
        untried=untried,
        matchers=sum(len(rule.matchers) for rule in rules),
        idle=tuple(
            (rule, entry)
            for rule in rules
            for entry in rule.adjust
            if (rule.id, entry) not in applied and not (rule.shadow and entry.findings)  # shadow rules run no probes
        ),
    )


def _applied(found: Trace) -> Iterator[tuple[str, Adjustment]]:
    """Yield the ``adjust`` entries that applied, before and after findings, with the ids of their rules."""
    if found.decision is None:
        return
    firing = sum(match.alert.firing for match in found.decision.matches)
    for match in found.decision.matches:
        for rule in (match.rule, *([match.shadow.rule] if match.shadow else [])):
            if entry := applying(rule, match.alert.labels, firing):
                yield rule.id, entry
    if adjusted := found.shown.adjusted:
        rule = found.decision.rule
        yield from ((rule.id, entry) for entry in rule.adjust if entry.findings == adjusted.adjustment.findings)


def _untried(rule: Rule, alerts: list[Labels]) -> Iterator[Matcher]:
    left = list(rule.matchers)
    for labels in alerts:
        failed = [matcher for matcher in rule.matchers if not matches(matcher, labels)]
        if len(failed) == 1 and failed[0] in left:
            left.remove(failed[0])
    yield from left
