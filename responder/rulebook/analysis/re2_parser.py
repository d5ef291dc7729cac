"""Parser of a subset of RE2's syntax into regular languages. Other syntax is refused."""

import re
from typing import Final

from responder.rulebook.analysis.regular_language import (
    EMPTY,
    LAST,
    CharClass,
    Language,
    LiteralText,
    concatenation,
    repeat,
    union,
)

#: Maximum length of a pattern, in characters; maximum count of a repetition; maximum nesting of groups.
LONGEST: Final = 2_000
#: Repetitions of a part of a pattern, at most.
MOST_REPEATS: Final = 50
#: Groups inside each other, at most.
DEEPEST: Final = 20

_COUNTS = re.compile(r"\{(\d+)(,(\d*))?\}", re.ASCII)
_CLASSES: Final = {
    "d": ((48, 57),),
    "w": ((48, 57), (65, 90), (95, 95), (97, 122)),
    "s": ((9, 10), (12, 13), (32, 32)),
}
_SIGNS: Final = {"a": 7, "f": 12, "t": 9, "n": 10, "r": 13, "v": 11}
_NO_NEWLINE: Final = CharClass(((0, 9), (11, LAST)))
#: Letters beyond ASCII that equal an ASCII letter under ``(?i)``: the long s and the Kelvin sign.
_FOLDED: Final = {"s": "\u017f", "k": "\u212a"}


class BeyondError(Exception):
    """Pattern outside the supported subset."""


def language(pattern: str) -> Language:
    """Return the strings that RE2 matches with the pattern, anchored at both ends. Raises BeyondError.

    ``pattern`` must be valid RE2. The syntax is that of github.com/google/re2/wiki/Syntax without Unicode
    classes, word boundaries and inner anchors; the only flag is ``(?i)`` at the start, without character classes.
    """
    if len(pattern) > LONGEST:
        raise BeyondError
    folds = pattern.startswith("(?i)")
    reader = _Reader(pattern.removeprefix("(?i)"), folds)
    found = reader.alternatives(0)
    if reader.at != len(reader.text):
        raise BeyondError
    return found


class _Reader:
    def __init__(self, text: str, folds: bool) -> None:
        self.text = text
        self.folds = folds
        self.at = 0

    def alternatives(self, depth: int) -> Language:
        if depth > DEEPEST:
            raise BeyondError
        found = [self._sequence(depth)]
        while self._take("|"):
            found.append(self._sequence(depth))
        return union(found)

    def _sequence(self, depth: int) -> Language:
        if depth == 0:
            self._take("^")  # redundant: the pattern is anchored
        parts: list[Language] = []
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            if depth == 0 and self.text[self.at] == "$" and self.text[self.at + 1 : self.at + 2] in {"", "|"}:
                self.at += 1
                break
            parts.append(self._repeated(self._one(depth)))
        return concatenation(parts)

    def _one(self, depth: int) -> Language:
        sign = self.text[self.at]
        self.at += 1
        if sign == "(":
            return self._group(depth)
        if sign == "[":
            if self.folds:
                raise BeyondError
            return CharClass(self._class())
        if sign == ".":
            return _NO_NEWLINE
        if sign == "\\":
            found = self._escape()
            return LiteralText(chr(found)) if isinstance(found, int) else CharClass(found)
        if sign in "^$*+?":
            raise BeyondError
        return self._letter(sign) if self.folds else LiteralText(sign)

    def _letter(self, sign: str) -> Language:
        """Return the characters that equal ``sign`` if case is ignored."""
        if not sign.isascii():
            raise BeyondError
        same = {sign.lower(), sign.upper(), _FOLDED.get(sign.lower(), sign)}
        return CharClass(_merged([(ord(each), ord(each)) for each in same]))

    def _group(self, depth: int) -> Language:
        if self._take("?"):
            if named := re.compile(r"P?<\w+>").match(self.text, self.at):
                self.at = named.end()
            elif not self._take(":"):
                raise BeyondError
        found = self.alternatives(depth + 1)
        if not self._take(")"):
            raise BeyondError
        return found

    def _repeated(self, part: Language) -> Language:
        if self._take("*"):
            part = repeat(part)
        elif self._take("+"):
            part = concatenation((part, repeat(part)))
        elif self._take("?"):
            part = union((EMPTY, part))
        elif counts := _COUNTS.match(self.text, self.at):
            self.at = counts.end()
            part = _times(part, counts)
        else:
            return part
        self._take("?")  # laziness does not change the language
        if self.text[self.at : self.at + 1] in {"*", "+", "?"}:
            raise BeyondError
        return part

    def _escape(self) -> int | tuple[tuple[int, int], ...]:
        sign = self.text[self.at : self.at + 1]
        self.at += 1
        if sign.lower() in _CLASSES:
            found = _CLASSES[sign.lower()]
            return _complement(found) if sign.isupper() else found
        if sign in _SIGNS:
            return _SIGNS[sign]
        if sign and sign.isascii() and not sign.isalnum():
            return ord(sign)
        raise BeyondError

    def _class(self) -> tuple[tuple[int, int], ...]:
        negated = self._take("^")
        ranges: list[tuple[int, int]] = []
        first = True
        while first or not self._take("]"):
            first = False
            low = self._member()
            if isinstance(low, tuple):
                ranges.extend(low)
                continue
            high = low
            if self.text[self.at : self.at + 1] == "-" and self.text[self.at + 1 : self.at + 2] not in {"", "]"}:
                self.at += 1
                end = self._member()
                if isinstance(end, tuple):
                    raise BeyondError
                high = end
            ranges.append((low, high))
        merged = _merged(ranges)
        return _complement(merged) if negated else merged

    def _member(self) -> int | tuple[tuple[int, int], ...]:
        sign = self.text[self.at : self.at + 1]
        if not sign or self.text.startswith("[:", self.at):
            raise BeyondError
        self.at += 1
        return self._escape() if sign == "\\" else ord(sign)

    def _take(self, sign: str) -> bool:
        found = self.text.startswith(sign, self.at)
        self.at += len(sign) * found
        return found


def _times(part: Language, counts: re.Match[str]) -> Language:
    least, most = int(counts[1]), int(counts[3]) if counts[3] else int(counts[1])
    if max(least, most) > MOST_REPEATS:
        raise BeyondError
    head = [part] * least
    if counts[2] and not counts[3]:
        return concatenation([*head, repeat(part)])
    return concatenation([*head, *([union((EMPTY, part))] * (most - least))])


def _merged(ranges: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    found: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return tuple(found)


def _complement(ranges: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    found: list[tuple[int, int]] = []
    start = 0
    for low, high in ranges:
        if start < low:
            found.append((start, low - 1))
        start = high + 1
    if start <= LAST:
        found.append((start, LAST))
    return tuple(found)
