"""`depends_on` or `subject` names a service that is not in the service catalog.

Probes need the URLs in the catalog to check the subject and its dependencies.

Bad:

    services:
      shop: {health: "http://shop:8080/health", owner: team-shop, impact: No sales., depends_on: [till]}

Good:

    services:
      till: {health: "http://till:8080/health", owner: team-till, impact: No payments.}
      shop: {health: "http://shop:8080/health", owner: team-shop, impact: No sales., depends_on: [till]}
"""

from collections.abc import Iterator

from responder.model.problem import Problem
from responder.model.suggestions import Suggestions
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield services in ``depends_on`` and ``subject`` that are not in the catalog."""
    suggest = Suggestions()
    names = rule_files.names("services")
    if "services" in rule_files.invalid.get("parts", set()):
        return
    for entry in rule_files.services:
        for number, name in enumerate(entry.value.depends_on):
            if name not in names:
                said = f"unknown service '{name}'"
                yield Problem(entry.at("depends_on", number), "unknown-service", said, suggest(name, names))
    for rule in rule_files.rules:
        for number, wanted in enumerate(rule.value.subject):
            for value, name in ({} if isinstance(wanted, str) else wanted.map).items():
                if name not in names:
                    said = f"unknown service '{name}'"
                    alone = ("subject", "map", value)
                    path = alone if rule.document.has((*rule.path, *alone)) else ("subject", number, *alone[1:])
                    yield Problem(rule.at(*path), "unknown-service", said, suggest(name, names))
