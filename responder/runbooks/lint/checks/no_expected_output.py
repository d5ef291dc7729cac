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

import re
from collections.abc import Iterator

from responder.model.problem import Level
from responder.runbooks.document import Command
from responder.runbooks.lint.contract import Finding, Runbook
from responder.runbooks.lint.shell import simple_commands

#: A comment among the commands that says what they print.
_COMMENT = re.compile(
    r"^\s*#.*\b(?:(?:expected|example|sample) (?:output|result)|expected:|should (?:show|see|print|return|be)\b)",
    re.IGNORECASE | re.MULTILINE,
)


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield each command without expected output, and with an empty one."""
    level = Level.ERROR if runbook.critical else Level.WARNING
    for command in runbook.document.commands:
        fence, expected = command.fence, command.expected
        below = next((each for each in runbook.document.lines[fence.end_line :] if each.strip()), "")
        if expected is None and (
            _COMMENT.search(fence.content) or below.startswith("Expected") or not _prints(command)
        ):
            continue
        if expected is None:
            hint = "add 'Expected output:' and a ```text fence below it"
            yield Finding(fence.line, fence.column, "the command has no expected output", hint, level)
        elif expected.match != "none" and not any(line.strip() for line in expected.lines):
            yield Finding(expected.line, 1, "the expected output is empty", level=level)


def _prints(command: Command) -> bool:
    """Return False for fences that only set variables or change the folder."""
    return any(each.words[0] not in {"export", "cd", "source", "."} for each in simple_commands(command.fence))
