"""An address in a table of critical URLs differs from the rules.

Bad:

    # Quick reference

    | Resource | URL |
    |---|---|
    | Grafana | https://old-grafana.example.org |

Good:

    # Quick reference

    | Resource | URL |
    |---|---|
    | Grafana | https://grafana.example.org |
"""

from collections.abc import Iterator

from responder.runbooks.lint.contract import Finding, Runbook


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield rows of a table with the columns Resource and URL that the rules contradict."""
    urls = runbook.catalog.urls if runbook.catalog else {}
    for row in runbook.rows("resource", "url"):
        if row.name in urls and row.value.strip("<>") != urls[row.name]:
            said = f"the address of '{row.name}' is {urls[row.name]} in the rules"
            yield Finding(row.line, row.column, said, "change one of them")
