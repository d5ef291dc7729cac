"""Regular languages with union, intersection, complement and a test for emptiness.

The method is Brzozowski's (J. A. Brzozowski, "Derivatives of Regular Expressions", Journal of the ACM 11(4), 1964).
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

#: The last code point of Unicode.
LAST: Final = 0x10FFFF
#: Maximum number of states explored before TooHardError.
STATES: Final = 400
#: Maximum size of a state, in nodes, before TooHardError.
SIZE: Final = 4_000


class TooHardError(Exception):
    """Limit of states or size reached."""


@dataclass(frozen=True, slots=True)
class CharClass:
    """One character of these sorted, disjoint ranges; the empty language without ranges."""

    ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class LiteralText:
    """Single string."""

    text: str


@dataclass(frozen=True, slots=True)
class Concat:
    """Concatenation."""

    parts: "tuple[Language, ...]"


@dataclass(frozen=True, slots=True)
class Union:
    """Union."""

    parts: "frozenset[Language]"


@dataclass(frozen=True, slots=True)
class Intersection:
    """Intersection."""

    parts: "frozenset[Language]"


@dataclass(frozen=True, slots=True)
class Star:
    """Zero or more repetitions."""

    part: "Language"


@dataclass(frozen=True, slots=True)
class Complement:
    """Complement."""

    part: "Language"


Language = CharClass | LiteralText | Concat | Union | Intersection | Star | Complement

NOTHING: Final = CharClass(())
EMPTY: Final = LiteralText("")
EVERYTHING: Final = Complement(NOTHING)


def concatenation(parts: Iterable[Language]) -> Language:
    """Return the normalized concatenation."""
    flat: list[Language] = []
    for part in parts:
        if part == NOTHING:
            return NOTHING
        for each in part.parts if isinstance(part, Concat) else (part,):
            if isinstance(each, LiteralText) and flat and isinstance(flat[-1], LiteralText):
                flat[-1] = LiteralText(flat[-1].text + each.text)
            elif each != EMPTY:
                flat.append(each)
    return flat[0] if len(flat) == 1 else Concat(tuple(flat)) if flat else EMPTY


def union(parts: Iterable[Language]) -> Language:
    """Return the normalized union."""
    found: set[Language] = set()
    for part in parts:
        found |= part.parts if isinstance(part, Union) else {part}
    found.discard(NOTHING)
    if EVERYTHING in found:
        return EVERYTHING
    return found.pop() if len(found) == 1 else Union(frozenset(found)) if found else NOTHING


def intersection(parts: Iterable[Language]) -> Language:
    """Return the normalized intersection."""
    found: set[Language] = set()
    for part in parts:
        found |= part.parts if isinstance(part, Intersection) else {part}
    found.discard(EVERYTHING)
    if NOTHING in found:
        return NOTHING
    return found.pop() if len(found) == 1 else Intersection(frozenset(found)) if found else EVERYTHING


def complement(part: Language) -> Language:
    """Return the complement."""
    return part.part if isinstance(part, Complement) else Complement(part)


def repeat(part: Language) -> Language:
    """Return zero or more repetitions."""
    return part if isinstance(part, Star) else EMPTY if part in {NOTHING, EMPTY} else Star(part)


def words(language: Language, most: int) -> frozenset[str] | None:
    """Return all strings of the language; None if they are not known to be at most ``most``."""
    match language:
        case LiteralText(text):
            return frozenset({text})
        case CharClass(ranges):
            if sum(high - low + 1 for low, high in ranges) > most:
                return None
            return frozenset(chr(code) for low, high in ranges for code in range(low, high + 1))
        case Union(parts):
            found: frozenset[str] = frozenset()
            for part in parts:
                if (some := words(part, most)) is None or len(found := found | some) > most:
                    return None
            return found
        case Concat(parts):
            found = frozenset({""})
            for part in parts:
                some = words(part, most)
                if some is None or len(found) * len(some) > most:
                    return None
                found = frozenset(head + tail for head in found for tail in some)
            return found
    return None


def sample(language: Language) -> str | None:
    """Return a short string of the language; None if it is empty. Raises TooHardError."""
    if (easy := _short(language)) is not None:
        return easy
    seen = {language}
    queue = deque([(language, "")])
    while queue:
        state, text = queue.popleft()
        if _nullable(state):
            return text
        for sign in _signs(state):
            after = derive(state, sign)
            if after != NOTHING and after not in seen:
                if len(seen) >= STATES or _size(after) > SIZE:
                    raise TooHardError
                seen.add(after)
                queue.append((after, text + chr(sign)))
    return None


def _short(language: Language) -> str | None:
    """Return a string of a language without complements and intersections; None for others."""
    match language:
        case LiteralText(text):
            return text
        case CharClass(ranges):
            return min((chr(low) for low, _ in ranges), default=None)
        case Concat(parts):
            pieces = [_short(part) for part in parts]
            return None if None in pieces else "".join(filter(None, pieces))
        case Union(choices):
            known = [some for part in choices if (some := _short(part)) is not None]
            return min(known, key=lambda some: (len(some), some), default=None)
        case Star():
            return ""
    return None


def is_subset(smaller: Language, larger: Language) -> bool:
    """Return True if ``larger`` contains every string of ``smaller``. Raises TooHardError."""
    return sample(intersection((smaller, complement(larger)))) is None


def contains(language: Language, text: str) -> bool:
    """Return True if the language contains the text."""
    for sign in text:
        language = derive(language, ord(sign))
    return _nullable(language)


def derive(language: Language, sign: int) -> Language:
    """Return the Brzozowski derivative by a character."""
    match language:
        case LiteralText(text):
            return LiteralText(text[1:]) if text and ord(text[0]) == sign else NOTHING
        case CharClass(ranges):
            return EMPTY if any(low <= sign <= high for low, high in ranges) else NOTHING
        case Concat(parts):
            return union(_after(parts, sign))
        case Union(choices):
            return union(derive(part, sign) for part in choices)
        case Intersection(choices):
            return intersection(derive(part, sign) for part in choices)
        case Star(part):
            return concatenation((derive(part, sign), language))
        case Complement(part):
            return complement(derive(part, sign))


def _after(parts: tuple[Language, ...], sign: int) -> Iterator[Language]:
    for number, part in enumerate(parts):
        yield concatenation((derive(part, sign), *parts[number + 1 :]))
        if not _nullable(part):
            return


def _nullable(language: Language) -> bool:
    match language:
        case LiteralText(text):
            return not text
        case CharClass():
            return False
        case Concat(parts):
            return all(_nullable(part) for part in parts)
        case Union(choices):
            return any(_nullable(part) for part in choices)
        case Intersection(choices):
            return all(_nullable(part) for part in choices)
        case Star():
            return True
        case Complement(part):
            return not _nullable(part)


def _signs(language: Language) -> list[int]:
    """Return one first character of each class with equal derivatives, alphanumeric ones first."""
    starts = {0} | set(_edges(language))
    return sorted((code for code in starts if code <= LAST), key=lambda code: (not chr(code).isalnum(), code))


def _edges(language: Language) -> Iterator[int]:
    """Yield the code points at which the derivative may change."""
    match language:
        case LiteralText(text):
            if text:
                yield ord(text[0])
                yield ord(text[0]) + 1
        case CharClass(ranges):
            for low, high in ranges:
                yield low
                yield high + 1
        case Concat(parts):
            for part in parts:
                yield from _edges(part)
                if not _nullable(part):
                    return
        case Union(choices) | Intersection(choices):
            for part in choices:
                yield from _edges(part)
        case Star(part) | Complement(part):
            yield from _edges(part)


def _size(language: Language) -> int:
    match language:
        case Concat(parts):
            return 1 + sum(map(_size, parts))
        case Union(choices) | Intersection(choices):
            return 1 + sum(map(_size, choices))
        case Star(part) | Complement(part):
            return 1 + _size(part)
    return 1
