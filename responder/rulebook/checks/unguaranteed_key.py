"""A rule gathers by a label that nothing says its alerts have: where it is missing, nothing is gathered.

A rule guarantees a label by a matcher that the empty string does not satisfy, or says in `labels` that its alerts may
carry it.

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

from __future__ import annotations

from collections.abc import Iterator

from responder.model.problem import Level, Problem
from responder.rulebook.rule_files import RuleFiles, RuleReferences
from responder.rulebook.shadowing import profiles


def check(rule_files: RuleFiles, around: RuleReferences) -> Iterator[Problem]:
    """Labels of `incident_key` that neither the matchers nor `labels` promise."""
    for number, entry in enumerate(rule_files.rules):
        if not entry.value.incident_key:
            continue
        constraints = profiles(rule_files, around)[number]
        sure = {name for name, each in constraints.items() if not each.accepts("", around.predicate)}
        for at, label in enumerate(entry.value.incident_key):
            if label not in sure | set(entry.value.labels):
                said = f"'{entry.name}' gathers by the label {label}, which it does not promise"
                hint = f'write labels: [{label}] if its alerts carry it, or match {label}!=""'
                yield Problem(entry.at("incident_key", at), "unguaranteed-key", said, hint, Level.WARNING)
