"""The section Escalation names no contact or no time, or a contact differs from the rules.

Bad:

    # Service down

    ## Escalation

    Call for help.

Good:

    # Service down

    ## Escalation

    After 15 minutes without progress, page the On-Call Secondary.
"""

import re
from collections.abc import Iterator

from responder.model.suggestions import nearest
from responder.runbooks.lint.contract import Finding, Profile, Runbook

_TIME = re.compile(
    r"\b\d+\s*(?:-\s*)?(?:s|min|minutes?|h|hours?|days?)\b|\b(?:at once|immediately|next business day|as soon as)\b",
    re.IGNORECASE,
)
_HANDLE = re.compile(r"(?<![\w/&(#])[#@][a-z][\w-]{2,}(?![\w/]*\()")
#: Words of a role, which name a contact where no rules list the contacts.
_ROLE = re.compile(
    r"\bon[- ]?call\b|\b(?:team|squad|engineers?|manager|lead|commander|support|admins?|SREs?|DBAs?|CISO|CTO)\b",
    re.IGNORECASE,
)


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield what is missing in the section Escalation, and each contact that the rules know otherwise."""
    contacts = runbook.catalog.contacts if runbook.catalog else {}
    if runbook.profile is Profile.TEMPLATE:
        yield from _escalation(runbook, dict(contacts))
    if contacts:
        yield from _tables(runbook, dict(contacts))


def _escalation(runbook: Runbook, contacts: dict[str, str]) -> Iterator[Finding]:
    section = runbook.section("Escalation")
    if section is None or not section.text.strip():
        return
    handles = {found for contact in contacts.values() for found in _HANDLE.findall(contact)}
    named = False
    for number, line in runbook.prose_of(section):
        named |= any(role.lower() in line.lower() for role in contacts)
        named |= bool(_HANDLE.search(runbook.document.lines[number - 1]))
        for each in _HANDLE.finditer(line):
            if handles and each[0] not in handles:
                said = f"'{each[0]}' is no contact of the rules"
                yield Finding(number, each.start() + 1, said, nearest(each[0], handles))
    text = section.text
    named |= not contacts and bool(_ROLE.search(text))
    if not named and not any(contact.lower() in text.lower() for contact in contacts.values()):
        yield Finding(section.line, 1, "the section 'Escalation' names no contact", f"name one: {_roles(contacts)}")
    if not _TIME.search(text):
        yield Finding(section.line, 1, "the section 'Escalation' says no time", "say after how many minutes")


def _roles(contacts: dict[str, str]) -> str:
    return ", ".join(contacts) or "a role, #channel or @person"


def _tables(runbook: Runbook, contacts: dict[str, str]) -> Iterator[Finding]:
    """Yield rows of a table with the columns Role and Contact that the rules contradict."""
    for row in runbook.rows("role", "contact"):
        if row.name in contacts and row.value != contacts[row.name]:
            said = f"the contact of '{row.name}' is '{contacts[row.name]}' in the rules"
            yield Finding(row.line, row.column, said, "change one of them")
