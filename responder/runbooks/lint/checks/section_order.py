"""The sections of the template stand in another order, on another level or twice, or there is not one title.

Bad:

    # Service down

    ## Procedure

    Restart it.

    ## Overview

    The service does not answer.

Good:

    # Service down

    ## Overview

    The service does not answer.

    ## Procedure

    Restart it.
"""

from collections.abc import Iterator

from responder.model.problem import Level
from responder.runbooks.lint.contract import SECTIONS, Finding, Runbook

_ORDER = {title.lower(): number for number, title in enumerate(SECTIONS)}


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield each heading that is out of place."""
    sections = runbook.document.sections
    titles = [each for each in sections if each.level == 1]
    if not titles:
        yield Finding(1, 1, "the runbook has no title", "begin with '# Title'", Level.WARNING)
    for each in titles[1:]:
        yield Finding(each.line, 1, f"'{each.title}' is a second title", "write '## ' for sections", Level.WARNING)
    last, seen = -1, set[str]()
    for each in sections:
        name = each.title.lower()
        if name not in _ORDER or each.level == 1:
            continue
        if name in seen:
            if each.level == 2:
                yield Finding(each.line, 1, f"the section '{each.title}' is there twice", level=Level.WARNING)
            continue
        seen.add(name)
        if each.level != 2:
            yield Finding(each.line, 1, f"'{each.title}' is on level {each.level}", "write '## '", Level.WARNING)
        elif _ORDER[name] < last:
            before = SECTIONS[last]
            yield Finding(each.line, 1, f"'{each.title}' stands after '{before}'", _order(), Level.WARNING)
        last = max(last, _ORDER[name])


def _order() -> str:
    return f"the order is: {', '.join(SECTIONS)}"
