"""The file was changed after the date of its last update: it was edited without being read through.

Bad:

    # Service down

    **Last Updated**: 2026-10-01

Good:

    # Service down

    **Last Updated**: 2026-11-23
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from responder.model.problem import Level
from responder.runbooks.lint.contract import Finding, Runbook

#: A commit may be made the day after the edit, and in another time zone.
_TOLERANCE: Final = timedelta(days=1)


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield a date of the last update that is older than the last commit of the file; its history comes from git."""
    if runbook.updated is None or runbook.changed is None:
        return
    value, updated = runbook.updated
    if runbook.changed <= updated + _TOLERANCE:
        return
    said = f"last updated {updated}, but the last commit of this file is of {runbook.changed}"
    yield Finding(value.line, value.column, said, "read it through, and write the date of today", Level.WARNING)
