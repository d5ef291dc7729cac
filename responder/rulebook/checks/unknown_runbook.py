"""Rules lead to runbooks that exist.

The file must stand in the folder of the runbooks.

Bad:

    rules:
      - {id: down, match: 'alertname="A"', severity: P3, runbook: comon.md, first_step: Look., channels: [slack]}

Good:

    rules:
      - {id: down, match: 'alertname="A"', severity: P3, runbook: common.md, first_step: Look., channels: [slack]}
"""

from __future__ import annotations

from collections.abc import Iterator

from responder.model.problem import Problem
from responder.rulebook.rule_files import RuleFiles, RuleReferences
from responder.rulebook.suggestions import Suggestions


def check(rule_files: RuleFiles, around: RuleReferences) -> Iterator[Problem]:
    """A runbook's file that the folder does not have."""
    suggest = Suggestions()
    if around.runbooks is None:
        return
    for entry in rule_files.paging_rules:
        file = (entry.value.runbook or "").partition("#")[0]
        if entry.value.runbook is not None and file not in around.runbooks:
            said = f"there is no runbook '{file}'"
            hint = suggest(file, around.runbooks) or "no runbooks were found: name their folder with --runbooks"
            yield Problem(entry.at("runbook"), "unknown-runbook", said, hint)
