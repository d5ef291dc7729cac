"""A condition depends on a probe that the rule does not run, so it never holds.

The probes of a rule are `probes` or its file's default, `more_probes`, and the file's `baseline`.

Bad:

    probes: {dns: {kind: dns, name: "${health}"}}
    rules:
      - id: down
        match: alertname="ServiceDown"
        severity: P3
        adjust: [{when: {probe: dns, is: bad}, raise: P1}]
        first_step: Look.
        probes: [health]
        channels: [pagerduty, slack]
      - {id: dns, match: 'alertname="Dns"', severity: P3, first_step: Look., probes: [dns], channels: [slack]}

Good:

    probes: {dns: {kind: dns, name: "${health}"}}
    rules:
      - id: down
        match: alertname="ServiceDown"
        severity: P3
        adjust: [{when: {probe: dns, is: bad}, raise: P1}]
        first_step: Look.
        probes: [health, dns]
        channels: [pagerduty, slack]
"""

from collections.abc import Iterator

from responder.model.problem import Problem
from responder.model.suggestions import Suggestions
from responder.rulebook.defaults import condition_positions, probes_of
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield conditions on probes that their rule does not run."""
    suggest = Suggestions()
    for entry in rule_files.rules:
        if not entry.value.adjust:
            continue
        asked = {name for name, _ in probes_of(entry, rule_files)}
        for position, name in condition_positions(entry):
            if name not in asked:
                said = f"this never holds: '{entry.name}' does not run the probe '{name}'"
                yield Problem(position, "probe-not-run", said, suggest(name, asked) or f"add {name} to its probes")
