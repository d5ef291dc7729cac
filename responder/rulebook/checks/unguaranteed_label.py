"""A probe uses a label that alerts of its rule may lack; without it, the probe is skipped.

A rule guarantees a label with a matcher that the empty string does not satisfy, or lists it in `labels`. `namespace`
and `workload` (pods begin with its name) come from the alert wherever it has them, `neighbors` always; `service`,
`selector` and `health` come from the service catalog.

Bad:

    probes:
      node-pods: {kind: promql, headline: pods, expr: 'count(kube_pod_info{node="${node}"})'}
    rules:
      - id: node-down
        match: alertname="KubeNodeNotReady"
        severity: P3
        first_step: Look.
        probes: [node-pods]
        channels: [slack]

Good:

    probes:
      node-pods: {kind: promql, headline: pods, expr: 'count(kube_pod_info{node="${node}"})'}
    rules:
      - id: node-down
        match: alertname="KubeNodeNotReady"
        labels: [node]
        severity: P3
        first_step: Look.
        probes: [node-pods]
        channels: [slack]
"""

import re
from collections.abc import Iterator

from responder.model.problem import Level, Problem
from responder.rulebook.defaults import probe_names, probes_of
from responder.rulebook.rule_files import RuleFiles, RuleReferences
from responder.rulebook.schema import ProbeShape
from responder.rulebook.shadowing import profiles

_PLACEHOLDER = re.compile(r"\$\{([a-zA-Z_][a-zA-Z0-9_]*)\}")
_KNOWN = frozenset({"namespace", "workload", "neighbors", "service", "selector", "health"})


def check(rule_files: RuleFiles, around: RuleReferences) -> Iterator[Problem]:
    """Yield labels of probes that neither a matcher nor ``labels`` of their rule guarantees."""
    wanted = {entry.name: _asked(entry.value) for entry in rule_files.probes}
    for number, entry in enumerate(rule_files.rules) if any(wanted.values()) else ():
        if entry.value.action != "notify" or not any(wanted.get(name) for name in probe_names(entry, rule_files)):
            continue
        asking = [(name, position) for name, position in probes_of(entry, rule_files) if wanted.get(name)]
        constraints = profiles(rule_files, around)[number]
        sure = {name for name, each in constraints.items() if not each.accepts("", around.predicate)}
        for name, position in asking:
            for label in sorted(wanted[name] - sure - set(entry.value.labels)):
                said = f"'{name}' uses the label {label}, which '{entry.name}' does not guarantee"
                hint = f'add labels: [{label}] if its alerts have it, or the matcher {label}!=""'
                yield Problem(position, "unguaranteed-label", said, hint, Level.WARNING)


def _asked(probe: ProbeShape) -> frozenset[str]:
    return frozenset(_PLACEHOLDER.findall(str(probe.model_extra))) - _KNOWN
