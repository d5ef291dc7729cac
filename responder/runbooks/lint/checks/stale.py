"""The last update is too long ago: 180 days, or 90 for a critical runbook. An error at twice the age.

Bad:

    # Service down

    **Criticality**: Critical
    **Last Updated**: 2020-10-31

Good:

    # Service down

    **Criticality**: Critical
    **Last Updated**: 2026-10-31
"""

from collections.abc import Iterator

from responder.model.problem import Level
from responder.runbooks.lint.contract import Finding, Runbook


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield a date of the last update that is older than the limit."""
    if runbook.updated is None:
        return
    value, updated = runbook.updated
    age = (runbook.today - updated).days
    limit = runbook.critical_days if runbook.critical else runbook.stale_days
    if age > limit:
        level = Level.ERROR if age > 2 * limit else Level.WARNING
        said = f"last updated {age} days ago (limit {limit})"
        yield Finding(value.line, value.column, said, "read it through, and write the date of today", level)
