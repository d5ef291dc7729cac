"""A rule sets a paging window for a severity that does not page, or that the rule never gives: it has no effect.

Only windows that the rule itself sets for a severity are checked.

Bad:

    windows:
      office: {zone: Europe/Berlin, days: [mon], hours: 09:00-17:00}
    rules:
      - {id: a, match: 'alertname="A"', severity: P1, first_step: Look., channels: [pagerduty], pages_in: {P3: office}}

Good:

    windows:
      office: {zone: Europe/Berlin, days: [mon], hours: 09:00-17:00}
    rules:
      - {id: a, match: 'alertname="A"', severity: P1, first_step: Look., channels: [pagerduty], pages_in: {P1: office}}
"""

from collections.abc import Iterator

from responder.model.problem import Level, Problem
from responder.rulebook.defaults import severities_of
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield windows of severities that do not page, or that their rule never gives."""
    paging = {entry.name for entry in rule_files.severities if entry.value.pages}
    for entry in rule_files.rules:
        wanted = entry.value.pages_in
        for severity in wanted if isinstance(wanted, dict) else ():
            if severity not in paging & severities_of(entry.value, rule_files):
                why = "does not page" if severity not in paging else f"is never given by '{entry.name}'"
                said = f"the window of {severity} has no effect: {severity} {why}"
                yield Problem(entry.key("pages_in", severity), "idle-window", said, "remove it", Level.WARNING)
