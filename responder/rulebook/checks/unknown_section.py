"""A rule names a section that its runbook does not have.

The part after # is GitHub's anchor of the heading: lower case, dashes for spaces.

Bad:

    rules:
      - {id: down, match: 'alertname="A"', severity: P3, runbook: common.md#down, first_step: Look., channels: [slack]}

Good:

    rules:
      - id: down
        match: alertname="A"
        severity: P3
        runbook: common.md#service-down
        first_step: Look.
        channels: [slack]
"""

from collections.abc import Iterator

from responder.model.problem import Problem
from responder.model.suggestions import Suggestions
from responder.rulebook.references import RUNBOOKS, references
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, around: RuleReferences) -> Iterator[Problem]:
    """Yield anchors that no heading of their runbook has."""
    suggest = Suggestions()
    for each in references(rule_files, RUNBOOKS):
        file, _, section = each.name.partition("#")
        anchors = (around.runbooks or {}).get(file)
        if section and anchors is not None and section not in anchors:
            yield Problem(
                each.position, "unknown-section", f"{file} has no section '{section}'", suggest(section, anchors)
            )
