"""Alertmanager's matchers: their syntax and their evaluation."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

import re2

from responder.model.alert import Labels
from responder.model.rule import Matcher, MatcherError, Op
from responder.triage import matchers_classic, matchers_utf8

__all__ = ["MatcherError", "literals", "matches", "parse", "predicate"]

_LITERALS = re.compile(r"[A-Za-z0-9_ :/@,-]*(?:\|[A-Za-z0-9_ :/@,-]*)*", re.ASCII)

_ESCAPES = re.compile(r"\\Q.*?(?:\\E|\Z)|\\(.)", re.DOTALL)


class _Regex(Protocol):
    def search(self, text: bytes) -> object | None:
        """Return a match anywhere in the text, or None."""


def parse(text: str) -> tuple[Matcher, ...]:
    """Parse ``name="value", other=~"regex"``, with or without braces.

    Alertmanager has two parsers: if both accept the text the classic one decides, and if one rejects it the other does
    (``matcher/compat``, the default since 0.27). The classic parser is therefore tried first. Raises MatcherError with
    the offset of the first character that cannot be read.
    """
    try:
        return _compiled(matchers_classic.parse(text), text)
    except MatcherError as error:
        try:
            return _compiled(matchers_utf8.parse(text), text)
        except MatcherError as strict:
            raise (error if strict.offset < error.offset else strict) from None


def matches(matcher: Matcher, labels: Labels) -> bool:
    """Return True if the labels satisfy the matcher. A missing label has the empty string as its value."""
    return predicate(matcher)(labels.get(matcher.name, ""))


def predicate(matcher: Matcher) -> Callable[[str], bool]:
    """Return the test of a matcher on its label's value. Raises MatcherError for a regex that RE2 rejects."""
    wanted = matcher.value
    if matcher.op is Op.EQUAL:
        return wanted.__eq__
    if matcher.op is Op.NOT_EQUAL:
        return wanted.__ne__
    search = _compile(wanted).search
    if matcher.op is Op.REGEX:
        return lambda value: search(_bytes(value)) is not None
    return lambda value: search(_bytes(value)) is None


def literals(matcher: Matcher) -> frozenset[str] | None:
    """Return the only values that a matcher accepts, for an equality or a regex of plain alternatives; else None."""
    if matcher.op is Op.EQUAL:
        return frozenset({matcher.value})
    if matcher.op is Op.REGEX and _LITERALS.fullmatch(matcher.value):
        return frozenset(matcher.value.split("|"))
    return None


def _compiled(matchers: tuple[Matcher, ...], text: str) -> tuple[Matcher, ...]:
    for matcher in matchers:
        try:
            predicate(matcher)
        except MatcherError as error:
            # A value with escapes is not in the text literally: point at the operator instead.
            at = text.find(matcher.value)
            raise MatcherError(error.message, at if at >= 0 else text.find(matcher.op.value)) from error
    return matchers


@lru_cache(maxsize=4096)
def _compile(pattern: str) -> _Regex:
    """Compile the regex anchored at both ends, as Alertmanager does (``pkg/labels/matcher.go``)."""
    if _any_byte(pattern):
        raise MatcherError("\\C is not part of Go's regular expressions", pattern.index("\\C"))
    options = re2.Options()
    options.log_errors = False
    try:
        compiled: _Regex = re2.compile(b"^(?:" + pattern.encode() + b")$", options)
    except UnicodeEncodeError as error:
        raise MatcherError("the regex is not valid text", 0) from error
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        said = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise MatcherError(f"invalid regex: {said.replace(f'^(?:{pattern})$', pattern)}", 0) from error
    return compiled


def _any_byte(pattern: str) -> bool:
    r"""Return True if the pattern contains ``\C``, the only syntax that RE2 in C++ accepts and Go does not."""
    return any(found[1] == "C" for found in _ESCAPES.finditer(pattern))


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")
