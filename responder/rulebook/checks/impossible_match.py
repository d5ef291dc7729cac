"""A rule has matchers that no alert can satisfy together.

Two matchers on one label can rule each other out. The rule looks as if it did something, and never does.

Bad:

    rules:
      - id: two-at-once
        match: alertname="ServiceDown", alertname=~"Kube.*"
        severity: P3
        first_step: Look.
        channels: [slack]

Good:

    rules:
      - id: one-of-two
        match: alertname=~"ServiceDown|Kube.*"
        severity: P3
        first_step: Look.
        channels: [slack]
"""

from __future__ import annotations

from collections.abc import Iterator

from responder.model.problem import Problem
from responder.rulebook.rule_files import RuleFiles, RuleReferences
from responder.rulebook.shadowing import analyzed


def check(rule_files: RuleFiles, around: RuleReferences) -> Iterator[Problem]:
    """Rules with a label for which no value satisfies all their matchers."""
    for number, name in analyzed(rule_files, around).never:
        entry = rule_files.rules[number]
        said = f"'{entry.name}' never matches: no value of {name} satisfies " + " and ".join(
            str(matcher) for matcher in rule_files.matchers[number] if matcher.name == name
        )
        hint = "all matchers of a rule must hold; write alternatives as one regex: a|b"
        yield Problem(entry.at("match"), "impossible-match", said, hint)
