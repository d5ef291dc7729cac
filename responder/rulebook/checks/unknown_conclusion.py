"""A rule or `defaults` gives a first step or a runbook for an unknown conclusion.

`first_steps` and `runbooks` name codes of conclusions or the beginning of some: `crash` holds for `crash-memory` too.
`docs/conclusions.md` lists them.

Bad:

    rules:
      - id: down
        match: 'alertname="A"'
        severity: P3
        first_step: Look.
        first_steps: {crashed: Read the log.}
        channels: [slack]

Good:

    rules:
      - id: down
        match: 'alertname="A"'
        severity: P3
        first_step: Look.
        first_steps: {crash: Read the log.}
        channels: [slack]
"""

from collections.abc import Iterator

from responder.model.conclusion_codes import CODES, NONE, is_known
from responder.model.problem import Problem
from responder.model.suggestions import Suggestions
from responder.rulebook.rule_files import Entry, RuleFiles, RuleReferences
from responder.rulebook.schema import Defaults, RuleShape


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield the codes of first steps and runbooks that no conclusion has."""
    suggest = Suggestions()
    for rule in rule_files.rules:
        yield from _unknown(rule, suggest)
    for defaults in rule_files.defaults:
        yield from _unknown(defaults, suggest)


def _unknown(entry: Entry[RuleShape] | Entry[Defaults], suggest: Suggestions) -> Iterator[Problem]:
    for key, codes in (("first_steps", entry.value.first_steps), ("runbooks", entry.value.runbooks)):
        for code in codes:
            if not is_known(code):
                hint = suggest(code, (*CODES, NONE))
                yield Problem(entry.at(key, code), "unknown-conclusion", f"unknown conclusion '{code}'", hint)
