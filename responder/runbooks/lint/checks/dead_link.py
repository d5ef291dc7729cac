"""A link leads to a file that does not exist. With `--online` also a URL whose page does not exist (404 or 410).

Bad:

    # Service down

    See [the owner's notes](notes-that-do-not-exist.md).

Good:

    # Service down

    See [the procedure](#service-down).
"""

import posixpath
import re
from collections.abc import Iterator
from urllib.parse import unquote

from responder.model.problem import Level
from responder.runbooks.lint.contract import Finding, Profile, Runbook

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield each link to a missing file, and each URL that was requested in vain."""
    for link in runbook.document.links:
        if link.target in runbook.dead_urls:
            reason, gone = runbook.dead_urls[link.target]
            level = Level.ERROR if gone else Level.WARNING
            said = f"{link.target}: {reason}" if gone else f"{link.target}: not checked: {reason}"
            yield Finding(link.line, link.column, said, "correct the address" if gone else "", level)
        elif (path := path_of(runbook, link.target)) and not _found(runbook, path):
            yield Finding(link.line, link.column, f"there is no file '{path}'", "correct the link")


def path_of(runbook: Runbook, target: str) -> str:
    """Return the path, relative to the folder, of the file that a link names; "" for one that is not checked.

    Not checked are URLs, templates of a site generator, and absolute paths, whose root is that of the site.
    """
    file = unquote(target.partition("#")[0].partition("?")[0])
    if not file or _SCHEME.match(file) or file.startswith("/") or "{" in file:
        return ""
    return posixpath.normpath(posixpath.join(posixpath.dirname(runbook.document.path), file))


def _found(runbook: Runbook, path: str) -> bool:
    """Return True if a file exists; a page of a site may be linked without its ending or by its folder."""
    if runbook.exists(path):
        return True
    if runbook.profile is Profile.TEMPLATE or posixpath.splitext(path)[1] == ".md":
        return False
    return any(runbook.exists(path + end) for end in (".md", "/README.md", "/_index.md", "/index.md"))
