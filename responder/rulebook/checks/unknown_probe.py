"""Rules and defaults name probes that exist.

Probes are defined once under `probes`, in any file.

Bad:

    rules:
      - {id: down, match: 'alertname="A"', severity: P3, first_step: Look., probes: [helth], channels: [slack]}

Good:

    rules:
      - {id: down, match: 'alertname="A"', severity: P3, first_step: Look., probes: [health], channels: [slack]}
"""

from __future__ import annotations

from collections.abc import Iterator

from responder.model.problem import Problem
from responder.rulebook.draft import Draft, Entry, Surroundings
from responder.rulebook.hints import nearest
from responder.rulebook.schema import Defaults, RuleShape


def check(draft: Draft, _around: Surroundings) -> Iterator[Problem]:
    """A probe's name that no file defines."""
    names = draft.names("probes")
    if "probes" in draft.spoiled.get("parts", set()):
        return
    for rule in draft.told:
        yield from _missing(rule, "probes", rule.value.probes or [], names)
    for defaults in draft.defaults:
        yield from _missing(defaults, "probes", defaults.value.probes, names)
        yield from _missing(defaults, "baseline", defaults.value.baseline, names)


def _missing(
    entry: Entry[RuleShape] | Entry[Defaults], key: str, wanted: list[str], names: set[str]
) -> Iterator[Problem]:
    for number, name in enumerate(wanted):
        if name not in names:
            said = f"there is no probe '{name}'"
            yield Problem(entry.at(key, number), "unknown-probe", said, nearest(name, names))
