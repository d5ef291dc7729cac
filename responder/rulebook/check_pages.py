"""The page of each code: what it means, a bad example and a good one. Those of the checks are their docstrings."""

from __future__ import annotations

import re
import sys
from typing import Final

from responder.rulebook.checks import CHECKS

_EXAMPLE = re.compile(r"^(Bad|Good):\n\n((?:    .*\n|\n)+)", re.MULTILINE)

_READING: Final = {
    "no-rules": "The folder cannot be read, or holds no *.yaml file: there is nothing to check.\n",
    "unreadable": "A rule file cannot be read. What it says is unknown, so nothing is said to be missing either.\n",
    "encoding": "A rule file is UTF-8 text without control characters.\n",
    "too-big": "A rule file has at most 8 MiB, and a text in it at most 65,536 characters.\n",
    "too-deep": "A rule file nests at most 32 deep; rules need five levels.\n",
    "syntax": """The file is not YAML, or holds more than one document.

Bad:

    platform: {environment: prod

Good:

    platform: {environment: prod, namespace: shop}
""",
    "duplicate-key": """A key stands twice in one mapping: YAML readers silently keep one of the values.

Bad:

    platform: {environment: prod, namespace: shop, environment: test}

Good:

    platform: {environment: prod, namespace: shop}
""",
    "alias": """Anchors, aliases and merge keys are not read: a rule must say itself what it does.

Bad:

    escalation: &names [On-Call]
    urls: *names

Good:

    escalation: [On-Call]
""",
    "tag": """Tags such as !include are not read.

Bad:

    escalation: !include people.yaml

Good:

    escalation: [On-Call]
""",
    "unknown-key": """Nobody reads this key: most likely it is misspelt.

Bad:

    platform: {environment: prod, namespace: shop, exportrs: []}

Good:

    platform: {environment: prod, namespace: shop, exporters: []}
""",
    "missing-key": """A key that must be there is not.

Bad:

    platform: {environment: prod}

Good:

    platform: {environment: prod, namespace: shop}
""",
    "bad-value": """A value has the wrong type or form. Durations have a unit: 8s, 30m, 1h30m, 1d.

Bad:

    platform: {environment: 7, namespace: shop}

Good:

    platform: {environment: "7", namespace: shop}
""",
    "bad-ignore": """A comment that silences a finding has a code that can be silenced, a date and a reason.

Bad:

    # responder: ignore unused-probe
    probes: {spare: {kind: tcp, target: "${health}"}}

Good:

    # responder: ignore unused-probe until=2999-12-31 reason="for the next release"
    probes: {spare: {kind: tcp, target: "${health}"}}
""",
    "expired-ignore": """A comment that silences a finding is past its date, and the finding is back.

Bad:

    # responder: ignore unused-probe until=2020-12-31 reason="for the next release"
    probes: {spare: {kind: tcp, target: "${health}"}}

Good:

    # responder: ignore unused-probe until=2999-12-31 reason="for the next release"
    probes: {spare: {kind: tcp, target: "${health}"}}
""",
    "unused-ignore": """A comment silences a finding that is not there. It would hide the next one.

Bad:

    # responder: ignore unused-probe until=2999-12-31 reason="for the next release"
    platform: {environment: prod, namespace: shop}

Good:

    platform: {environment: prod, namespace: shop}
""",
}

#: Every code a problem can have.
CODES: Final = (*CHECKS, *_READING)


def page(code: str) -> str:
    """The page of a code. Raises KeyError for a code that does not exist."""
    if code in CHECKS:
        return sys.modules[CHECKS[code].__module__].__doc__ or ""
    return _READING[code]


def examples(code: str) -> dict[str, str]:
    """The ``Bad`` and the ``Good`` example of a page, as YAML; both, or none."""
    found = _EXAMPLE.findall(page(code))
    return {name: "".join(line[4:] + "\n" for line in text.rstrip().split("\n")) for name, text in found}
