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
from responder.model.suggestions import Suggestions
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, around: RuleReferences) -> Iterator[Problem]:
    """Yield kinds that are not in the registry."""
    suggest = Suggestions()
    for entry in rule_files.probes:
        if (kind := entry.value.kind) not in around.probe_kinds:
            said = f"unknown probe kind '{kind}'"
            yield Problem(entry.at("kind"), "unknown-probe-kind", said, suggest(kind, around.probe_kinds))
