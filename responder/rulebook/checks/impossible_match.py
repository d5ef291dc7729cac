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
from responder.rulebook.analysis.constraints import impossible
from responder.rulebook.rule_files import RuleFiles, RuleReferences
from responder.rulebook.shadowing import profiles


def check(rule_files: RuleFiles, around: RuleReferences) -> Iterator[Problem]:
    """Rules with a label for which no value satisfies all their matchers."""
    for number, asked in profiles(rule_files, around).items():
        for name, constraint in asked.items():
            if impossible(constraint):
                entry = rule_files.rules[number]
                said = f"'{entry.name}' never matches: no value of {name} satisfies " + " and ".join(
                    str(matcher) for matcher in constraint.matchers
                )
                hint = "all matchers of a rule must hold; write alternatives as one regex: a|b"
                yield Problem(entry.at("match"), "impossible-match", said, hint)
