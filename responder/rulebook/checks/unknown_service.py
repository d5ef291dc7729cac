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
from responder.rulebook.references import unknown
from responder.rulebook.rule_files import RuleFiles, RuleReferences

_PLACES = {"services": ["depends_on.*"], "rules": ["subject.*.map.*"]}


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield services in ``depends_on`` and ``subject`` that are not in the catalog."""
    return unknown(rule_files, "unknown-service", "unknown service", _PLACES, rule_files.known("services"))
