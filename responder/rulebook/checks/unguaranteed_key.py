"""`incident_key` has a label that alerts of the rule may lack; without it, groups are not combined.

A rule guarantees a label with a matcher that the empty string does not satisfy, or lists it in `labels`.

Bad:

    rules:
      - id: down
        match: alertname="ServiceDown"
        severity: P3
        incident_key: [service]
        first_step: Look.
        channels: [slack]

Good:

    rules:
      - id: down
        match: alertname="ServiceDown", service!=""
        severity: P3
        incident_key: [service]
        first_step: Look.
        channels: [slack]
"""

from collections.abc import Iterator

from responder.model.problem import Level, Problem
from responder.rulebook.rule_files import RuleFiles, RuleReferences
from responder.rulebook.shadowing import profiles


def check(rule_files: RuleFiles, around: RuleReferences) -> Iterator[Problem]:
    """Yield labels of ``incident_key`` that neither a matcher nor ``labels`` guarantees."""
    for number, entry in enumerate(rule_files.rules):
        if not entry.value.incident_key:
            continue
        constraints = profiles(rule_files, around)[number]
        sure = {name for name, each in constraints.items() if not each.accepts("", around.predicate)}
        for at, label in enumerate(entry.value.incident_key):
            if label not in sure | set(entry.value.labels):
                said = f"'{entry.name}' has the label {label} in incident_key, but does not guarantee it"
                hint = f'add labels: [{label}] if its alerts have it, or the matcher {label}!=""'
                yield Problem(entry.at("incident_key", at), "unguaranteed-key", said, hint, Level.WARNING)
