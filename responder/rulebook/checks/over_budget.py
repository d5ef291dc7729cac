"""The timeout of a probe exceeds the page budget of its rule.

Probes run in parallel, so the slowest one counts. The page is sent at the end of its severity's `page_budget`; a later
finding follows as an update.

Bad:

    probes:
      slow-query: {kind: promql, headline: h, expr: "vector(1)", timeout: 20s}
    rules:
      - id: down
        match: alertname="ServiceDown"
        severity: P1
        first_step: Look.
        probes: [slow-query]
        channels: [pagerduty]

Good:

    probes:
      slow-query: {kind: promql, headline: h, expr: "vector(1)", timeout: 5s}
    rules:
      - id: down
        match: alertname="ServiceDown"
        severity: P1
        first_step: Look.
        probes: [slow-query]
        channels: [pagerduty]
"""

from collections.abc import Iterator

from responder.model.problem import Level, Problem
from responder.rulebook.defaults import probe_names, probes_of, severities_of
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield probes with a timeout above the shortest page budget of their rule's severities."""
    budgets = {entry.name: entry.value.page_budget for entry in rule_files.severities}
    least = min(budgets.values(), default=0.0)
    timeouts = {entry.name: entry.value.timeout for entry in rule_files.probes if entry.value.timeout > least}
    for entry in rule_files.paging_rules if timeouts else ():
        known = {name: budgets[name] for name in severities_of(entry.value, rule_files) if name in budgets}
        if not known:
            continue
        severity = min(known, key=lambda name: known[name])
        if all(timeouts.get(name, 0.0) <= known[severity] for name in probe_names(entry, rule_files)):
            continue
        for name, position in probes_of(entry, rule_files):
            if timeouts.get(name, 0.0) > known[severity]:
                said = (
                    f"'{name}' may take {timeouts[name]:g} s, but a page of '{entry.name}' waits {known[severity]:g} s"
                )
                hint = f"set the probe's timeout to at most the page_budget of {severity}"
                yield Problem(position, "over-budget", said, hint, Level.WARNING)
