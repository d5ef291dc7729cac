"""A text looks like a secret: a token, a password, a private key.

Bad:

    # Service down

    ## Procedure

    ```sh
    curl -H 'Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P' http://x
    ```

Good:

    # Service down

    ## Procedure

    ```sh
    curl -H "Authorization: Bearer $TOKEN" http://x
    ```
"""

from collections.abc import Iterator

from responder.model.redaction import MARK, redact
from responder.runbooks.lint.contract import Finding, Runbook


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield each secret that would be redacted on a page."""
    text = "\n".join(runbook.document.lines)
    shown = redact(text)
    if shown == text:
        return
    at = before = 0
    while (mark := shown.find(MARK, at)) >= 0:
        end = shown.find("]", mark) + 1
        kind = shown[mark + len(MARK) : end - 1]
        before += mark - at
        line = text.count("\n", 0, before) + 1
        column = before - (text.rfind("\n", 0, before) + 1) + 1
        if not text.startswith(shown[mark:end], before):
            yield Finding(line, column, f"this looks like a secret ({kind})", "replace it by a variable, and revoke it")
        following = shown[end : end + 40]
        begin = text.find(following, before) if following else len(text)
        before, at = max(begin, before), end
