"""Which rules, and which of their matchers, test cases have tried."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from responder.cli.rules.trace import Trace
from responder.model.alert import Labels
from responder.model.rule import Matcher, Rule
from responder.triage.matchers import holds


@dataclass(frozen=True, slots=True)
class Reach:
    """``unreached`` are rules that no case ends at; ``untried`` are matchers that never decided, with their rules.

    A matcher decides where it does not hold and all others of its rule do: only then does the rule depend on it.
    """

    rules: int
    unreached: tuple[Rule, ...]
    untried: tuple[tuple[Rule, Matcher], ...]

    @property
    def share(self) -> float:
        """The rules that some case ends at, in percent."""
        return 100.0 * (self.rules - len(self.unreached)) / self.rules


def reach(rules: tuple[Rule, ...], traces: Iterable[Trace]) -> Reach:
    """What the cases have reached. Every alert of a body counts; a rule in shadow is reached where it would decide."""
    rulings = [ruling for each in traces if each.decision for ruling in each.decision.rulings]
    ends = {each.rule.id for ruling in rulings for each in (ruling, ruling.trial) if each}
    alerts = [ruling.alert.labels for ruling in rulings]
    untried = tuple((rule, matcher) for rule in rules for matcher in _untried(rule, alerts))
    return Reach(len(rules), tuple(rule for rule in rules if rule.id not in ends), untried)


def _untried(rule: Rule, alerts: list[Labels]) -> Iterator[Matcher]:
    left = list(rule.matchers)
    for labels in alerts:
        failed = [matcher for matcher in rule.matchers if not holds(matcher, labels)]
        if len(failed) == 1 and failed[0] in left:
            left.remove(failed[0])
    yield from left
