"""A rule can give a severity that pages, but has no channel that pages.

Bad:

    rules:
      - id: down
        match: alertname="ServiceDown"
        severity: {from: severity, map: {critical: P1}, otherwise: P3}
        first_step: Look.
        channels: [slack]

Good:

    rules:
      - id: down
        match: alertname="ServiceDown"
        severity: {from: severity, map: {critical: P1}, otherwise: P3}
        first_step: Look.
        channels: [pagerduty, slack]
"""

from collections.abc import Iterator

from responder.model.problem import Problem
from responder.rulebook.defaults import destinations_of, severities_of, team_channels
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(rule_files: RuleFiles, around: RuleReferences) -> Iterator[Problem]:
    """Yield rules with a severity that pages and without a channel that pages."""
    paging = {entry.name for entry in rule_files.severities if entry.value.pages}
    pagers = frozenset(rule_files.pager_names(around))
    for entry in rule_files.paging_rules:
        found = destinations_of(entry, rule_files)
        given = (*found.channels, *team_channels(found, rule_files))
        if entry.value.action != "notify" or not given or not pagers.isdisjoint(given):
            continue
        if reaches_on_call := sorted(paging & severities_of(entry.value, rule_files)):
            position = entry.at("channels") if entry.value.channels is not None else entry.at("id")
            said = f"'{entry.name}' can be {reaches_on_call[0]}, which pages, but has no channel that pages"
            hint = f"add {', '.join(sorted(pagers))} to its channels, or use a severity that does not page"
            yield Problem(position, "pages-nobody", said, hint)
