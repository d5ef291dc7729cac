"""The id of a rule, or the name of a severity, service, channel, team, probe or the like, is defined twice.

Ids and names are unique across all files: reports, metrics and the history of incidents refer to rules by id. A pack
and a probe must not share a name either, since rules list both in the same keys.

Bad:

    rules:
      - {id: down, match: 'alertname="ServiceDown"', severity: P3, first_step: Look., channels: [slack]}
      - {id: down, match: 'alertname="TargetDown"', severity: P3, first_step: Look., channels: [slack]}

Good:

    rules:
      - {id: down, match: 'alertname="ServiceDown"', severity: P3, first_step: Look., channels: [slack]}
      - {id: target-down, match: 'alertname="TargetDown"', severity: P3, first_step: Look., channels: [slack]}
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from responder.model.problem import Position, Problem
from responder.rulebook.rule_files import Entry, RuleFiles, RuleReferences


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield each name that is already defined above, or in an earlier file."""
    for entry in rule_files.platforms[1:]:
        yield _problem(entry.key(), "platform", rule_files.platforms[0].key())
    yield from _taken(rule_files.rules, lambda entry: entry.at("id"))
    yield from _taken(rule_files.heartbeats, lambda entry: entry.at("cluster"))
    for section in ("channels", "teams", "severities", "templates", "services", "windows", "contacts"):
        yield from _taken(getattr(rule_files, section), lambda entry: entry.key())
    yield from _taken([*rule_files.probes, *rule_files.packs], lambda entry: entry.key())


def _taken(entries: Iterable[Entry[Any]], position: Callable[[Entry[Any]], Position]) -> Iterator[Problem]:
    first: dict[str, Entry[Any]] = {}
    for entry in entries:
        if (earlier := first.setdefault(entry.name, entry)) is not entry:
            yield _problem(position(entry), entry.name, position(earlier))


def _problem(position: Position, name: str, earlier: Position) -> Problem:
    return Problem(position, "duplicate-id", f"'{name}' is defined twice", f"first defined at {earlier}: rename one")
