"""The time zone of a window is not a name of the IANA database.

Abbreviations such as CEST are not names of zones; most of them exclude daylight saving time.

Bad:

    windows:
      office: {zone: Europe/Berln, days: [mon], hours: 09:00-17:00}

Good:

    windows:
      office: {zone: Europe/Berlin, days: [mon], hours: 09:00-17:00}
    rules:
      - {id: down, match: 'alertname="A"', severity: P1, first_step: Look., channels: [pagerduty], pages_in: office}
"""

from collections.abc import Iterator
from zoneinfo import available_timezones

from responder.model.problem import Problem
from responder.model.suggestions import Suggestions
from responder.rulebook.field_types import zone
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield windows with a time zone that this system does not have."""
    suggest, known = Suggestions(), set[str]()
    for entry in rule_files.windows:
        name = entry.value.zone
        if zone(name) is None:
            known = known or available_timezones()
            hint = suggest(name, known) if len(name) < 64 else "use a name such as Europe/Berlin"
            yield Problem(entry.at("zone"), "unknown-zone", f"unknown time zone '{name[:80]}'", hint)
