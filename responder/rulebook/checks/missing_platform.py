"""`platform` says what the installation is called: exactly one file holds it.

It holds the environment and the namespace of alerts that name none. Severities must be there as well.

Bad:

    services: {}

Good:

    platform: {environment: prod, namespace: shop}
"""

from __future__ import annotations

from collections.abc import Iterator

from responder.model.problem import Position, Problem
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """`platform` in no file, and no severities at all: a page could not be written."""
    start = Position(rule_files.documents[0].name, 1, 1)
    spoiled = rule_files.spoiled.get("parts", set())
    if not rule_files.platforms and "platform" not in spoiled:
        hint = "write platform: {environment: prod, namespace: ...} in one of the files"
        yield Problem(start, "missing-platform", "no file says what the platform is called", hint)
    if not rule_files.names("severities") and "severities" not in spoiled:
        hint = "write severities: {P1: {...}, ...}, worst first"
        yield Problem(start, "missing-platform", "no file defines a severity", hint)
