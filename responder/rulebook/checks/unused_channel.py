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

from responder.model.problem import Problem
from responder.rulebook.references import CHANNELS, FALLBACK_CHANNELS, STATUS_PAGES, names, unused
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield channels that nothing names."""
    used = names(rule_files, CHANNELS, FALLBACK_CHANNELS, STATUS_PAGES)
    hint = "add it to a team or a rule, or remove it"
    return unused(rule_files.channels, used, "unused-channel", "nothing notifies the channel", hint)
