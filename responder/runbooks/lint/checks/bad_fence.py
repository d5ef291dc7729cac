"""A fence is not closed, or its attributes are malformed or contradict each other.

Bad:

    # Service down

    ## Procedure

    ```sh {"name":"pods","tag":"readonly"
    kubectl -n shop get pods
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

from responder.model.suggestions import nearest
from responder.runbooks.document import DEFAULT_MATCH, SHELLS
from responder.runbooks.expected import problem_of
from responder.runbooks.lint.contract import Finding, Runbook
from responder.runbooks.markdown import Fence

_TAGS = frozenset({"readonly", "mutating"})
_SECONDS = re.compile(r"\d{1,3}(?:s|m)\Z")


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield each fence that is not closed, and each problem of attributes of shell fences and expected blocks."""
    names: dict[str, int] = {}
    fences = runbook.document.fences
    targets = {fence.name for fence in fences if fence.name}
    for fence in fences:
        line = fence.line - 1
        known = fence.language in SHELLS or fence.language in {"", "text", "json"}
        for problem, hint in _problems(fence, targets) if known else ():
            yield Finding(line, _column(runbook, line), problem, hint)
        if not fence.closed:
            said = "this fence is not closed: all below it is code"
            yield Finding(line, 1, said, "add a line with the same backticks below the code")
        if fence.name and names.setdefault(fence.name, line) != line:
            said = f"the name '{fence.name}' is that of line {names[fence.name]} too"
            yield Finding(line, _column(runbook, line), said, "give each fence a name of its own")


def _problems(fence: Fence, targets: set[str]) -> Iterator[tuple[str, str]]:
    found = fence.attributes
    if fence.problem:
        yield fence.problem, 'write {"name":"pods","tag":"readonly"}'
    if fence.tag and fence.tag not in _TAGS:
        yield f"unknown tag '{fence.tag}'", nearest(fence.tag, _TAGS)
    if fence.tag and not fence.name:
        yield "a tagged command has no name", 'add "name":"..."'
    if fence.tag == "readonly" and "approval" in found:
        yield "a read-only command needs no approval", "remove it, or tag the command as mutating"
    if "timeout" in found and not _SECONDS.match(found["timeout"]):
        yield f"the timeout '{found['timeout']}' is no time", "write 10s"
    if "for" in found and found["for"] not in targets:
        yield f"there is no command '{found['for']}' in this file", nearest(found["for"], targets)
    if "for" in found and (problem := problem_of(found.get("match", DEFAULT_MATCH), fence.content.splitlines())):
        yield problem, ""


def _column(runbook: Runbook, line: int) -> int:
    return runbook.document.lines[line - 1].find("{") + 1 or 1
