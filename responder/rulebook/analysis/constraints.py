"""What a rule asks of each label, as a set of strings, and whether one such set lies inside another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from responder.model.rule import Matcher, Op
from responder.rulebook.analysis import regular_language as lang
from responder.rulebook.analysis.re2_parser import BeyondError
from responder.rulebook.analysis.re2_parser import language as regex_language

#: A set of at most so many strings is kept as a list of them.
WORDS: Final = 256

Predicate = Callable[[Matcher], Callable[[str], bool]]


@dataclass(frozen=True, slots=True)
class Constraint:
    """The matchers of one rule on one label, all of which must hold.

    ``values`` are the only ones that satisfy them, where these can be listed. ``language`` is None where a regex among
    them is beyond reasoning. A label that is missing has the empty string as its value.
    """

    matchers: tuple[Matcher, ...]
    values: frozenset[str] | None
    language: lang.Language | None

    def accepts(self, value: str, predicate: Predicate) -> bool:
        """Whether the value satisfies all the matchers."""
        return all(predicate(matcher)(value) for matcher in self.matchers)


#: The constraints of one rule, by label.
Profile = Mapping[str, Constraint]

#: What a rule asks of a label that it does not name.
FREE: Final = Constraint((), None, lang.EVERYTHING)


def profile(matchers: Iterable[Matcher], predicate: Predicate) -> Profile:
    """What a rule's matchers ask of each label."""
    by_label: dict[str, list[Matcher]] = {}
    for matcher in matchers:
        by_label.setdefault(matcher.name, []).append(matcher)
    return {name: _constraint(tuple(several), predicate) for name, several in by_label.items()}


def impossible(constraint: Constraint) -> bool:
    """Whether it is certain that no value satisfies the constraint."""
    if constraint.values is not None:
        return not constraint.values
    try:
        return constraint.language is not None and lang.sample(constraint.language) is None
    except lang.TooHardError:
        return False


def within(smaller: Constraint, larger: Constraint, predicate: Predicate) -> bool:
    """Whether it is certain that every value that satisfies the one satisfies the other."""
    if smaller.values is not None:
        return all(larger.accepts(value, predicate) for value in smaller.values)
    if larger.values is not None or smaller.language is None:
        return False
    return _inside(smaller.language, larger.language) if larger.language is not None else False


def only(value: str) -> Constraint:
    """The constraint that just this value satisfies."""
    return Constraint((), frozenset({value}), lang.LiteralText(value))


def read(matcher: Matcher) -> lang.Language | None:
    """The values that satisfy a matcher; None where that is beyond reasoning."""
    if matcher.op in {Op.EQUAL, Op.NOT_EQUAL}:
        found: lang.Language = lang.LiteralText(matcher.value)
    else:
        try:
            found = regex_language(matcher.value)
        except BeyondError:
            return None
    return found if matcher.op in {Op.EQUAL, Op.REGEX} else lang.other(found)


def _constraint(matchers: tuple[Matcher, ...], predicate: Predicate) -> Constraint:
    if len(matchers) == 1:
        return _single(matchers[0])
    values: frozenset[str] | None = None
    languages = [read(matcher) for matcher in matchers]
    for language in languages:
        if language is not None and (listed := lang.words(language, WORDS)) is not None:
            values = frozenset(value for value in listed if all(predicate(matcher)(value) for matcher in matchers))
            break
    known = [language for language in languages if language is not None]
    whole = lang.both(known) if len(known) == len(languages) else None
    return Constraint(matchers, values, whole)


@lru_cache(maxsize=65536)
def _single(matcher: Matcher) -> Constraint:
    language = read(matcher)
    return Constraint((matcher,), lang.words(language, WORDS) if language is not None else None, language)


@lru_cache(maxsize=65536)
def _inside(smaller: lang.Language, larger: lang.Language) -> bool:
    try:
        return lang.inside(smaller, larger)
    except lang.TooHardError:
        return False
