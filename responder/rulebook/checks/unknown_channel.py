"""A rule, team, severity or `defaults` names an unknown channel, or a rule may have no channel.

A rule without `channels` uses those of its team, of its file's `defaults` or of `platform`. Every alert needs at least
one channel.

Bad:

    rules:
      - {id: down, match: 'alertname="ServiceDown"', severity: P3, first_step: Look., channels: [slak]}

Good:

    rules:
      - {id: down, match: 'alertname="ServiceDown"', severity: P3, first_step: Look., channels: [slack]}
"""

from collections.abc import Iterator
from typing import Any

from responder.model.problem import Problem
from responder.model.suggestions import Suggestions
from responder.rulebook.defaults import destinations_of
from responder.rulebook.rule_files import Entry, RuleFiles, RuleReferences


def check(rule_files: RuleFiles, around: RuleReferences) -> Iterator[Problem]:
    """Yield unknown channels, and rules that may have no channel."""
    suggest = Suggestions()
    known = rule_files.channel_names(around)
    entries: list[Entry[Any]] = [*rule_files.platforms, *rule_files.defaults, *rule_files.teams]
    for entry in entries:
        yield from _missing(entry, "channels", known, suggest)
    for team in rule_files.teams:
        yield from _missing(team, "fallback", known | set(around.fallback_channels), suggest)
    for severity in rule_files.severities:
        named = severity.value.reminders.escalate
        for number, name in enumerate(named if isinstance(named, list) else ()):
            if name not in known | set(around.fallback_channels):
                said = f"unknown channel '{name}'"
                where = severity.at("reminders", "escalate", number)
                yield Problem(where, "unknown-channel", said, suggest(name, known))
    pages = rule_files.status_page_names(around)
    for severity in rule_files.severities:
        yield from _missing(severity, "status_pages", pages, suggest)
    for service in rule_files.services:
        for name in service.value.components:
            if name not in pages:
                said = f"unknown status page '{name}'"
                yield Problem(service.key("components", name), "unknown-channel", said, suggest(name, pages))
    for rule in rule_files.paging_rules:
        yield from _missing(rule, "channels", known, suggest)
        if rule.value.action == "notify" and not destinations_of(rule, rule_files).is_complete:
            position = rule.at("channels") if rule.value.channels is not None else rule.at("id")
            said = f"'{rule.name}' may have no channel: no channels, no fixed team and no default"
            yield Problem(position, "unknown-channel", said, f"add channels: [{', '.join(sorted(known))}]")


def _missing(entry: Entry[Any], key: str, known: set[str], suggest: Suggestions) -> Iterator[Problem]:
    for number, name in enumerate(getattr(entry.value, key) or []):
        if name not in known:
            said = f"unknown channel '{name}'"
            yield Problem(entry.at(key, number), "unknown-channel", said, suggest(name, known))
