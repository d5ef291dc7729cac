"""No rule uses the pack of probes: it is superfluous, or missing in a rule.

Bad:

    packs: {basics: [health]}

Good:

    packs: {basics: [health]}
    rules:
      - {id: down, match: 'alertname="A"', severity: P3, first_step: Look., probes: [basics], channels: [slack]}
"""

from collections.abc import Iterator

from responder.model.problem import Problem
from responder.rulebook.references import PROBES, names, unused
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield packs that neither a rule nor ``defaults`` uses."""
    hint = "add it to a rule's probes, or remove it"
    return unused(rule_files.packs, names(rule_files, PROBES), "unused-pack", "no rule uses the pack", hint)
