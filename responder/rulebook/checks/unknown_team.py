"""A rule, `defaults` or a map names an unknown team.

Bad:

    teams:
      payments: {channels: [slack]}
    defaults:
      team: {from: team, map: {pay: payment}, otherwise: payments}

Good:

    teams:
      payments: {channels: [slack]}
    defaults:
      team: {from: team, map: {pay: payments}, otherwise: payments}
"""

from collections.abc import Iterator
from typing import Any

from responder.model.problem import Problem
from responder.model.suggestions import Suggestions
from responder.rulebook.rule_files import Entry, RuleFiles, RuleReferences


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield names of teams that no file declares."""
    suggest = Suggestions()
    known = rule_files.names("teams")
    entries: list[Entry[Any]] = [*rule_files.platforms, *rule_files.defaults, *rule_files.rules, *rule_files.heartbeats]
    for entry in entries:
        team = entry.value.team
        if team is None:
            continue
        named = (
            [(("team",), team)]
            if isinstance(team, str)
            else [
                *((("team", "map", key), name) for key, name in team.map.items()),
                *([(("team", "otherwise"), team.otherwise)] if team.otherwise else []),
            ]
        )
        for path, name in named:
            if name not in known:
                yield Problem(entry.at(*path), "unknown-team", f"unknown team '{name}'", suggest(name, known))
