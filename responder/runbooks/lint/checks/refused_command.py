"""A command that is tagged as read-only would not be run: it is not one plain command of the list that may be run.

Bad:

    # Service down

    ## Procedure

    ```sh {"name":"pods","tag":"readonly"}
    kubectl -n shop get pods | grep Running
    ```

Good:

    # Service down

    ## Procedure

    ```sh {"name":"pods","tag":"readonly"}
    kubectl -n shop get pods
    ```
"""

import re
from collections.abc import Iterator

from responder.runbooks.command import OF_SETTINGS, Refusal, Scope, parse, placeholders
from responder.runbooks.lint.contract import Finding, Runbook

#: Reasons that depend on the rules.
_RULES = re.compile(r"of the service catalog|names no namespace")
_ANY = Scope(namespace="x", namespaces=frozenset())


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield each read-only command that execution refuses, with the reason.

    Addresses are left out, since the settings allow more of them than the rules; without rules also namespaces.
    """
    catalog = runbook.catalog
    for command in runbook.document.commands:
        fence = command.fence
        if fence.tag != "readonly" or fence.problem:
            continue
        values = dict.fromkeys(placeholders(fence.content), "x")
        found = parse(fence.content, fence.line, values, catalog.scope if catalog else _ANY)
        if not isinstance(found, Refusal) or OF_SETTINGS.search(found.reason):
            continue
        if catalog or not _RULES.search(found.reason):
            hint = "without the tag it is documentation, and never run"
            yield Finding(found.line, fence.column + found.column - 1, found.reason, hint)
