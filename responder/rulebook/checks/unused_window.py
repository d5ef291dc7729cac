"""No rule and no severity uses the window: it is superfluous, or missing in a rule.

Bad:

    windows:
      office: {zone: Europe/Berlin, days: [mon], hours: 09:00-17:00}

Good:

    windows:
      office: {zone: Europe/Berlin, days: [mon], hours: 09:00-17:00}
    rules:
      - {id: down, match: 'alertname="A"', severity: P1, first_step: Look., channels: [pagerduty], pages_in: office}
"""

from collections.abc import Iterator

from responder.model.problem import Problem
from responder.rulebook.defaults import windows_of
from responder.rulebook.references import unused
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield windows that neither a rule, directly or by ``defaults``, nor a severity uses."""
    used = {name for entry in rule_files.rules for name in windows_of(entry, rule_files).values()}
    used |= {entry.value.reminders.window or "" for entry in rule_files.severities}
    return unused(
        rule_files.windows, used, "unused-window", "no rule uses the window", "use it in pages_in, or remove it"
    )
