"""The section Verification has no command with expected output that shows that the problem is solved.

Bad:

    # Service down

    ## Verification

    It works again.

Good:

    # Service down

    ## Verification

    ```sh
    curl -sS http://shop:8080/health
    ```

    **Expected output:**

    ```text
    UP
    ```
"""

from collections.abc import Iterator

from responder.runbooks.lint.contract import Finding, Runbook


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield a section Verification without command, or whose commands all lack their expected output."""
    section = runbook.section("Verification")
    if section is None or not section.text.strip():
        return
    commands = runbook.document.within(section)
    if not any(command.expected is not None for command in commands):
        said = "no command with expected output" if commands else "no command"
        yield Finding(section.line, 1, f"the section '{section.title}' has {said}", "add one, as in the steps")
