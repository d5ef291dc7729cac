"""Label constraints of rules as sets of strings, and a test for inclusion."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from responder.model.rule import Matcher, Op
from responder.rulebook.analysis import regular_language as lang
from responder.rulebook.analysis.re2_parser import BeyondError
from responder.rulebook.analysis.re2_parser import language as regex_language

#: Maximum number of values that are listed.
WORDS: Final = 256

Predicate = Callable[[Matcher], Callable[[str], bool]]


@dataclass(frozen=True, slots=True)
class Constraint:
    """Matchers of one rule on one label, all of which must hold.

    ``values`` are all values that satisfy them; None if they cannot be listed. ``language`` is None if a regex is not
    supported. A missing label has the empty string as its value.
    """

    matchers: tuple[Matcher, ...]
    values: frozenset[str] | None
    language: lang.Language | None

    def accepts(self, value: str, predicate: Predicate) -> bool:
        """Return True if the value satisfies all matchers."""
        return all(predicate(matcher)(value) for matcher in self.matchers)


#: Constraints of one rule, by label.
Profile = Mapping[str, Constraint]

#: Constraint on a label without a matcher.
FREE: Final = Constraint((), None, lang.EVERYTHING)


def profile(matchers: Iterable[Matcher], predicate: Predicate) -> Profile:
    """Return the constraint of a rule's matchers on each label."""
    by_label: dict[str, list[Matcher]] = {}
    for matcher in matchers:
        by_label.setdefault(matcher.name, []).append(matcher)
    return {name: _constraint(tuple(several), predicate) for name, several in by_label.items()}


def impossible(constraint: Constraint) -> bool:
    """Return True if certainly no value satisfies the constraint."""
    if constraint.values is not None:
        return not constraint.values
    try:
        return constraint.language is not None and lang.sample(constraint.language) is None
    except lang.TooHardError:
        return False


def within(smaller: Constraint, larger: Constraint, predicate: Predicate) -> bool:
    """Return True if certainly every value of ``smaller`` also satisfies ``larger``."""
    if smaller.values is not None:
        return all(larger.accepts(value, predicate) for value in smaller.values)
    if larger.values is not None or smaller.language is None:
        return False
    return _inside(smaller.language, larger.language) if larger.language is not None else False


def only(value: str) -> Constraint:
    """Return the constraint that only this value satisfies."""
    return Constraint((), frozenset({value}), lang.LiteralText(value))


def read(matcher: Matcher) -> lang.Language | None:
    """Return the values that satisfy a matcher; None if its regex is not supported."""
    if matcher.op in {Op.EQUAL, Op.NOT_EQUAL}:
        found: lang.Language = lang.LiteralText(matcher.value)
    else:
        try:
            found = regex_language(matcher.value)
        except BeyondError:
            return None
    return found if matcher.op in {Op.EQUAL, Op.REGEX} else lang.complement(found)


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
    whole = lang.intersection(known) if len(known) == len(languages) else None
    return Constraint(matchers, values, whole)


@lru_cache(maxsize=65536)
def _single(matcher: Matcher) -> Constraint:
    language = read(matcher)
    return Constraint((matcher,), lang.words(language, WORDS) if language is not None else None, language)


@lru_cache(maxsize=65536)
def _inside(smaller: lang.Language, larger: lang.Language) -> bool:
    try:
        return lang.is_subset(smaller, larger)
    except lang.TooHardError:
        return False
