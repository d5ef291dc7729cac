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

from responder.model.problem import Level, Problem
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield teams that nothing names. A label may name each team, so that `from` uses all of them."""
    sources = [entry.value.team for entry in (*rule_files.platforms, *rule_files.rules_and_defaults())]
    if not all(source is None or isinstance(source, str) for source in sources):
        return
    used = {*sources, *(entry.value.owner for entry in rule_files.services)}
    for team in rule_files.teams:
        if team.name not in used:
            said = f"no rule, default or service names the team '{team.name}'"
            hint = "write team: or owner:, read it from a label with team: {from: ...}, or remove it"
            yield Problem(team.key(), "unused-team", said, hint, Level.WARNING)
