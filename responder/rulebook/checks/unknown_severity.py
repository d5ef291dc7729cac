"""A rule, `defaults` or a template names an unknown severity.

Severities are defined in `severities`, worst first.

Bad:

    rules:
      - {id: down, match: 'alertname="A"', severity: P9, first_step: Look., channels: [slack]}

Good:

    rules:
      - {id: down, match: 'alertname="A"', severity: P3, first_step: Look., channels: [slack]}
"""

from collections.abc import Iterator

from responder.model.problem import Problem
from responder.rulebook.references import unknown
from responder.rulebook.rule_files import RuleFiles, RuleReferences

_PLACES = {
    "paging_rules": [
        *("severity", "severity.map.*", "severity.otherwise", "severity.unknown", "pages_in.keys"),
        *("adjust.*.raise_", "adjust.*.lower"),
    ],
    "defaults": ["pages_in.keys"],
    "templates": ["fields.*.keys"],
}


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield names of severities that no file defines."""
    known = rule_files.known("severities")
    return unknown(rule_files, "unknown-severity", "unknown severity", _PLACES, known)
