"""The rule follows a rule without matchers, which matches everything, so it is never evaluated.

Rules are evaluated in order, files in the order of their names. The rule without matchers must be the last.

Bad:

    rules:
      - {id: everything, match: [], severity: P3, first_step: Look., channels: [slack]}
      - {id: down, match: 'alertname="ServiceDown"', severity: P3, first_step: Look., channels: [slack]}

Good:

    rules:
      - {id: down, match: 'alertname="ServiceDown"', severity: P3, first_step: Look., channels: [slack]}
      - {id: everything, match: [], severity: P3, first_step: Look., channels: [slack]}
"""

from collections.abc import Iterator

from responder.model.problem import Problem
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield the rules after the first live rule without matchers."""
    rules = enumerate(rule_files.rules)
    first = next((number for number, entry in rules if entry.value.matches_everything and entry.value.enabled), None)
    if first is None:
        return
    catch_all = rule_files.rules[first]
    for entry in rule_files.rules[first + 1 :]:
        said = f"'{entry.name}' is never evaluated: '{catch_all.name}' above it matches everything"
        hint = f"move it above {catch_all.at('match')}; files are read in the order of their names"
        yield Problem(entry.at("id"), "after-catch-all", said, hint)
