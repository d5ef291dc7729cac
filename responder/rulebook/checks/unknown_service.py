"""Services depend on services of the catalogue, and rules name these as subjects.

Probes ask the subject and its dependencies; what is not in the catalogue has no address.

Bad:

    services:
      shop: {health: "http://shop:8080/health", owner: team-shop, impact: No sales., depends_on: [till]}

Good:

    services:
      till: {health: "http://till:8080/health", owner: team-till, impact: No payments.}
      shop: {health: "http://shop:8080/health", owner: team-shop, impact: No sales., depends_on: [till]}
"""

from __future__ import annotations

from collections.abc import Iterator

from responder.model.problem import Problem
from responder.rulebook.rule_files import RuleFiles, RuleReferences
from responder.rulebook.suggestions import Suggestions


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """A service of `depends_on`, or of a rule's `subject`, that the catalogue does not have."""
    suggest = Suggestions()
    names = rule_files.names("services")
    if "services" in rule_files.spoiled.get("parts", set()):
        return
    for entry in rule_files.services:
        for number, name in enumerate(entry.value.depends_on):
            if name not in names:
                said = f"there is no service '{name}'"
                yield Problem(entry.at("depends_on", number), "unknown-service", said, suggest(name, names))
    for rule in rule_files.rules:
        wanted = rule.value.subject
        for value, name in ({} if wanted is None or isinstance(wanted, str) else wanted.map).items():
            if name not in names:
                said = f"there is no service '{name}'"
                yield Problem(rule.at("subject", "map", value), "unknown-service", said, suggest(name, names))
