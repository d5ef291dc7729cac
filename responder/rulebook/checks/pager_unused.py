"""A rule lists a paging channel, but none of its severities pages: nothing is ever sent there.

Only channels of the rule itself are checked, not those of its file's `defaults`.

Bad:

    rules:
      - id: slow
        match: alertname="HighLatency"
        severity: P3
        first_step: Look.
        channels: [pagerduty, slack]

Good:

    rules:
      - id: slow
        match: alertname="HighLatency"
        severity: P3
        first_step: Look.
        channels: [slack]
"""

from collections.abc import Iterator

from responder.model.problem import Level, Problem
from responder.rulebook.defaults import severities_of
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, around: RuleReferences) -> Iterator[Problem]:
    """Yield paging channels of rules none of whose severities pages."""
    paging = {entry.name for entry in rule_files.severities if entry.value.pages}
    pagers = rule_files.pager_names(around)
    for entry in rule_files.paging_rules:
        for number, name in enumerate(entry.value.channels or ()):
            if name in pagers and not (severities := severities_of(entry.value, rule_files)) & paging:
                said = f"'{entry.name}' never reaches {name}: {', '.join(sorted(severities))} does not page"
                hint = f"remove {name}, or give the rule a severity that pages"
                yield Problem(entry.at("channels", number), "pager-unused", said, hint, Level.WARNING)
