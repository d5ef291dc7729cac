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

from collections.abc import Iterator

from responder.runbooks.lint.contract import Finding, Runbook


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield each step without command that does not begin with *Manual step*."""
    for step in runbook.document.steps:
        if not step.commands and not step.manual:
            hint = "add a ```sh fence, or begin the step with 'Manual step.'"
            yield Finding(step.line, 1, f"step {step.number} has neither a command nor the words 'Manual step'", hint)
