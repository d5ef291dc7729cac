"""An entry of `adjust` never changes the severity: for example raise: P1 in a rule whose severity is P1.

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

from collections.abc import Iterator

from responder.model.problem import Level, Problem
from responder.rulebook.defaults import base_of, on_findings, shifted_severity
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield the entries of ``adjust`` that change none of the severities they can apply to."""
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
                after |= {shifted_severity(adjust, name, order) for name in met}
                if all(shifted_severity(adjust, name, order) == name for name in met):
                    word, key = ("raises", "raise") if adjust.raise_ is not None else ("lowers", "lower")
                    said = f"this never {word} the severity: '{entry.name}' is already {', '.join(sorted(met))}"
                    position = entry.key("adjust", number, key)
                    yield Problem(position, "idle-adjust", said, "remove it, or use another severity", Level.WARNING)
            met = after
