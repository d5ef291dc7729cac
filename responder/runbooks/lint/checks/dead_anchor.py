"""A link leads to a section that does not exist: the reader lands at the top of the file.

Bad:

    # Service down

    See [the restart](#restart).

Good:

    # Service down

    See [the restart](#restart).

    ## Restart

    Restart it.
"""

from collections.abc import Iterator
from urllib.parse import unquote

from responder.model.suggestions import Suggestions
from responder.runbooks.lint.checks.dead_link import path_of
from responder.runbooks.lint.contract import Finding, Runbook


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield each link to a section that a file of the folder does not have."""
    nearest = Suggestions()
    for link in runbook.document.links:
        file, mark, anchor = link.target.partition("#")
        path = path_of(runbook, link.target) if file else runbook.document.path
        if not mark or not anchor or not path:
            continue
        anchors = runbook.document.anchors if path == runbook.document.path else runbook.anchors_of(path)
        if anchors is None or unquote(anchor) in anchors:
            continue
        column = link.column + len(file)
        said = f"'{path}' has no section '#{anchor}'"
        yield Finding(link.line, column, said, nearest(anchor, anchors))
