"""A command has a character that looks right and is not: a curly quote, a long dash, a no-break space.

Bad:

    # Service down

    ```sh
    kubectl -n shop get pods -l “app=shop”
    ```

Good:

    # Service down

    ```sh
    kubectl -n shop get pods -l "app=shop"
    ```
"""

import re
from collections.abc import Iterator
from unicodedata import name

from responder.runbooks.lint.contract import Edit, Finding, Runbook
from responder.runbooks.lint.shell import script_of

#: Characters that editors put in place of those that a shell understands.
_REPLACED = {
    **dict.fromkeys("“”„", '"'),
    **dict.fromkeys("‘’‚", "'"),
    **dict.fromkeys("\u00a0\u202f\u2007", " "),
    "–": "-",
    "—": "--",
    "\u200b": "",
    "\ufeff": "",
}
_WRONG = re.compile(f"[{''.join(_REPLACED)}]")


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield each such character in a command, without comments and output; ``--fix`` replaces it."""
    for command in runbook.document.commands:
        fence = command.fence
        for number, line in enumerate(script_of(fence).splitlines()):
            if line.lstrip().startswith("#"):
                continue
            code = line.partition(" #")[0]
            for each in _WRONG.finditer(code):
                column = fence.column + each.start()
                at = fence.line + number
                right = _REPLACED[each[0]]
                said = f"{name(each[0])} in a command"
                hint = f"write {right}" if right.strip() else ""
                yield Finding(at, column, said, hint, edits=(Edit(at, column, each[0], right),))
