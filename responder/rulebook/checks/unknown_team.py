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

from responder.model.problem import Problem
from responder.rulebook.references import unknown
from responder.rulebook.rule_files import RuleFiles, RuleReferences

_PLACES = {part: ["team", "team.map.*", "team.otherwise"] for part in ("platforms", "defaults", "rules", "heartbeats")}


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield names of teams that no file declares."""
    return unknown(rule_files, "unknown-team", "unknown team", _PLACES, rule_files.known("teams"))
