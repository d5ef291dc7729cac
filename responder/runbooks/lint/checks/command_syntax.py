"""A shell cannot parse the command: copied at 3 a.m., it fails. Checked by shellcheck where that is installed.

Bad:

    # Service down

    ## Procedure

    ```sh
    kubectl -n shop get pods -l "app=shop
    ```

Good:

    # Service down

    ## Procedure

    ```sh
    kubectl -n shop get pods -l "app=shop"
    ```
"""

from collections.abc import Iterator

from responder.runbooks.lint.contract import Finding, Runbook


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield what the parser of the shell reported; placeholders count as words."""
    for number, errors in runbook.shell_errors.items():
        fence = runbook.document.commands[number].fence
        for error in errors:
            line = min(fence.line + error.line - 1, max(fence.end_line - 1, fence.line))
            column = fence.column + error.column - 1
            hint = "if it is output or a query, write text or promql as the language"
            yield Finding(line, column, f"not a command that a shell can parse: {error.message}", hint)
