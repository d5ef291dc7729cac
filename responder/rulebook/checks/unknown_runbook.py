"""A rule names a runbook that is not in the runbook folder.

A URL may hold `${label}` and `${label|lower}`, and nothing else in `${...}`.

Bad:

    rules:
      - {id: down, match: 'alertname="A"', severity: P3, runbook: comon.md, first_step: Look., channels: [slack]}

Good:

    rules:
      - {id: down, match: 'alertname="A"', severity: P3, runbook: common.md, first_step: Look., channels: [slack]}
"""

from collections.abc import Iterator

from responder.model.problem import Problem
from responder.model.rule import PLACEHOLDER, is_url
from responder.model.suggestions import Suggestions
from responder.rulebook.references import RUNBOOKS, references
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, around: RuleReferences) -> Iterator[Problem]:
    """Yield runbook files that are not in the folder."""
    suggest = Suggestions()
    if around.runbooks is None:
        return
    for each in references(rule_files, RUNBOOKS):
        file = each.name.partition("#")[0]
        if is_url(file):
            if "${" in PLACEHOLDER.sub("", each.name):
                said = "the URL has a placeholder that is neither ${label} nor ${label|lower}"
                yield Problem(each.position, "unknown-runbook", said, "write, for example, ${alertname|lower}")
        elif file not in around.runbooks:
            said = f"unknown runbook '{file}'"
            hint = suggest(file, around.runbooks) or "no runbooks found: set their folder with --runbooks"
            yield Problem(each.position, "unknown-runbook", said, hint)
