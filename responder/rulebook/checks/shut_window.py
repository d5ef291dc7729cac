"""A window without days or hours never opens: rules that page in it never page.

Bad:

    windows:
      office: {zone: Europe/Berlin, days: [], hours: 09:00-17:00}
    rules:
      - {id: down, match: 'alertname="A"', severity: P1, first_step: Look., channels: [pagerduty], pages_in: office}

Good:

    windows:
      office: {zone: Europe/Berlin, days: [mon, tue, wed, thu, fri], hours: 09:00-17:00}
    rules:
      - {id: down, match: 'alertname="A"', severity: P1, first_step: Look., channels: [pagerduty], pages_in: office}
"""

from collections.abc import Iterator

from responder.model.problem import Problem
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield windows without days or hours."""
    for entry in rule_files.windows:
        for key in ("days", "hours"):
            if not getattr(entry.value, key):
                said = f"the window '{entry.name}' never opens: it has no {key}"
                hint = f"add {key}, or use channels that do not page"
                yield Problem(entry.at(key), "shut-window", said, hint)
