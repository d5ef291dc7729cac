"""A rule's id, and each name of a severity, service, probe, window, contact or heartbeat, is given once in all files.

Reports, metrics and the history of incidents name rules by their id. A pack and a probe do not share a name either:
they stand in the same places.

Bad:

    rules:
      - {id: down, match: 'alertname="ServiceDown"', severity: P3, first_step: Look., channels: [slack]}
      - {id: down, match: 'alertname="TargetDown"', severity: P3, first_step: Look., channels: [slack]}

Good:

    rules:
      - {id: down, match: 'alertname="ServiceDown"', severity: P3, first_step: Look., channels: [slack]}
      - {id: target-down, match: 'alertname="TargetDown"', severity: P3, first_step: Look., channels: [slack]}
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from responder.model.problem import Place, Problem
from responder.rulebook.rule_files import Entry, RuleFiles, RuleReferences


def check(draft: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """A name that an earlier file, or an earlier element of a list, has taken."""
    for entry in draft.platforms[1:]:
        yield _problem(entry.key(), "platform", draft.platforms[0].key())
    yield from _taken(draft.rules, lambda entry: entry.at("id"))
    yield from _taken(draft.heartbeats, lambda entry: entry.at("cluster"))
    for section in ("severities", "services", "windows", "contacts"):
        yield from _taken(getattr(draft, section), lambda entry: entry.key())
    yield from _taken([*draft.probes, *draft.packs], lambda entry: entry.key())


def _taken(entries: Iterable[Entry[Any]], place: Callable[[Entry[Any]], Place]) -> Iterator[Problem]:
    first: dict[str, Entry[Any]] = {}
    for entry in entries:
        if (earlier := first.setdefault(entry.name, entry)) is not entry:
            yield _problem(place(entry), entry.name, place(earlier))


def _problem(place: Place, name: str, earlier: Place) -> Problem:
    return Problem(place, "duplicate-id", f"'{name}' is given twice", f"the first is at {earlier}: rename one")
