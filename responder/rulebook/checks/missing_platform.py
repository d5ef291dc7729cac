"""`platform` or `severities` is missing.

Exactly one file has `platform`: the environment, and the namespace of services.

Bad:

    services: {}

Good:

    platform: {environment: prod, namespace: shop}
"""

from collections.abc import Iterator

from responder.model.problem import Position, Problem
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield a missing ``platform`` and missing ``severities``."""
    start = Position(rule_files.documents[0].name, 1, 1)
    if not rule_files.platforms and not rule_files.lacks("platform"):
        hint = "add platform: {environment: prod} to one file"
        yield Problem(start, "missing-platform", "no file has `platform`", hint)
    if not rule_files.names("severities") and not rule_files.lacks("severities"):
        hint = "add severities: {P1: {...}, ...}, worst first"
        yield Problem(start, "missing-platform", "no file has `severities`", hint)
