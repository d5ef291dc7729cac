"""The index over the rules answers as if each rule had been tried in turn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responder.model.rule import Matcher, Op, Rule
from responder.triage import rule_index
from responder.triage.matchers import matches
from responder.triage.rule_index import RuleIndex
from tests.support.builders import a_rule

_WORDS = ["", "a", "b", "ab", "a.b", "aab"]
_PATTERNS = ["", "a", "a|b", "a|", ".*", ".+", "a.*", "a.b", "(?i)A", "ab?", "ab*a.*", "a{2}.*", "a[.]b"]
_EXACT = st.builds(Matcher, st.sampled_from("xyz"), st.sampled_from([Op.EQUAL, Op.NOT_EQUAL]), st.sampled_from(_WORDS))
_REGEX = st.builds(
    Matcher, st.sampled_from("xyz"), st.sampled_from([Op.REGEX, Op.NOT_REGEX]), st.sampled_from(_PATTERNS)
)
_MATCHERS = st.lists(_EXACT | _REGEX, max_size=4).map(tuple)
_LABELS = st.dictionaries(st.sampled_from("wxyz"), st.sampled_from(_WORDS), max_size=4)


def _rules(*matchers: tuple[Matcher, ...]) -> tuple[Rule, ...]:
    return tuple(a_rule(id=f"r{number}", matchers=each) for number, each in enumerate((*matchers, ())))


@given(st.lists(_MATCHERS, max_size=12), st.lists(_LABELS, min_size=1, max_size=6))
def test_the_first_match_is_that_of_trying_each_rule(
    matchers: list[tuple[Matcher, ...]], alerts: list[dict[str, str]]
) -> None:
    """The fast answer is the answer a person gets who reads the rules from the top."""
    rules = _rules(*matchers)
    index = RuleIndex(rules)
    for labels in alerts:
        slow = next(rule for rule in rules if all(matches(matcher, labels) for matcher in rule.matchers))
        assert index.first(labels) is slow
        steps = index.explain(labels)
        assert [step.rule for step in steps] == list(rules)
        at = rules.index(slow)
        assert [step.matched for step in steps] == [False] * at + [True] + [None] * (len(rules) - at - 1)
        for step in steps[:at]:
            assert step.failed is not None
            assert not matches(step.failed, labels)
            assert step.got == labels.get(step.failed.name, "")


@given(
    drawn=st.lists(st.tuples(_MATCHERS, st.booleans()), max_size=12),
    alerts=st.lists(_LABELS, min_size=1, max_size=6),
    below=st.booleans(),
)
def test_rules_in_shadow_change_no_answer(
    drawn: list[tuple[tuple[Matcher, ...], bool]], alerts: list[dict[str, str]], *, below: bool
) -> None:
    """Shadow rules never change the deciding rule; the first matching one above it is named."""
    tried = [a_rule(id=f"r{number}", matchers=each, shadow=dark) for number, (each, dark) in enumerate(drawn)]
    last = [a_rule(id="all", matchers=()), a_rule(id="below", matchers=(), shadow=True)]
    rules = [*tried, *last[: 1 + below]]
    index, without = RuleIndex(rules), RuleIndex([rule for rule in rules if not rule.shadow])
    for labels in alerts:
        chosen = without.first(labels)
        assert index.first(labels) is chosen
        hits = [rule for rule in rules if all(matches(matcher, labels) for matcher in rule.matchers)]
        above = [rule for rule in hits[: hits.index(chosen)] if rule.shadow]
        assert index.shadow(labels, chosen) is (above[0] if above else None)
        steps = index.explain(labels)
        assert [step.rule for step in steps] == rules
        assert [step.rule for step in steps if step.matched] == [chosen]
        assert [step.rule for step in steps if step.shadow] == above[:1]


def test_a_catch_all_in_shadow_catches_nothing() -> None:
    """Rules whose only catch-all is on trial are refused: an alert could be lost."""
    with pytest.raises(ValueError, match="no matchers"):
        RuleIndex([a_rule(), a_rule(id="all", matchers=(), shadow=True)])


def test_rules_without_a_catch_all_are_refused() -> None:
    """A rule set that could drop an alert cannot be built."""
    for rules in ((), (a_rule(),)):
        with pytest.raises(ValueError, match="last rule"):
            RuleIndex(rules)


def test_what_is_remembered_is_bounded() -> None:
    """A flood of new pod names does not fill the memory, and still gets the right rule."""
    rules = _rules((Matcher("pod", Op.REGEX, "p[0-9]*5"),))
    index = RuleIndex(rules, remembered=10)
    for number in range(100):
        assert index.first({"pod": f"p{number}"}) is rules[0 if number % 10 == 5 else 1]
        assert len(index._live._memo) <= 10
        assert len(index._live._answers) <= 10
    index.first({"pod": "p" * 5000})
    assert not any(len(value) > rule_index.LONG for _, value in index._live._memo)
    assert not any(len(value or "") > rule_index.LONG for values in index._live._answers for value in values)
