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
_ROW = re.compile(r"^\s*\|?([^|]+)\|([^|]+)\|?")


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
        for each in _HANDLE.finditer(line):
            named = True
            if handles and each[0] not in handles:
                said = f"'{each[0]}' is no contact of the rules"
                yield Finding(number, each.start() + 1, said, nearest(each[0], handles))
    text = section.text
    if not named and not any(contact.lower() in text.lower() for contact in contacts.values()):
        yield Finding(section.line, 1, "the section 'Escalation' names no contact", f"name one: {_roles(contacts)}")
    if not _TIME.search(text):
        yield Finding(section.line, 1, "the section 'Escalation' says no time", "say after how many minutes")


def _roles(contacts: dict[str, str]) -> str:
    return ", ".join(contacts) or "a role, #channel or @person"


def _tables(runbook: Runbook, contacts: dict[str, str]) -> Iterator[Finding]:
    """Yield rows of a table with the columns Role and Contact that the rules contradict."""
    inside = False
    for number, line in runbook.prose:
        row = _ROW.match(line)
        cells = [row[1].strip(), row[2].strip()] if row else []
        if [cell.lower() for cell in cells] == ["role", "contact"]:
            inside = True
        elif not cells:
            inside = False
        elif inside and row and cells[0] in contacts and cells[1] != contacts[cells[0]]:
            said = f"the contact of '{cells[0]}' is '{contacts[cells[0]]}' in the rules"
            yield Finding(number, row.start(2) + 1 + len(row[2]) - len(row[2].lstrip()), said, "change one of them")
