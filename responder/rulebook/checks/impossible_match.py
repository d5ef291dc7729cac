"""The matchers of a rule contradict each other: no alert can satisfy all of them.

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

from collections.abc import Iterator

from responder.model.problem import Problem
from responder.rulebook.rule_files import RuleFiles, RuleReferences
from responder.rulebook.shadowing import analyzed


def check(rule_files: RuleFiles, around: RuleReferences) -> Iterator[Problem]:
    """Yield rules with a label of which no value satisfies all matchers."""
    for number, name in analyzed(rule_files, around).never:
        entry = rule_files.rules[number]
        said = f"'{entry.name}' never matches: no value of {name} satisfies " + " and ".join(
            str(matcher) for matcher in rule_files.matchers[number] if matcher.name == name
        )
        hint = "a rule matches if all its matchers hold; write alternatives as one regex: a|b"
        yield Problem(entry.at("match"), "impossible-match", said, hint)
