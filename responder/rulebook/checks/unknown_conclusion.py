"""A rule, `defaults` or `platform` gives a first step or a runbook for an unknown conclusion.

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

from collections.abc import Iterable, Iterator
from typing import Any

from responder.model.conclusion_codes import CODES, NONE, is_known
from responder.model.problem import Problem
from responder.model.suggestions import Suggestions
from responder.rulebook.rule_files import Entry, RuleFiles, RuleReferences


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield the codes of first steps and runbooks that no conclusion has."""
    suggest = Suggestions()
    with_steps: list[Entry[Any]] = [*rule_files.rules, *rule_files.defaults]
    with_runbooks: list[Entry[Any]] = [*rule_files.rules, *rule_files.platforms]
    for entry in with_steps:
        yield from _unknown(entry, "first_steps", entry.value.first_steps, suggest)
    for entry in with_runbooks:
        yield from _unknown(entry, "runbooks", entry.value.runbooks, suggest)


def _unknown(entry: Entry[Any], key: str, codes: Iterable[str], suggest: Suggestions) -> Iterator[Problem]:
    for code in codes:
        if not is_known(code):
            hint = suggest(code, (*CODES, NONE))
            yield Problem(entry.at(key, code), "unknown-conclusion", f"unknown conclusion '{code}'", hint)
