"""Registry of the checks across files, by problem code. A new check is a file here, a line below and a test case."""

from __future__ import annotations

from responder.rulebook.checks import (
    after_catch_all,
    bad_channel,
    bad_matcher,
    bad_probe,
    bad_team,
    duplicate_id,
    idle_adjust,
    idle_window,
    impossible_match,
    missing_platform,
    no_catch_all,
    no_heartbeat_rule,
    over_budget,
    pager_unused,
    pages_nobody,
    plain_regex,
    shadowed_rule,
    shadowed_value,
    shut_window,
    unasked_probe,
    unguaranteed_key,
    unguaranteed_label,
    unknown_channel,
    unknown_contact,
    unknown_probe,
    unknown_probe_kind,
    unknown_runbook,
    unknown_section,
    unknown_service,
    unknown_severity,
    unknown_team,
    unknown_window,
    unknown_zone,
    unused_pack,
    unused_probe,
    unused_window,
)
from responder.rulebook.rule_files import Check

#: Errors: ``serve`` refuses rule files with one of these problems.
REQUIRED: dict[str, Check] = {
    "missing-platform": missing_platform.check,
    "duplicate-id": duplicate_id.check,
    "bad-matcher": bad_matcher.check,
    "no-catch-all": no_catch_all.check,
    "no-heartbeat-rule": no_heartbeat_rule.check,
    "after-catch-all": after_catch_all.check,
    "unknown-severity": unknown_severity.check,
    "unknown-service": unknown_service.check,
    "unknown-contact": unknown_contact.check,
    "unknown-probe": unknown_probe.check,
    "unknown-probe-kind": unknown_probe_kind.check,
    "bad-probe": bad_probe.check,
    "unknown-window": unknown_window.check,
    "unknown-zone": unknown_zone.check,
    "bad-channel": bad_channel.check,
    "unknown-channel": unknown_channel.check,
    "unknown-team": unknown_team.check,
    "bad-team": bad_team.check,
    "unknown-runbook": unknown_runbook.check,
    "unknown-section": unknown_section.check,
}

#: Warnings about valid but probably wrong rules: only in ``rules check``, and a comment can suppress them.
ADVICE: dict[str, Check] = {
    "impossible-match": impossible_match.check,
    "shadowed-rule": shadowed_rule.check,
    "shadowed-value": shadowed_value.check,
    "plain-regex": plain_regex.check,
    "pages-nobody": pages_nobody.check,
    "pager-unused": pager_unused.check,
    "over-budget": over_budget.check,
    "unguaranteed-label": unguaranteed_label.check,
    "unasked-probe": unasked_probe.check,
    "idle-adjust": idle_adjust.check,
    "shut-window": shut_window.check,
    "idle-window": idle_window.check,
    "unguaranteed-key": unguaranteed_key.check,
    "unused-probe": unused_probe.check,
    "unused-pack": unused_pack.check,
    "unused-window": unused_window.check,
}

CHECKS: dict[str, Check] = REQUIRED | ADVICE
