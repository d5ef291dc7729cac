"""No rule, team, severity or default notifies a channel of the file: it is superfluous, or missing in a team.

Bad:

    channels:
      payments-slack: {kind: slack, channel: "#payments"}
    teams:
      payments: {channels: [slack]}
    defaults: {team: payments}

Good:

    channels:
      payments-slack: {kind: slack, channel: "#payments"}
    teams:
      payments: {channels: [payments-slack]}
    defaults: {team: payments}
"""

from collections.abc import Iterator

from responder.model.problem import Level, Problem
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield channels that nothing names."""
    used = {name for team in rule_files.teams for name in (*team.value.channels, *team.value.fallback)}
    for entry in (*rule_files.platforms, *rule_files.rules_and_defaults()):
        used.update(entry.value.channels or ())
    for severity in rule_files.severities:
        named = severity.value.reminders.escalate
        used.update(named if isinstance(named, list) else ())
        used.update(severity.value.status_pages)
    for channel in rule_files.channels:
        if channel.name not in used:
            said = f"nothing notifies the channel '{channel.name}'"
            yield Problem(
                channel.key(), "unused-channel", said, "add it to a team or a rule, or remove it", Level.WARNING
            )
