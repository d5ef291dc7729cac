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

import re
from collections.abc import Iterator

from responder.model.redaction import MARK, redact
from responder.runbooks.lint.contract import Finding, Runbook

#: A variable of the shell between quotes, and values of examples.
_NO_VALUE = re.compile(
    r"\$\{?[A-Za-z_]|foo|b[ao]z|example|dummy|changeme|(?-i:\b(?:PASS|PASSWORD|SECRET|TOKEN)\b)", re.IGNORECASE
)


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
        following = shown[end : end + 40]
        begin = text.find(following, before) if following else len(text)
        value = text[before : max(begin, before)]
        if not text.startswith(shown[mark:end], before) and not _NO_VALUE.search(value):
            yield Finding(line, column, f"this looks like a secret ({kind})", "replace it by a variable, and revoke it")
        before, at = max(begin, before), end
