"""A section is empty, or still has the text of the template.

Bad:

    # Service down

    ## Escalation

    When and how to escalate.

Good:

    # Service down

    ## Escalation

    After 15 minutes call the On-Call Secondary.
"""

import re
from collections.abc import Iterator

from responder.runbooks.document import Section
from responder.runbooks.lint.contract import Finding, Runbook

#: Text of the template of ``responder runbooks new``, and of the template that it follows.
TEMPLATE_TEXT = frozenset(
    {
        "brief description of when to use this runbook.",
        "how to confirm the issue is resolved.",
        "when and how to escalate.",
        "access requirements tools needed knowledge prerequisites",
        "what alerts fire what users report observable symptoms",
        "user impact business impact severity level",
        "metrics to review documentation to update follow-up actions",
    }
)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_MARKUP = re.compile(r"^\s*(?:[-*+]|\d+\.)\s+", re.MULTILINE)


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield each section without content of its own and without sub-sections."""
    sections = runbook.document.sections
    for number, each in enumerate(sections):
        following = sections[number + 1] if number + 1 < len(sections) else None
        if following is not None and (following.level > each.level or (number == 0 and each.level == 1)):
            continue  # the title stands for the file, also where the sections below it are of the same level
        if reason := _reason(each):
            yield Finding(each.line, 1, f"the section '{each.title}' {reason}", "write it, or remove the heading")


def _reason(section: Section) -> str:
    text = " ".join(_MARKUP.sub("", _COMMENT.sub("", section.text)).split())
    if not text.strip("-*_ "):
        return "is empty"
    return "has only the text of the template" if text.lower() in TEMPLATE_TEXT else ""
