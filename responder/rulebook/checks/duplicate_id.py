"""A rule's id, and each name of a severity, service, channel, team, probe and so on, is given once in all files.

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

from responder.model.problem import Position, Problem
from responder.rulebook.rule_files import Entry, RuleFiles, RuleReferences


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """A name that an earlier file, or an earlier element of a list, has taken."""
    for entry in rule_files.platforms[1:]:
        yield _problem(entry.key(), "platform", rule_files.platforms[0].key())
    yield from _taken(rule_files.rules, lambda entry: entry.at("id"))
    yield from _taken(rule_files.heartbeats, lambda entry: entry.at("cluster"))
    for section in ("channels", "teams", "severities", "services", "windows", "contacts"):
        yield from _taken(getattr(rule_files, section), lambda entry: entry.key())
    yield from _taken([*rule_files.probes, *rule_files.packs], lambda entry: entry.key())


def _taken(entries: Iterable[Entry[Any]], position: Callable[[Entry[Any]], Position]) -> Iterator[Problem]:
    first: dict[str, Entry[Any]] = {}
    for entry in entries:
        if (earlier := first.setdefault(entry.name, entry)) is not entry:
            yield _problem(position(entry), entry.name, position(earlier))


def _problem(position: Position, name: str, earlier: Position) -> Problem:
    return Problem(position, "duplicate-id", f"'{name}' is given twice", f"the first is at {earlier}: rename one")
