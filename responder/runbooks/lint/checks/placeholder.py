"""A text is unfinished: TODO, TBD, FIXME, lorem ipsum, or a field of the template that was not filled in.

Bad:

    # Service down

    ## Escalation

    TODO: who?

Good:

    # Service down

    ## Escalation

    After 15 minutes call the On-Call Secondary.
"""

import re
from collections.abc import Iterator

from responder.runbooks.lint.contract import Finding, Profile, Runbook

_UNFINISHED = re.compile(r"\b(?:TODO|TBD|FIXME)\b|\bXXX\b(?=:)|\blorem ipsum\b", re.IGNORECASE)
_FIELDS = re.compile(
    r"<(?:your|insert)[ _-][^<>]*>"
    r"|\[(?:procedure name|action|service name|team and channel|yyyy-mm-dd|unique-name)\](?!\()",
    re.IGNORECASE,
)


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield each unfinished text outside of code; in runbooks of the template also unfilled fields, in code as well."""
    for number, line in runbook.prose:
        for each in _UNFINISHED.finditer(line):
            if each[0].lower() == "lorem ipsum" or each[0].isupper():
                yield Finding(number, each.start() + 1, f"'{each[0]}' is left in the text", "write what is missing")
    if runbook.profile is not Profile.TEMPLATE:
        return
    for number, line in enumerate(runbook.document.lines, 1):
        for each in _FIELDS.finditer(line):
            yield Finding(number, each.start() + 1, f"'{each[0]}' is not filled in", "write the value")
