"""The kind of a probe is unknown.

The JSON Schema of rule files (`responder rules schema`) lists the kinds and the keys of each.

Bad:

    probes:
      reachable: {kind: ping, target: "${health}"}

Good:

    probes:
      reachable: {kind: tcp, target: "${health}"}
    rules:
      - {id: down, match: 'alertname="A"', severity: P3, first_step: Look., probes: [reachable], channels: [slack]}
"""

from collections.abc import Iterator

from responder.model.problem import Problem
from responder.rulebook.references import unknown
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, around: RuleReferences) -> Iterator[Problem]:
    """Yield kinds that are not in the registry."""
    return unknown(rule_files, "unknown-probe-kind", "unknown probe kind", {"probes": ["kind"]}, around.probe_kinds)
