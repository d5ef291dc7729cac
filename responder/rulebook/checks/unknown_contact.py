"""`escalation` names a role that no contact has.

Bad:

    contacts:
      - {role: On-Call, contact: PagerDuty, hours: 24/7}
    escalation: [Oncall]

Good:

    contacts:
      - {role: On-Call, contact: PagerDuty, hours: 24/7}
    escalation: [On-Call]
"""

from collections.abc import Iterator

from responder.model.problem import Problem
from responder.rulebook.references import unknown
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield roles in ``escalation`` that no contact has."""
    roles = rule_files.known("contacts")
    return unknown(rule_files, "unknown-contact", "no contact has the role", {"escalation": [""]}, roles)
