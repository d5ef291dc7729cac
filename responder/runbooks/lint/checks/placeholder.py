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

_UNFINISHED = re.compile(
    r"\b(?:TODO|TBD|FIXME)\b|\bXXX\b(?=:)|\blorem ipsum\b|\bto be (?:added|written)\b", re.IGNORECASE
)
#: A comment in place of a command.
_COMMENT = re.compile(r"\s*#\s*(TODO|TBD|FIXME)\b")
_FIELDS = re.compile(
    r"<(?:your|insert)[ _-][^<>]*>"
    r"|\[(?:procedure name|action|service name|team and channel|yyyy-mm-dd|unique-name)\](?!\()",
    re.IGNORECASE,
)
#: What a reader fills in, since no runbook may have it.
_SECRET = re.compile(r"key|token|secret|password|credential|dsn", re.IGNORECASE)


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield each unfinished text and each comment in place of a command; with the template also unfilled fields."""
    for number, line in runbook.prose:
        for each in _UNFINISHED.finditer(line):
            if " " in each[0] or each[0].isupper():
                yield Finding(number, each.start() + 1, f"'{each[0]}' is left in the text", "write what is missing")
    for command in runbook.document.commands:
        for number, line in enumerate(command.fence.content.splitlines()):
            if comment := _COMMENT.match(line):
                column = command.fence.column + comment.start(1)
                said = f"'{comment[1]}' is left in place of a command"
                yield Finding(command.fence.line + number, column, said, "write the command")
    if runbook.profile is not Profile.TEMPLATE:
        return
    for number, line in enumerate(runbook.document.lines, 1):
        for each in _FIELDS.finditer(line):
            if _SECRET.search(each[0]):
                continue
            yield Finding(number, each.start() + 1, f"'{each[0]}' is not filled in", "write the value")
