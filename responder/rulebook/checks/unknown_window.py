"""A rule, a severity or `defaults` names an unknown window.

Any file may define windows in `windows`.

Bad:

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
from responder.rulebook.references import unknown
from responder.rulebook.rule_files import RuleFiles, RuleReferences

_PLACES = {
    "paging_rules": ["pages_in", "pages_in.*"],
    "defaults": ["pages_in", "pages_in.*"],
    "severities": ["reminders.window"],
}


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield names of windows that no file defines."""
    return unknown(rule_files, "unknown-window", "unknown window", _PLACES, rule_files.known("windows"))
