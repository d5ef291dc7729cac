"""`heartbeats` are configured, but no rule has `action: heartbeat`.

The Watchdog needs a rule with `action: heartbeat` that is not in shadow; without it every cluster in `heartbeats`
would be reported as missing.

Bad:

    heartbeats:
      - {cluster: prod-eu, max_gap: 10m, channels: [slack]}

Good:

    heartbeats:
      - {cluster: prod-eu, max_gap: 10m, channels: [slack], severity: P3}
    rules:
      - {id: watchdog, match: 'alertname="Watchdog"', severity: P3, first_step: Nothing., action: heartbeat}
"""

from collections.abc import Iterator

from responder.model.problem import Problem
from responder.rulebook.rule_files import Entry, RuleFiles, RuleReferences
from responder.rulebook.rule_schema import RuleShape


def check(rule_files: RuleFiles, _around: RuleReferences) -> Iterator[Problem]:
    """Yield heartbeats without a live rule that records them."""
    if rule_files.invalid.get("rules") or rule_files.lacks("rules"):
        return
    if rule_files.heartbeats and not any(map(_records, rule_files.rules)):
        said = "heartbeats are configured, but no rule records them"
        hint = 'add a rule for alertname="Watchdog" with action: heartbeat'
        yield Problem(rule_files.heartbeats[0].at("cluster"), "no-heartbeat-rule", said, hint)


def _records(entry: Entry[RuleShape]) -> bool:
    return entry.value.action == "heartbeat" and entry.value.enabled
