"""A section of the template is missing: the reader looks for it at 3 a.m.

Bad:

    # Service down

    ## Overview

    The service does not answer.

Good:

    # Service down

    ## Overview

    The service does not answer.

    ## Prerequisites

    `kubectl` with read access.

    ## Symptoms

    The alert ServiceDown fires.

    ## Impact

    Users cannot log in.

    ## Procedure

    Restart it.

    ## Verification

    It answers.

    ## Escalation

    Call the owner after 15 minutes.

    ## Post-Incident

    Write down the cause.
"""

from collections.abc import Iterator

from responder.runbooks.lint.contract import SECTIONS, Finding, Runbook


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield each section of the template that the runbook lacks."""
    sections = runbook.document.sections
    line = next((each.line for each in sections if each.level == 1), 1)
    for title in SECTIONS:
        if runbook.section(title) is None:
            hint = f"add '## {title}'; `responder runbooks new` writes the template"
            yield Finding(line, 1, f"the section '{title}' is missing", hint)
