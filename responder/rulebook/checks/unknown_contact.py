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
from responder.model.suggestions import Suggestions
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield roles in ``escalation`` that no contact has."""
    suggest = Suggestions()
    names = rule_files.names("contacts")
    if "contacts" in rule_files.invalid.get("parts", set()):
        return
    for entry in rule_files.escalation:
        if entry.value not in names:
            said = f"no contact has the role '{entry.value}'"
            yield Problem(entry.at(), "unknown-contact", said, suggest(entry.value, names))
