"""Proofs about matchers hold: regexes as languages agree with RE2, and so does their comparison."""

from __future__ import annotations

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from responder.rulebook.analysis import re2_parser
from responder.rulebook.analysis import regular_language as lang

ATOMS = ["a", "b", "ab", ".", "[ab]", "[^a]", "\\.", "\\d", "\\W", "[a-c-]", "\\n", "[]a]", "é", "{"]


def _patterns() -> st.SearchStrategy[str]:
    return st.recursive(
        st.sampled_from(ATOMS),
        lambda inner: st.one_of(
            st.tuples(inner, inner).map("".join),
            st.tuples(inner, inner).map("|".join),
            inner.map("({})".format),
            inner.map("(?:{})*".format),
            inner.map("(?:{})+?".format),
            inner.map("(?P<x>{})?".format),
            inner.map("(?:{}){{1,2}}".format),
        ),
        max_leaves=5,
    )


TEXTS = st.text(alphabet="ab.-1é\n{]", max_size=5)


def _re2(pattern: str, text: str) -> bool:
    return re2.fullmatch(f"(?:{pattern})".encode(), text.encode()) is not None


@settings(deadline=None, max_examples=300)
@given(_patterns(), TEXTS)
def test_a_pattern_means_what_re2_makes_of_it(pattern: str, text: str) -> None:
    """A rule is never judged by a reading of its regex that differs from the one that decides alerts."""
    try:
        found = re2_parser.language(pattern)
        re2.compile(f"(?:{pattern})".encode())
    except (re2_parser.BeyondError, re2.error):
        return
    assert lang.contains(found, text) == _re2(pattern, text), (pattern, text)


@settings(deadline=None, max_examples=100)
@given(st.text(alphabet="ksKSt.*|?", max_size=5), st.text(alphabet="ksKSTt\u017f\u212a\n", max_size=3))
def test_ignored_case_means_what_re2_makes_of_it(pattern: str, text: str) -> None:
    """A pattern that ignores case has the letters beyond ASCII that RE2 takes for the same, and no others."""
    try:
        found = re2_parser.language(f"(?i){pattern}")
        re2.compile(f"(?i){pattern}".encode())
    except (re2_parser.BeyondError, re2.error):
        return
    assert lang.contains(found, text) == _re2(f"(?i){pattern}", text), (pattern, text)


@settings(deadline=None, max_examples=150)
@given(_patterns(), _patterns(), TEXTS)
def test_a_proven_containment_has_no_exception(smaller: str, larger: str, text: str) -> None:
    """Proven containment holds: no text is in the smaller set and not in the larger one."""
    try:
        one, two = re2_parser.language(smaller), re2_parser.language(larger)
        if lang.is_subset(one, two):
            assert not lang.contains(one, text) or lang.contains(two, text)
        else:
            witness = lang.sample(lang.intersection((one, lang.complement(two))))
            assert witness is not None
            assert lang.contains(one, witness)
            assert not lang.contains(two, witness)
    except (re2_parser.BeyondError, lang.TooHardError):
        return


@pytest.mark.parametrize(
    ("smaller", "larger", "answer"),
    [
        ("Kube.*Down", "Kube.*", True),
        ("Kube.*", "Kube.*Down", False),
        (".*", "(?:.|\\n)*", True),
        ("(?:.|\\n)*", ".*", False),
        ("prod-[0-9]+", "prod-\\d{1,}", True),
        ("a|b", "^(b|a|c)$", True),
        ("^a$|^b$", "a|b", True),
        (".+", ".*", True),
        (".*", ".+", False),
    ],
)
def test_regexes_are_compared_by_what_they_match(smaller: str, larger: str, *, answer: bool) -> None:
    """Two regexes that look different are still known to overlap."""
    assert lang.is_subset(re2_parser.language(smaller), re2_parser.language(larger)) is answer


@pytest.mark.parametrize(
    "pattern", ["(?i)[a]", "(?i)é", "(?s)a", "a\\b", "\\pL", "[[:alpha:]]", "a^b", "\\Qa\\E", "a" * 3000, "a{900}"]
)
def test_what_cannot_be_reasoned_about_is_refused(pattern: str) -> None:
    """Nothing is claimed about a regex with features whose meaning was not modelled."""
    with pytest.raises(re2_parser.BeyondError):
        re2_parser.language(pattern)


def test_a_hard_question_is_given_up() -> None:
    """A regex made to take for ever costs milliseconds."""
    bad = re2_parser.language("(?:a|b)*a(?:a|b){14}")
    with pytest.raises(lang.TooHardError):
        lang.is_subset(bad, re2_parser.language("(?:b|a)*b(?:a|b){14}"))


def test_finite_languages_are_listed() -> None:
    """Alternatives written as groups and classes are known one by one."""
    found = lang.words(re2_parser.language("Kube(Pod|Node)[AB]?"), 100)
    assert sorted(found or ()) == ["KubeNode", "KubeNodeA", "KubeNodeB", "KubePod", "KubePodA", "KubePodB"]
    assert lang.words(re2_parser.language("a.*"), 100) is None
    assert lang.words(re2_parser.language("[a-z][a-z]"), 100) is None
    assert lang.words(re2_parser.language("foo\\.bar"), 1) == frozenset({"foo.bar"})
