"""A command that changes production says neither what it costs nor how to take it back.

Bad:

    # Service down

    ## Procedure

    ```sh {"name":"restart","tag":"mutating"}
    kubectl -n shop rollout restart deployment/shop
    ```

Good:

    # Service down

    ## Procedure

    ```sh {"name":"restart","tag":"mutating"}
    kubectl -n shop rollout restart deployment/shop
    ```

    **Impact:** caches start cold. **Undo:** none needed.
"""

import re
from collections.abc import Iterator

from responder.runbooks.lint.contract import Finding, Runbook

_WORDS = {
    "impact": re.compile(r"\*\*Impact(?::\*\*|\*\*:)", re.IGNORECASE),
    "undo": re.compile(r"\*\*(?:Undo|Rollback)(?::\*\*|\*\*:)", re.IGNORECASE),
}


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield each mutating command in whose section the words *Impact* or *Undo* are missing."""
    for command in runbook.document.commands:
        if command.fence.tag != "mutating":
            continue
        text = command.section.text
        if missing := [name for name, pattern in _WORDS.items() if not pattern.search(text)]:
            words = " and ".join(f"**{name.capitalize()}:**" for name in missing)
            said = f"the command changes something, and its section has no {words}"
            yield Finding(command.fence.line, command.fence.column, said, "say what users notice, and the way back")
