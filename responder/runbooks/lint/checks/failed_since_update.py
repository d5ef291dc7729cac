"""An incident with this runbook re-fired or took over a day since the last update: something in it is missing.

Bad:

    # Service down

    **Last Updated**: 2026-10-01

Good:

    # Service down

    **Last Updated**: 2026-11-23
"""

from collections.abc import Iterator
from typing import Final

from responder.model.problem import Level
from responder.model.text import number_of
from responder.runbooks.lint.contract import Finding, Runbook

#: Incidents that are named.
_NAMED: Final = 3


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield a date of the last update before incidents in which the runbook failed; these come from the database."""
    if runbook.updated is None:
        return
    value, updated = runbook.updated
    later = [each for each in runbook.failures if each.opened > updated]
    if later:
        named = ", ".join(f"{each.incident} {each.outcome}" for each in later[:_NAMED])
        more = f" and {len(later) - _NAMED} more" if len(later) > _NAMED else ""
        said = f"{number_of(len(later), 'incident')} since {updated} that it did not solve: {named}{more}"
        hint = "add what was missing, and write the date of today"
        yield Finding(value.line, value.column, said, hint, Level.WARNING)
