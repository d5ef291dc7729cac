"""A rule above matches one of the values that the rule lists, so the rule never decides for it.

The list is misleading: a search for the value finds this rule, but another one decides.

Bad:

    rules:
      - id: targets
        match: alertname=~"TargetDown|ServiceDown"
        severity: P3
        first_step: Look.
        channels: [slack]
      - id: services
        match: alertname=~"ServiceDown|ServiceAbsent"
        severity: P3
        first_step: Look.
        channels: [slack]

Good:

    rules:
      - id: targets
        match: alertname="TargetDown"
        severity: P3
        first_step: Look.
        channels: [slack]
      - id: services
        match: alertname=~"ServiceDown|ServiceAbsent"
        severity: P3
        first_step: Look.
        channels: [slack]
"""

from collections.abc import Iterator

from responder.model.problem import Level, Problem
from responder.rulebook.rule_files import RuleFiles, RuleReferences
from responder.rulebook.shadowing import analyzed


def check(rule_files: RuleFiles, around: RuleReferences) -> Iterator[Problem]:
    """Yield the shadowed values of rules that are partly shadowed."""
    for each in analyzed(rule_files, around).shadowings:
        if each.whole:
            continue
        entry = rule_files.rules[each.number]
        for value, number in each.by.items():
            above = rule_files.rules[number]
            said = f"{each.label}={value!r} never reaches '{entry.name}': '{above.name}' above it matches it"
            hint = f"remove it here, or narrow {above.at('match')}"
            yield Problem(entry.at("match"), "shadowed-value", said, hint, Level.WARNING)
