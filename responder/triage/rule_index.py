"""Index of the rules: finds the first match at a cost independent of their number, and explains it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from responder.model.alert import Alert, Labels
from responder.model.rule import ANNOTATION, Action, Matcher, Op, Rule
from responder.triage.matchers import literals, matches, predicate

#: Cached (label name, value) pairs and results; the cache is emptied when full, since pod names never repeat.
REMEMBERED: Final = 50_000
#: Characters of a value above which it is not cached.
LONG: Final = 1024

_START = re.compile(r"[A-Za-z0-9_ :/@,-]*", re.ASCII)

_Test = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class EvaluatedRule:
    """The result of one rule. ``matched`` is None if an earlier rule matched and this one was not evaluated.

    ``failed`` is the first matcher that did not hold, ``got`` the value of its label. ``shadow`` is True if all
    matchers held and the rule was passed over because it is in shadow; its decision is recorded.
    """

    rule: Rule
    matched: bool | None
    failed: Matcher | None = None
    got: str = ""
    shadow: bool = False


@dataclass(slots=True)
class _Column:
    """All matchers on one label. A set of rules is an integer: bit n stands for the n-th rule."""

    name: str
    indifferent: int
    exact: dict[str, int] = field(default_factory=dict)
    tested: dict[str, list[tuple[tuple[_Test, ...], int]]] = field(default_factory=dict)
    lengths: tuple[int, ...] = ()

    def rules(self, value: str) -> int:
        """Return the rules whose matchers on this label all hold for the value.

        ``tested`` is keyed by the prefix that a value must have; ``lengths`` are the lengths of these prefixes.
        """
        found = self.indifferent | self.exact.get(value, 0)
        for length in self.lengths:
            for tests, rules in self.tested.get(value[:length], ()) if length <= len(value) else ():
                if all(test(value) for test in tests):
                    found |= rules
        return found


class RuleIndex:
    """The index of a rule set. Its results equal those of trying each rule in turn with all its matchers.

    Shadow rules never match. Of the others the last must have no matchers, so that every alert has a rule; ValueError
    otherwise. ``remembered`` bounds the cached values and results.
    """

    def __init__(self, rules: Sequence[Rule], remembered: int = REMEMBERED) -> None:
        live = tuple(rule for rule in rules if not rule.shadow)
        shadows = tuple(rule for rule in rules if rule.shadow)
        if not live or live[-1].matchers:
            raise ValueError("the last rule must have no matchers, so that every alert has a rule")
        self._rules = tuple(rules)
        self._places = {rule.id: place for place, rule in enumerate(rules)}
        self._live = _Table(live, remembered)
        self._shadows = _Table((*shadows, live[-1]), remembered) if shadows else None
        #: True if a rule drops alerts.
        self.drops = any(rule.action is Action.DROP for rule in live)
        self._reads_annotations = any(each.name.startswith(ANNOTATION) for rule in rules for each in rule.matchers)

    def labels_of(self, alert: Alert) -> Labels:
        """Return the values that matchers are compared with: the labels, and the annotations if a rule matches them."""
        if not self._reads_annotations:
            return alert.labels
        return {**alert.labels, **{ANNOTATION + name: value for name, value in alert.annotations.items()}}

    def first(self, labels: Labels) -> Rule:
        """Return the first rule that is not in shadow and whose matchers all hold."""
        return self._live.first(labels)

    def shadow(self, labels: Labels, decides: Rule) -> Rule | None:
        """Return the first shadow rule whose matchers all hold, if it is above the rule that ``decides``."""
        if self._shadows is None:
            return None
        found = self._shadows.first(labels)
        return found if found.shadow and self._places[found.id] < self._places[decides.id] else None

    def explain(self, labels: Labels) -> tuple[EvaluatedRule, ...]:
        """Return every rule in order, with the reason it was passed over."""
        chosen = self.first(labels)
        tried = self.shadow(labels, chosen)
        at = self._places[chosen.id]
        passed = (_passed_over(rule, labels, tried) for rule in self._rules[:at])
        return (*passed, EvaluatedRule(chosen, True), *(EvaluatedRule(rule, None) for rule in self._rules[at + 1 :]))


class _Table:
    """A subset of the rules, the last of which matches everything, indexed by label."""

    def __init__(self, rules: tuple[Rule, ...], remembered: int) -> None:
        self._rules = rules
        self._remembered = remembered
        self._columns = _columns(self._rules)
        self._names = tuple(column.name for column in self._columns)
        self._memo: dict[tuple[str, str], int] = {}
        self._answers: dict[tuple[str | None, ...], Rule] = {}

    def first(self, labels: Labels) -> Rule:
        values = tuple(map(labels.get, self._names))
        known = self._answers.get(values)
        return known if known is not None else self._first(values)

    def _first(self, values: tuple[str | None, ...]) -> Rule:
        left = -1
        for column, value in zip(self._columns, values, strict=True):
            left &= self._ask(column, value or "")
        found = self._rules[(left & -left).bit_length() - 1]
        if sum(map(len, filter(None, values))) <= LONG:
            if len(self._answers) >= self._remembered:
                self._answers.clear()
            self._answers[values] = found
        return found

    def _ask(self, column: _Column, value: str) -> int:
        if len(value) > LONG:
            return column.rules(value)
        key = (column.name, value)
        known = self._memo.get(key)
        if known is None:
            if len(self._memo) >= self._remembered:
                self._memo.clear()
            known = self._memo[key] = column.rules(value)
        return known


def _passed_over(rule: Rule, labels: Labels, tried: Rule | None) -> EvaluatedRule:
    if rule is tried:
        return EvaluatedRule(rule, False, shadow=True)
    failed = next((matcher for matcher in rule.matchers if not matches(matcher, labels)), None)
    if failed is None:
        return EvaluatedRule(rule, None)
    return EvaluatedRule(rule, False, failed, labels.get(failed.name, ""))


def _columns(rules: tuple[Rule, ...]) -> tuple[_Column, ...]:
    asked: dict[str, dict[tuple[Matcher, ...], int]] = {}
    for number, rule in enumerate(rules):
        for name, matchers in _by_label(rule).items():
            same = asked.setdefault(name, {})
            same[matchers] = same.get(matchers, 0) | 1 << number
    return tuple(_column(name, groups, len(rules)) for name, groups in asked.items())


def _by_label(rule: Rule) -> dict[str, tuple[Matcher, ...]]:
    found: dict[str, tuple[Matcher, ...]] = {}
    for matcher in rule.matchers:
        found[matcher.name] = (*found.get(matcher.name, ()), matcher)
    return found


def _column(name: str, groups: dict[tuple[Matcher, ...], int], count: int) -> _Column:
    concerned = 0
    for rules in groups.values():
        concerned |= rules
    column = _Column(name, ((1 << count) - 1) & ~concerned)
    for matchers, rules in groups.items():
        accepted = literals(matchers[0]) if len(matchers) == 1 else None
        if accepted is None:
            tests = tuple(predicate(matcher) for matcher in matchers)
            column.tested.setdefault(_start(matchers), []).append((tests, rules))
            continue
        for value in accepted:
            column.exact[value] = column.exact.get(value, 0) | rules
    column.lengths = tuple(sorted({len(start) for start in column.tested}))
    return column


def _start(matchers: tuple[Matcher, ...]) -> str:
    """Return a prefix that every value satisfying the matchers must have; empty if none is evident."""
    starts = (_plain(matcher.value) for matcher in matchers if matcher.op is Op.REGEX)
    return max(starts, key=len, default="")


def _plain(pattern: str) -> str:
    found = _START.match(pattern)
    if found is None or "|" in pattern:
        return ""
    # A repetition may match zero times, so the character before it is optional.
    return found[0][:-1] if pattern[found.end() : found.end() + 1] in set("*+?{") else found[0]
