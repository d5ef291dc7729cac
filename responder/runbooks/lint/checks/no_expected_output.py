"""A command has no expected output, so that the reader cannot tell good from bad.

An error in critical runbooks, a warning in others.

Bad:

    # Service down

    ## Procedure

    ### Step 1: Check the pods

    ```sh
    kubectl -n shop get pods
    ```

Good:

    # Service down

    ## Procedure

    ### Step 1: Check the pods

    ```sh
    kubectl -n shop get pods
    ```

    **Expected output:**

    ```text
    shop-* 1/1 Running *
    ```
"""

from collections.abc import Iterator

from responder.model.problem import Level
from responder.runbooks.lint.contract import Finding, Runbook


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield each command without expected output, and with an empty one."""
    level = Level.ERROR if runbook.critical else Level.WARNING
    for command in runbook.document.commands:
        fence, expected = command.fence, command.expected
        if expected is None:
            hint = "add 'Expected output:' and a ```text fence below it"
            yield Finding(fence.line, fence.column, "the command has no expected output", hint, level)
        elif expected.match != "none" and not any(line.strip() for line in expected.lines):
            yield Finding(expected.line, 1, "the expected output is empty", level=level)
