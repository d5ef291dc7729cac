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
from responder.rulebook.defaults import probe_names
from responder.rulebook.references import references
from responder.rulebook.rule_files import RuleFiles, RuleReferences

_CONDITIONS = {"rules": ["adjust.*.when.*.probe"]}


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield conditions on probes that their rule does not run."""
    suggest = Suggestions()
    for each in references(rule_files, _CONDITIONS):
        run = probe_names(each.entry, rule_files)
        if each.name not in run:
            said = f"this never holds: '{each.entry.name}' does not run the probe '{each.name}'"
            yield Problem(
                each.position, "probe-not-run", said, suggest(each.name, run) or f"add {each.name} to its probes"
            )
