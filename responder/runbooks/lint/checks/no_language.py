"""A command stands in a fence without a language: it is neither highlighted nor checked.

Bad:

    # Service down

    ```
    kubectl -n shop get pods
    ```

Good:

    # Service down

    ```sh
    kubectl -n shop get pods
    ```
"""

import re
from collections.abc import Iterator

from responder.model.problem import Level
from responder.runbooks.lint.contract import Edit, Finding, Runbook
from responder.runbooks.lint.shell import PROGRAMS, has_prompts

_FENCE = re.compile(r"`{3,}|~{3,}")


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield each fence without language that holds a command; ``--fix`` adds ``sh``, or ``console`` with prompts."""
    for fence in runbook.document.fences:
        words = fence.content.split()
        if fence.language or fence.attributes or not words:
            continue
        prompts = has_prompts(fence.content)
        if not prompts and (words[0] not in PROGRAMS or len(words) < 2):
            continue
        line = fence.line - 1
        found = _FENCE.search(runbook.document.lines[line - 1])
        if found is None:
            continue
        language = "console" if prompts else "sh"
        edit = Edit(line, found.start() + 1, found[0], found[0] + language)
        said = "a command in a fence without a language"
        yield Finding(line, found.start() + 1, said, f"write {found[0]}{language}", Level.WARNING, (edit,))
