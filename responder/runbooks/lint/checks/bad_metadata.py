"""Owner, criticality or date of the last update is missing or malformed.

Bad:

    # Service down

    **Owner**: SRE team
    **Criticality**: High
    **Last Updated**: yesterday

Good:

    # Service down

    **Owner**: SRE team
    **Criticality**: Critical
    **Last Updated**: 2026-10-31
"""

from collections.abc import Iterator
from datetime import date, datetime

from responder.runbooks.document import Field
from responder.runbooks.lint.contract import Edit, Finding, Runbook, date_of

CRITICALITIES = ("Critical", "Normal")
_NAMES = {"owner": "Owner", "criticality": "Criticality", "last_updated": "Last Updated"}
#: Other forms of a date that are read in one way only.
_FORMS = ("%Y/%m/%d", "%Y.%m.%d", "%d %B %Y", "%B %d, %Y", "%d %b %Y", "%b %d, %Y")


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield each key that is missing or malformed; ``--fix`` rewrites dates that can be read in one way only."""
    found = runbook.document.metadata
    line = next((each.line for each in runbook.document.sections if each.level == 1), 1)
    for key, name in _NAMES.items():
        if key not in found or not found[key].value:
            yield Finding(line, 1, f"'**{name}**:' is missing", f"add a line '**{name}**: ...' below the title")
    if (value := found.get("criticality")) and value.value and value.value.capitalize() not in CRITICALITIES:
        said = f"unknown criticality '{value.value}'"
        yield Finding(value.line, value.column, said, f"write {' or '.join(CRITICALITIES)}")
    if (value := found.get("last_updated")) and value.value:
        yield from _date(value, runbook.today)


def _date(value: Field, today: date) -> Iterator[Finding]:
    updated = date_of(value.value)
    if updated is None:
        other = _other(value.value)
        edits = (Edit(value.line, value.column, value.value, other.isoformat()),) if other else ()
        yield Finding(value.line, value.column, f"'{value.value}' is no date", "write YYYY-MM-DD", edits=edits)
    elif updated > today:
        yield Finding(value.line, value.column, f"the last update, {updated}, is in the future", "correct the date")


def _other(text: str) -> date | None:
    for form in _FORMS:
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007 - a date has no zone
        except ValueError:
            continue
    return None
