"""Explanation of each problem code, with a bad and a good example. Checks have theirs as module docstring."""

import re
import sys
from typing import Final

from responder.rulebook.checks import CHECKS

_EXAMPLE = re.compile(r"^(Bad|Good):\n\n((?:    .*\n|\n)+)", re.MULTILINE)

_READING: Final = {
    "no-rules": "The folder cannot be read, or holds no *.yaml file: there is nothing to check.\n",
    "unreadable": "A rule file cannot be read. Problems that its content could resolve are not reported.\n",
    "dead-link": "With --online: the page of a runbook does not exist (404 or 410), or could not be requested.\n",
    "encoding": "A rule file is UTF-8 text without control characters.\n",
    "too-big": "A rule file has at most 8 MiB, and a text in it at most 65,536 characters.\n",
    "too-deep": "A rule file nests at most 32 deep; rules need five levels.\n",
    "syntax": """The file is not YAML, or holds more than one document.

Bad:

    platform: {environment: prod

Good:

    platform: {environment: prod, namespace: shop}
""",
    "duplicate-key": """A mapping has the same key twice; YAML parsers silently keep one of the values.

Bad:

    platform: {environment: prod, namespace: shop, environment: test}

Good:

    platform: {environment: prod, namespace: shop}
""",
    "alias": """Anchors, aliases and merge keys are not supported: every rule must be complete.

Bad:

    escalation: &names [On-Call]
    urls: *names

Good:

    escalation: [On-Call]
""",
    "tag": """Tags such as !include are not supported.

Bad:

    escalation: !include people.yaml

Good:

    escalation: [On-Call]
""",
    "unknown-key": """The key is unknown, most likely misspelled.

Bad:

    platform: {environment: prod, namespace: shop, exportrs: []}

Good:

    platform: {environment: prod, namespace: shop, exporters: []}
""",
    "missing-key": """A required key is missing.

Bad:

    platform: {namespace: shop}

Good:

    platform: {environment: prod, namespace: shop}
""",
    "bad-value": """A value has the wrong type or format. Durations have a unit: 8s, 30m, 1h30m, 1d.

Bad:

    platform: {environment: 7, namespace: shop}

Good:

    platform: {environment: "7", namespace: shop}
""",
    "bad-ignore": """A comment that suppresses a problem needs a code that can be suppressed, a date and a reason.

Bad:

    # responder: ignore unused-probe
    probes: {spare: {kind: tcp, target: "${health}"}}

Good:

    # responder: ignore unused-probe until=2999-12-31 reason="for the next release"
    probes: {spare: {kind: tcp, target: "${health}"}}
""",
    "expired-ignore": """A comment that suppresses a problem has expired, so the problem is reported again.

Bad:

    # responder: ignore unused-probe until=2020-12-31 reason="for the next release"
    probes: {spare: {kind: tcp, target: "${health}"}}

Good:

    # responder: ignore unused-probe until=2999-12-31 reason="for the next release"
    probes: {spare: {kind: tcp, target: "${health}"}}
""",
    "unused-ignore": """A comment suppresses a problem that does not exist. It would hide the next one.

Bad:

    # responder: ignore unused-probe until=2999-12-31 reason="for the next release"
    platform: {environment: prod, namespace: shop}

Good:

    platform: {environment: prod, namespace: shop}
""",
}

#: All problem codes.
CODES: Final = (*CHECKS, *_READING)


def page(code: str) -> str:
    """Return the explanation of a code. Raises KeyError for an unknown code."""
    if code in CHECKS:
        return sys.modules[CHECKS[code].__module__].__doc__ or ""
    return _READING[code]


def examples(code: str) -> dict[str, str]:
    """Return the ``Bad`` and ``Good`` examples of a code, as YAML; both or none."""
    found = _EXAMPLE.findall(page(code))
    return {name: "".join(line[4:] + "\n" for line in text.rstrip().split("\n")) for name, text in found}
