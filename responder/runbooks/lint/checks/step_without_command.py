"""A step has no command and is not marked as manual: the reader has to guess what to do.

Bad:

    # Service down

    ## Procedure

    ### Step 1: Check the pods

    The pods should run.

Good:

    # Service down

    ## Procedure

    ### Step 1: Check the pods

    Manual step. Look at the pods in the console.
"""

import re
from collections.abc import Iterator

from responder.runbooks.lint.contract import Finding, Runbook

#: A command in inline code: a program with an argument.
_INLINE = re.compile(r"(?<!`)`((?:[a-z][\w-]*|\./[\w./-]+) [^`\n\"][^`\n]*)`(?!`)")


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield each step without command that does not begin with *Manual step*."""
    fences = runbook.document.fences
    for step in runbook.document.steps:
        if step.commands or step.manual:
            continue
        said = f"step {step.number} has neither a command nor the words 'Manual step'"
        if inline := _INLINE.search(step.section.text):
            said = f"the command of step {step.number} stands in the text: {inline[1]}"
        elif any(step.line < each.line <= step.section.end_line and not each.language for each in fences):
            said = f"the fence of step {step.number} has no language, so that it is no command"
        yield Finding(step.line, 1, said, "add a ```sh fence, or begin the step with 'Manual step.'")
