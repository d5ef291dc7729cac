"""Rules name severities that exist.

Severities are defined once under `severities`, worst first.

Bad:

    rules:
      - {id: down, match: 'alertname="A"', severity: P9, first_step: Look., channels: [slack]}

Good:

    rules:
      - {id: down, match: 'alertname="A"', severity: P3, first_step: Look., channels: [slack]}
"""

from __future__ import annotations

from collections.abc import Iterator

from responder.model.problem import Problem
from responder.rulebook.draft import Draft, Entry, Surroundings
from responder.rulebook.hints import nearest
from responder.rulebook.schema import RuleShape


def check(draft: Draft, _around: Surroundings) -> Iterator[Problem]:
    """A fixed severity, or one of a map, that no file defines."""
    names = draft.names("severities")
    if "severities" in draft.spoiled.get("parts", set()):
        return
    for entry in draft.told:
        for path, name in _uses(entry):
            if name not in names:
                said = f"there is no severity '{name}'"
                yield Problem(entry.at(*path), "unknown-severity", said, nearest(name, names))


def _uses(entry: Entry[RuleShape]) -> Iterator[tuple[tuple[str, ...], str]]:
    severity = entry.value.severity
    if isinstance(severity, str):
        yield ("severity",), severity
        return
    for value, name in severity.map.items():
        yield ("severity", "map", value), name
    yield ("severity", "otherwise"), severity.otherwise
