"""No rule runs the probe: it is superfluous, or missing in a rule.

Bad:

    probes:
      forgotten: {kind: tcp, target: "${health}"}

Good:

    probes:
      remembered: {kind: tcp, target: "${health}"}
    rules:
      - id: down
        match: alertname="ServiceDown"
        severity: P3
        first_step: Look.
        probes: [remembered]
        channels: [slack]
"""

from collections.abc import Iterator

from responder.model.problem import Problem
from responder.rulebook.defaults import probe_names
from responder.rulebook.references import unused
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield probes that no rule runs, directly or by ``defaults``."""
    rules = [entry for entry in rule_files.paging_rules if entry.value.action == "notify"]
    used = {name for entry in rules for name in probe_names(entry, rule_files)}
    hint = "add it to a rule, or remove it"
    return unused(rule_files.probes, used, "unused-probe", "no rule runs the probe", hint)
