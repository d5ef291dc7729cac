"""Rules and defaults name channels that exist.

A rule without channels of its own has those of its file's `defaults`; without any it would tell nobody.

Bad:

    rules:
      - {id: down, match: 'alertname="ServiceDown"', severity: P3, first_step: Look., channels: [slak]}

Good:

    rules:
      - {id: down, match: 'alertname="ServiceDown"', severity: P3, first_step: Look., channels: [slack]}
"""

from __future__ import annotations

from collections.abc import Iterator

from responder.model.problem import Problem
from responder.rulebook.rule_files import Entry, RuleFiles, RuleReferences
from responder.rulebook.schema import Defaults, RuleShape
from responder.rulebook.suggestions import Suggestions


def check(rule_files: RuleFiles, around: RuleReferences) -> Iterator[Problem]:
    """A channel that is not in the registry, and a rule that would tell nobody."""
    suggest = Suggestions()
    known = set(around.channels)
    defaults = {entry.document.name: entry.value for entry in rule_files.defaults}
    for entry in rule_files.defaults:
        yield from _missing(entry, known, suggest)
    for rule in rule_files.paging_rules:
        yield from _missing(rule, known, suggest)
        given = defaults[rule.document.name].channels if rule.value.channels is None else rule.value.channels
        if rule.value.action == "notify" and not given:
            position = rule.at("channels") if rule.value.channels is not None else rule.at("id")
            said = f"'{rule.name}' tells nobody: it has no channels, and its file no default"
            yield Problem(position, "unknown-channel", said, f"write channels: [{', '.join(sorted(known))}]")


def _missing(entry: Entry[RuleShape] | Entry[Defaults], known: set[str], suggest: Suggestions) -> Iterator[Problem]:
    for number, name in enumerate(entry.value.channels or []):
        if name not in known:
            said = f"there is no channel '{name}'"
            yield Problem(entry.at("channels", number), "unknown-channel", said, suggest(name, known))
