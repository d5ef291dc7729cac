"""Rules, teams and defaults name channels that exist.

A rule without channels of its own has those of a team, of its file's `defaults` or of the `platform`; it needs one of
them for each alert.

Bad:

    rules:
      - {id: down, match: 'alertname="ServiceDown"', severity: P3, first_step: Look., channels: [slak]}

Good:

    rules:
      - {id: down, match: 'alertname="ServiceDown"', severity: P3, first_step: Look., channels: [slack]}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from responder.model.problem import Problem
from responder.rulebook.defaults import destinations_of
from responder.rulebook.rule_files import Entry, RuleFiles, RuleReferences
from responder.rulebook.suggestions import Suggestions


def check(rule_files: RuleFiles, around: RuleReferences) -> Iterator[Problem]:
    """A channel that neither the settings nor the files have, and a rule that would notify nobody."""
    suggest = Suggestions()
    known = rule_files.channel_names(around)
    entries: list[Entry[Any]] = [*rule_files.platforms, *rule_files.defaults, *rule_files.teams]
    for entry in entries:
        yield from _missing(entry, "channels", known, suggest)
    for team in rule_files.teams:
        yield from _missing(team, "fallback", known | set(around.fallback_channels), suggest)
    for rule in rule_files.paging_rules:
        yield from _missing(rule, "channels", known, suggest)
        if rule.value.action == "notify" and not destinations_of(rule, rule_files).certain:
            position = rule.at("channels") if rule.value.channels is not None else rule.at("id")
            said = f"'{rule.name}' may notify nobody: it has neither channels nor a certain team, and no default either"
            yield Problem(position, "unknown-channel", said, f"write channels: [{', '.join(sorted(known))}]")


def _missing(entry: Entry[Any], key: str, known: set[str], suggest: Suggestions) -> Iterator[Problem]:
    for number, name in enumerate(getattr(entry.value, key) or []):
        if name not in known:
            said = f"there is no channel '{name}'"
            yield Problem(entry.at(key, number), "unknown-channel", said, suggest(name, known))
