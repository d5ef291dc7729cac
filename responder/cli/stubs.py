"""Rules to complete for alerts that only the catch-all matches: stubs of ``init`` and of ``rules coverage``."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence

_META = frozenset(r"\.+*?()|[]{}^$")


def stub(name: str, alertnames: Iterable[str], severity: str, first_step: str, *more: str) -> Iterator[str]:
    """Yield the lines of a rule for these alerts. ``severity`` is YAML, ``more`` are further lines of the rule."""
    names = sorted(set(alertnames))
    match = f"alertname={quoted(names[0])}"
    if len(names) > 1:
        match = f"alertname=~{quoted('|'.join(map(_escaped, names)))}"
    yield f"  - id: {name}"
    yield f"    match: {quoted(match)}"
    yield f"    severity: {severity}"
    yield from (f"    {line}" for line in more)
    yield f"    first_step: {quoted(first_step)}"


def unique_id(words: str, taken: set[str]) -> str:
    """Return an id of a rule that is not ``taken``, and take it: the words in lower case with dashes."""
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+", "-", words).strip("-").lower()
    stem = (plain or "alerts")[:50].rstrip("-")
    found = next(each for each in (stem, *(f"{stem}-{number}" for number in range(2, 10_000))) if each not in taken)
    taken.add(found)
    return found


def quoted(text: str) -> str:
    """Return a scalar in double quotes, which JSON and YAML write in the same way."""
    return json.dumps(text, ensure_ascii=False)


def listed(texts: Sequence[str]) -> str:
    """Return a list in YAML on one line."""
    return f"[{', '.join(map(quoted, texts))}]"


def _escaped(name: str) -> str:
    return "".join(f"\\{sign}" if sign in _META else sign for sign in name)
