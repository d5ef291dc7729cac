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
from responder.rulebook.defaults import runbook_positions
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, around: RuleReferences) -> Iterator[Problem]:
    """Yield anchors that no heading of their runbook has."""
    suggest = Suggestions()
    for runbook, position, _rule in runbook_positions(rule_files):
        file, _, section = runbook.partition("#")
        anchors = (around.runbooks or {}).get(file)
        if section and anchors is not None and section not in anchors:
            said = f"{file} has no section '{section}'"
            yield Problem(position, "unknown-section", said, suggest(section, anchors))
