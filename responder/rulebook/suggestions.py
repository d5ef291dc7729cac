"""What to write instead: the nearest name, or the names there are."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

#: So many names are listed.
MOST = 8


def nearest(wrong: str, names: Iterable[str]) -> str:
    """``did you mean 'x'?``, or the list of names where nothing is near, or nothing where there are none."""
    known = sorted(names)
    if found := get_close_matches(wrong[:100], known, n=1, cutoff=0.6):
        return f"did you mean '{found[0]}'?"
    if not known:
        return ""
    more = f" and {len(known) - MOST} more" if len(known) > MOST else ""
    return f"there is {', '.join(known[:MOST])}{more}"
