"""Alternatives of a regex, found without parsing the rest of it."""

import re
from collections.abc import Iterator
from typing import Final

#: Tokens that may hold a ``|`` or a parenthesis without meaning one, and those that count.
_TOKENS: Final = re.compile(
    r"\\Q.*?(?:\\E|\Z)|\\.|\[\^?\]?(?:\[:\w+:\]|\\.|[^\]\\])*\]|\(\?[a-zA-Z-]+\)|\((?:\?(?:P?<\w+>|[a-zA-Z-]*:))?|[|)]",
    re.DOTALL,
)
_FLAGS: Final = re.compile(r"\A\(\?[a-zA-Z-]+\)")


def without_one(pattern: str) -> Iterator[tuple[str, str]]:
    """Yield each alternative of a valid RE2 pattern, in groups too, with the pattern that lacks it.

    Flags at the start of the pattern are no part of its first alternative.
    """
    flags = _FLAGS.match(pattern)
    open_groups: list[list[int]] = [[flags.end() if flags else 0]]
    found: list[tuple[int, list[int]]] = []
    for token in _TOKENS.finditer(pattern, open_groups[0][0]):
        if token[0] == "|":
            open_groups[-1].append(token.end())
        elif token[0] == ")" and len(open_groups) > 1:
            found.append((token.start(), open_groups.pop()))
        elif token[0].startswith("(") and not token[0].endswith(")"):
            open_groups.append([token.end()])
    found.append((len(pattern), open_groups.pop()))
    for end, starts in sorted(found, key=lambda each: each[1]):
        for start, after in zip(starts, [*starts[1:], end + 1], strict=True) if len(starts) > 1 else ():
            first = start if after <= end else start - 1  # the last takes the | before it
            yield pattern[start : after - 1], pattern[:first] + pattern[min(after, end) :]
