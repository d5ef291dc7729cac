"""The steps of a procedure are not numbered 1, 2, 3: a page that says "step 3" would name another one.

Bad:

    # Service down

    ## Procedure

    ### Step 1: Look

    Manual step.

    ### Step 3: Restart

    Manual step.

Good:

    # Service down

    ## Procedure

    ### Step 1: Look

    Manual step.

    ### Step 2: Restart

    Manual step.
"""

import re
from collections.abc import Iterator
from itertools import groupby

from responder.runbooks.document import Step
from responder.runbooks.lint.contract import Edit, Finding, Runbook

_REFERENCE = re.compile(r"\bsteps?\s+\d", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield each step whose number does not follow; ``--fix`` renumbers unless the text names steps by number."""
    for case, steps in groupby(runbook.document.steps, key=lambda step: step.case):
        prose = runbook.prose_of(case) if case else iter(runbook.prose)
        named = any(_REFERENCE.search(line) for _, line in prose if not line.lstrip().startswith("#"))
        for number, step in enumerate(steps, 1):
            if step.number != number:
                yield _finding(runbook, step, number, fixable=not named)


def _finding(runbook: Runbook, step: Step, number: int, *, fixable: bool) -> Finding:
    line = runbook.document.lines[step.line - 1]
    found = _NUMBER.search(line)
    column = found.start() + 1 if found else 1
    edits = (Edit(step.line, column, str(step.number), str(number)),) if fixable else ()
    return Finding(step.line, column, f"step {step.number} is number {number} of its procedure", edits=edits)
