"""A rule, `defaults` or a template names an unknown severity.

Severities are defined in `severities`, worst first.

Bad:

    rules:
      - {id: down, match: 'alertname="A"', severity: P9, first_step: Look., channels: [slack]}

Good:

    rules:
      - {id: down, match: 'alertname="A"', severity: P3, first_step: Look., channels: [slack]}
"""

from collections.abc import Iterator

from responder.model.problem import Position, Problem
from responder.model.suggestions import Suggestions
from responder.rulebook.rule_files import RuleFiles, RuleReferences
from responder.rulebook.rule_schema import RuleShape
from responder.rulebook.yaml.builder import Path


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield names of severities that no file defines."""
    suggest = Suggestions()
    names = rule_files.names("severities")
    if "severities" in rule_files.invalid.get("parts", set()):
        return
    for entry in rule_files.rules_and_defaults():
        windows = entry.value.pages_in
        for name in windows if isinstance(windows, dict) else ():
            if name not in names:
                yield _problem(entry.key("pages_in", name), name, names, suggest)
        for path, name in _uses(entry.value) if isinstance(entry.value, RuleShape) else ():
            if name not in names:
                yield _problem(entry.at(*path), name, names, suggest)
    for template in rule_files.templates:
        for field, text in template.value.fields.items():
            for name in text if isinstance(text, dict) else ():
                if name not in names:
                    yield _problem(template.key("fields", field, name), name, names, suggest)


def _problem(position: Position, name: str, names: set[str], suggest: Suggestions) -> Problem:
    return Problem(position, "unknown-severity", f"unknown severity '{name}'", suggest(name, names))


def _uses(rule: RuleShape) -> Iterator[tuple[Path, str]]:
    severity = rule.severity
    if isinstance(severity, str):
        yield ("severity",), severity
    else:
        yield from ((("severity", "map", value), name) for value, name in severity.map.items())
        yield ("severity", "otherwise"), severity.otherwise
        if severity.unknown is not None:
            yield ("severity", "unknown"), severity.unknown
    for number, adjust in enumerate(rule.adjust):
        for key, name in (("raise", adjust.raise_), ("lower", adjust.lower)):
            if isinstance(name, str):
                yield ("adjust", number, key), name
