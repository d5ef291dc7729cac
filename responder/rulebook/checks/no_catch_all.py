"""The last rule does not match everything, so an alert could be dropped.

The last rule must have no matchers and must not be in shadow, so that an alert without a rule of its own is sent.

Bad:

    rules:
      - {id: down, match: 'alertname="ServiceDown"', severity: P3, first_step: Look., channels: [slack]}

Good:

    rules:
      - {id: down, match: 'alertname="ServiceDown"', severity: P3, first_step: Look., channels: [slack]}
      - {id: unknown, match: [], severity: P3, first_step: Read it., channels: [slack]}
"""

from collections.abc import Iterator

from responder.model.problem import Position, Problem
from responder.rulebook.rule_files import RuleFiles, RuleReferences

_HINT = "end the last file with a rule that has match: []"
_TAKEN_BACK = "remove enabled: shadow from it, or end the last file with another rule that has match: []"


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield a missing last rule without matchers."""
    last = rule_files.rules[-1] if rule_files.rules else None
    everything = [entry for entry in rule_files.rules if entry.value.matches_everything]
    if any(entry.value.enabled for entry in everything) or rule_files.lacks("rules"):
        return
    if rule_files.invalid.get("rules") and last is None:
        return
    if everything:
        said = f"'{everything[-1].name}' is in shadow: alerts that no other rule matches would be dropped"
        yield Problem(everything[-1].at("enabled"), "no-catch-all", said, _TAKEN_BACK)
        return
    position = last.at("match") if last else Position(rule_files.documents[-1].name, 1, 1)
    yield Problem(position, "no-catch-all", "alerts that no rule matches would be dropped", _HINT)
