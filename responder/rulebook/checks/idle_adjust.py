"""A change of the severity that never changes anything: nothing is raised to P1 where all is P1 already.

Bad:

    rules:
      - id: down
        match: alertname="ServiceDown"
        severity: P1
        adjust: [{when: {firing: 5}, raise: P1}]
        first_step: Look.
        channels: [pagerduty]

Good:

    rules:
      - id: down
        match: alertname="ServiceDown"
        severity: P3
        adjust: [{when: {firing: 5}, raise: P1}]
        first_step: Look.
        channels: [pagerduty]
"""

from __future__ import annotations

from collections.abc import Iterator

from responder.model.problem import Level, Problem
from responder.rulebook.defaults import base_of, moved, on_findings
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Changes that leave each severity as it is that they can meet."""
    order = [entry.name for entry in rule_files.severities]
    for entry in rule_files.rules:
        if not entry.value.adjust:
            continue
        met = base_of(entry.value)
        for findings in (False, True):
            after = set(met)
            for number, adjust in enumerate(entry.value.adjust):
                if on_findings(adjust) is not findings:
                    continue
                after |= {moved(adjust, name, order) for name in met}
                if all(moved(adjust, name, order) == name for name in met):
                    word, key = ("raises", "raise") if adjust.raise_ is not None else ("lowers", "lower")
                    said = f"this never {word} anything: '{entry.name}' is {', '.join(sorted(met))} already"
                    position = entry.key("adjust", number, key)
                    yield Problem(position, "idle-adjust", said, "remove it, or name another severity", Level.WARNING)
            met = after
