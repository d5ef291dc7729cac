r"""A command is longer than 160 characters: it wraps in a terminal, and a mistake in it is not seen.

Bad:

    # Service down

    ## Procedure

    ```sh
    kubectl -n shop get pods -l app=shop -o custom-columns=NAME:.metadata.name,NODE:.spec.nodeName,PHASE:.status.phase,STARTED:.status.startTime,QOS:.status.qosClass
    ```

Good:

    # Service down

    ## Procedure

    ```sh
    kubectl -n shop get pods -l app=shop \
      -o custom-columns=NAME:.metadata.name,NODE:.spec.nodeName,PHASE:.status.phase
    ```
"""  # noqa: E501 - the example is a long line

from collections.abc import Iterator
from typing import Final

from responder.model.problem import Level
from responder.runbooks.lint.contract import Finding, Runbook
from responder.runbooks.lint.shell import script_of

_LONGEST: Final = 160


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield each line of a command that is too long, but not of read-only steps, which are one line each."""
    for command in runbook.document.commands:
        if command.fence.tag == "readonly" or not script_of(command.fence).strip():
            continue
        for number, line in enumerate(command.fence.content.splitlines()):
            if len(line) > _LONGEST:
                said = f"{len(line)} characters in one line (limit {_LONGEST})"
                hint = "break it with a backslash, or put it into a script"
                yield Finding(command.fence.line + number, command.fence.column + _LONGEST, said, hint, Level.WARNING)
