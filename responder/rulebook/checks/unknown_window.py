"""A rule, a severity or `defaults` names an unknown window.

Any file may define windows in `windows`.

Bad:

    rules:
      - {id: down, match: 'alertname="A"', severity: P1, first_step: Look., channels: [pagerduty], pages_in: office}

Good:

    windows:
      office: {zone: Europe/Berlin, days: [mon, tue, wed, thu, fri], hours: 09:00-17:00}
    rules:
      - {id: down, match: 'alertname="A"', severity: P1, first_step: Look., channels: [pagerduty], pages_in: office}
"""

from collections.abc import Iterator

from responder.model.problem import Problem
from responder.model.suggestions import Suggestions
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield names of windows that no file defines."""
    suggest = Suggestions()
    names = rule_files.names("windows")
    if "windows" in rule_files.invalid.get("parts", set()):
        return
    for entry in rule_files.rules_and_defaults():
        wanted = entry.value.pages_in
        named = {(): wanted} if isinstance(wanted, str) else {(key,): name for key, name in (wanted or {}).items()}
        for path, name in named.items():
            if name not in names:
                said = f"unknown window '{name}'"
                yield Problem(entry.at("pages_in", *path), "unknown-window", said, suggest(name, names))
    for severity in rule_files.severities:
        window = severity.value.reminders.window
        if window is not None and window not in names:
            said = f"unknown window '{window}'"
            yield Problem(severity.at("reminders", "window"), "unknown-window", said, suggest(window, names))
