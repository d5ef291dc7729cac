"""Suggestions for misspelled names."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

#: Maximum number of names listed.
MOST = 8
#: Suggestions per check: each compares a name with others, and a file may have 100,000 problems.
_MOST_SUGGESTIONS: Final = 100
#: Names that one suggestion compares, at up to 80 µs each.
_MOST_COMPARED: Final = 300


def nearest(wrong: str, names: Iterable[str]) -> str:
    """Return ``did you mean 'x'?``, or the list of names if none is similar, or "" if there are none."""
    known = sorted(names)
    near = known if len(known) <= _MOST_COMPARED else [name for name in known if name[:1] == wrong[:1]][:_MOST_COMPARED]
    if found := get_close_matches(wrong[:100], near, n=1, cutoff=0.6):
        return f"did you mean '{found[0]}'?"
    if not known:
        return ""
    more = f" and {len(known) - MOST} more" if len(known) > MOST else ""
    return f"known: {', '.join(known[:MOST])}{more}"


class Suggestions:
    """``nearest`` for the first problems of a check only, so that the time is linear in their number."""

    def __init__(self) -> None:
        self._left = _MOST_SUGGESTIONS

    def __call__(self, wrong: str, names: Iterable[str]) -> str:
        """Return the hint for a problem; "" after the first ones."""
        self._left -= 1
        return nearest(wrong, names) if self._left >= 0 else ""
