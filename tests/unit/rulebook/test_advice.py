"""Advice of `rules check` about valid rules: shadowed rules, matchers that never match. It is never wrong."""

from __future__ import annotations

from collections.abc import Collection
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from responder.bootstrap import rule_references
from responder.rulebook.checks import ADVICE, impossible_match, shadowed_value, shared_alias
from responder.rulebook.load import gather, required
from responder.rulebook.rule_files import RuleFiles, RuleReferences
from responder.rulebook.shadowing import analyzed
from responder.triage.matchers import matches

HEAD = """\
platform: {environment: prod, namespace: shop}
severities:
  P3: {meaning: m, response: r, respond_within: 4h, responders: one, pages: false, pagerduty: info,
    page_budget: 30s, next_update: 4h}
defaults: {channels: [slack]}
rules:
"""
VALUES = ("", "a", "b", "ab", "abc", "ba", "c\n")


def drafted(folder: Path, conditions: list[str], shadows: Collection[int] = ()) -> tuple[RuleFiles, RuleReferences]:
    """A draft of one rule for each of these matchers, those of ``shadows`` in shadow, and a catch-all."""
    folder.mkdir(exist_ok=True)
    live = ["shadow" if number in shadows else "true" for number in range(len(conditions))]
    rules = [
        f"  - {{id: r{number}, match: '{text}', severity: P3, first_step: x, enabled: {live[number]}}}"
        for number, text in enumerate(conditions)
    ]
    rules.append("  - {id: unknown, match: [], severity: P3, first_step: x}")
    (folder / "all.yaml").write_text(HEAD + "\n".join(rules) + "\n")
    rule_files, around = gather(folder), rule_references(str(folder / "none"))
    assert required(rule_files, around) == ()
    return rule_files, around


def _matchers() -> st.SearchStrategy[str]:
    value = st.sampled_from(["a", "b", "ab", "a|b", "a.*", ".*", ".+", "[ab]+", "(?:ab|a)b?", "", "(?i)a", "abc|c.*"])
    one = st.tuples(st.sampled_from("xy"), st.sampled_from(["=", "!=", "=~", "!~"]), value)
    return st.lists(one.map(lambda it: f'{it[0]}{it[1]}"{it[2]}"'), min_size=1, max_size=3).map(",".join)


@settings(max_examples=250)
@given(st.lists(_matchers(), min_size=2, max_size=5))
def test_nothing_is_called_dead_that_lives(tmp_path_factory: pytest.TempPathFactory, conditions: list[str]) -> None:
    """A rule said never to be tried is never tried: no alert at all reaches it."""
    rule_files, around = drafted(tmp_path_factory.mktemp("rules"), conditions)
    dead = {each.number: each for each in analyzed(rule_files, around).shadowings}
    never = {problem.position for problem in impossible_match.check(rule_files, around)}
    for x, y in product(VALUES, VALUES):
        labels = {"x": x, "y": y}
        hits = [number for number, matchers in rule_files.matchers.items() if all(matches(m, labels) for m in matchers)]
        first = hits[0]
        assert rule_files.rules[first].at("match") not in never, (conditions, labels)
        if found := dead.get(first):
            assert not found.whole, (conditions, labels)
            assert labels[found.label] not in found.by, (conditions, labels)


@pytest.mark.parametrize(
    ("conditions", "dead"),
    [
        (['a=~"Kube.*"', 'a="KubeDown"'], {1}),
        (['a=~"Kube.*"', 'a=~"KubeDown|KubeUp"'], {1}),
        (['a=~"Kube.*"', 'a=~"Kube.+Down"'], {1}),
        (['a="x"', 'a="y"', 'a=~"x|y"'], {2}),
        (['a=~"x|y",b!=""', 'a="x",b="1"'], {1}),
        (['a="x",b="1"', 'a="x"'], set()),
        (['a!="x"', 'a=~"y.*"'], {1}),
        (['a!="x"', 'b="1"'], set()),
        (['a=~".*Down"', 'a=~"[A-Z][a-z]+Down"'], {1}),
        (['a=~"(?i)kube.*"', 'a="KubeDown"'], {1}),
        (['a=~"(?i)kube.*"', 'a=~"Kube.*"'], {1}),
        (['a=~"Kube.*"', 'a=~"(?i)kube.*"'], set()),
        (['a=~"x.*",b="1"', 'b="1",a=~"xy.*",c="2"'], {1}),
        (['b=""', 'a="1"'], set()),
        (['b=~"|1"', 'a="1",b="1"'], {1}),
    ],
)
def test_dead_rules_are_found(tmp_path: Path, conditions: list[str], dead: set[int]) -> None:
    """A rule that an earlier one keeps from ever deciding is named, whatever way the two are written."""
    rule_files, around = drafted(tmp_path / "rules", conditions)
    assert {each.number for each in analyzed(rule_files, around).shadowings if each.whole} == dead


def test_a_rule_in_shadow_keeps_none_below_it_from_deciding(tmp_path: Path) -> None:
    """A rule on trial above the one it is to replace is no mistake; what is on trial below a rule never is tried."""
    rule_files, around = drafted(tmp_path / "rules", ['a=~"x|y"', 'a="x"'], shadows={0})
    assert analyzed(rule_files, around).shadowings == ()
    assert not list(shadowed_value.check(rule_files, around))
    rule_files, around = drafted(tmp_path / "others", ['a=~"x|y"', 'a="x"'], shadows={1})
    assert {each.number for each in analyzed(rule_files, around).shadowings} == {1}


@pytest.mark.parametrize(
    ("match", "never"),
    [
        ('a="1",a="2"', True),
        ('a="1",a!~"[0-9]"', True),
        ('a=~"x.*",a=~".*y",a!~"x.*y"', True),
        ('a="",a!=""', True),
        ('a=~"x.*",a!~"xy.*"', False),
        ('a="1",b="2"', False),
    ],
)
def test_matchers_that_exclude_each_other_are_found(tmp_path: Path, match: str, *, never: bool) -> None:
    """A rule that can never match is reported."""
    rule_files, around = drafted(tmp_path / "rules", [match])
    assert bool(list(impossible_match.check(rule_files, around))) is never


@pytest.mark.parametrize("form", ['a="v{}"', 'a="v{}",b=~"x.*"', 'a=~"prod-{}-.*"', 'a=~".*-svc{}-.*"'])
def test_thousands_of_rules_are_checked_in_seconds(tmp_path: Path, form: str) -> None:
    """Checking stays quick when a team has thousands of rules, also where nothing can be found quickly."""
    rule_files, around = drafted(tmp_path / "rules", [form.format(number) for number in range(3000)])
    assert analyzed(rule_files, around).shadowings == ()
    assert all(not list(check(rule_files, around)) for check in ADVICE.values())


SERVICES = """\
services:
  shop: {owner: o, impact: i, aliases: [web, cart]}
  cart: {owner: o, impact: i, aliases: [web, basket]}
"""


def test_an_alias_of_two_services_is_reported(tmp_path: Path) -> None:
    """Each alias that also means another entry is reported once, where it stands, and no other."""
    drafted(tmp_path, [])
    (tmp_path / "services.yaml").write_text(SERVICES)
    found = sorted(shared_alias.check(gather(tmp_path), rule_references(str(tmp_path / "none"))))
    assert [(each.position.line, each.position.column, each.message) for each in found] == [
        (2, 46, "'cart' also means the service 'cart'"),
        (3, 41, "'web' also means the service 'shop'"),
    ]
