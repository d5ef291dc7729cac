"""Explanation of each problem code of runbooks. Checks have theirs as module docstring, with examples."""

import re
import sys
from typing import Final

from responder.runbooks.lint.checks import CHECKS

_EXAMPLE = re.compile(r"^(Bad|Good):\n\n((?:    .*\n|\n)+)", re.MULTILINE)
_OTHERS: Final = {
    "unreadable": "A runbook cannot be read: it is no regular file, larger than 8 MiB, or outside of the repository.\n",
    "bad-ignore": "A comment that suppresses a problem needs a code, a date and a reason.\n",
    "expired-ignore": "A comment that suppresses a problem has expired, so the problem is reported again.\n",
    "unused-ignore": "A comment suppresses a problem that does not exist. It would hide the next one.\n",
}

#: All problem codes.
CODES: Final = (*CHECKS, *_OTHERS)


def page(code: str) -> str:
    """Return the explanation of a code; empty for an unknown one."""
    if code in CHECKS:
        return sys.modules[CHECKS[code].check.__module__].__doc__ or ""
    return _OTHERS.get(code, "")


def examples(code: str) -> dict[str, str]:
    """Return the ``Bad`` and ``Good`` examples of a code, as Markdown."""
    found = _EXAMPLE.findall(page(code))
    return {
        name: "".join(line.removeprefix("    ") + "\n" for line in text.rstrip().split("\n")) for name, text in found
    }
