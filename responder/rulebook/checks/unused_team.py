"""No rule, default or service names the team, and no rule reads teams from labels.

Bad:

    teams:
      payments: {channels: [slack]}
    defaults: {channels: [slack]}

Good:

    teams:
      payments: {channels: [slack]}
    defaults: {team: payments}
"""

from collections.abc import Iterator
from typing import Any

from responder.model.problem import Problem
from responder.rulebook.references import unused
from responder.rulebook.rule_files import Entry, RuleFiles, RuleReferences


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield teams that nothing names. A label may name each team, so that `from` uses all of them."""
    parts: list[Entry[Any]] = [*rule_files.platforms, *rule_files.defaults, *rule_files.paging_rules]
    sources = [entry.value.team for entry in parts]
    if not all(source is None or isinstance(source, str) for source in sources):
        return iter(())
    used = {*sources, *(entry.value.owner for entry in rule_files.services)}
    hint = "write team: or owner:, read it from a label with team: {from: ...}, or remove it"
    return unused(rule_files.teams, used, "unused-team", "no rule, default or service names the team", hint)
