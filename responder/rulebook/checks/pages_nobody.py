"""A rule can give a severity that wakes somebody, and names no channel that does.

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

from __future__ import annotations

from collections.abc import Iterator

from responder.model.problem import Problem
from responder.rulebook.defaults import channels_of, severities_of
from responder.rulebook.rule_files import RuleFiles, RuleReferences


def check(draft: RuleFiles, around: RuleReferences) -> Iterator[Problem]:
    """Rules with a severity that pages, and channels that only write."""
    paging = {entry.name for entry in draft.severities if entry.value.pages}
    pagers = frozenset(around.pagers)
    for entry in draft.told:
        given = channels_of(entry, draft)
        if entry.value.action != "notify" or not given or not pagers.isdisjoint(given):
            continue
        if wakes := sorted(paging & severities_of(entry.value, draft)):
            place = entry.at("channels") if entry.value.channels is not None else entry.at("id")
            said = f"'{entry.name}' may be {wakes[0]}, which pages, and no channel of it pages"
            hint = f"add {', '.join(sorted(around.pagers))} to channels, or give it a severity that does not page"
            yield Problem(place, "pages-nobody", said, hint)
