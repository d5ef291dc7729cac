"""No rule uses the pack of probes: it is superfluous, or missing in a rule.

Bad:

    packs: {basics: [health]}

Good:

    packs: {basics: [health]}
    rules:
      - {id: down, match: 'alertname="A"', severity: P3, first_step: Look., probes: [basics], channels: [slack]}
"""

from collections.abc import Iterator

from responder.model.problem import Level, Problem
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield packs that neither a rule nor ``defaults`` uses."""
    used = {name for rule in rule_files.rules for name in (*(rule.value.probes or ()), *rule.value.more_probes)}
    used |= {name for entry in rule_files.defaults for name in (*entry.value.probes, *entry.value.baseline)}
    for entry in rule_files.packs:
        if entry.name not in used:
            said = f"no rule uses the pack '{entry.name}'"
            yield Problem(entry.key(), "unused-pack", said, "add it to a rule's probes, or remove it", Level.WARNING)
