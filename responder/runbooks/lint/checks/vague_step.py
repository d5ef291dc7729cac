"""A step says to check or restart something, and not how.

Bad:

    # Service down

    ## Procedure

    ### Step 1: Look

    Manual step. Check the logs.

Good:

    # Service down

    ## Procedure

    ### Step 1: Look

    Manual step. Open the dashboard *Logs* and search for `Caused by`.
"""

import re
from collections.abc import Iterator

from responder.model.problem import Level
from responder.runbooks.lint.contract import Finding, Runbook

_VAGUE = re.compile(
    r"\b(?:check|look at|read|inspect) the logs?\b|\brestart the (?:service|pods?|application|app|server)\b"
    r"|\b(?:verify|check|make sure) (?:that )?(?:it|everything|the service) (?:works|is (?:ok|fine|working))\b"
    r"|\binvestigate (?:further|the (?:issue|problem|cause))\b",
    re.IGNORECASE,
)


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield each vague instruction in a step without a command and without inline code beside it."""
    lines = runbook.document.lines
    for step in runbook.document.steps:
        if step.commands:
            continue
        for number, line in runbook.prose_of(step.section):
            if (found := _VAGUE.search(line)) and "`" not in lines[number - 1]:
                hint = "write the command, or where to click"
                yield Finding(number, found.start() + 1, f"'{found[0]}' does not say how", hint, Level.WARNING)
