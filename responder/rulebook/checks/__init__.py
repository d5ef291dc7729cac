"""The checks across files, each under the code of its problems. Adding one: a file here, a line below, a test case."""

from __future__ import annotations

from responder.rulebook.checks import (
    after_catch_all,
    bad_matcher,
    bad_probe,
    duplicate_id,
    missing_platform,
    no_catch_all,
    unknown_channel,
    unknown_contact,
    unknown_probe,
    unknown_probe_kind,
    unknown_runbook,
    unknown_section,
    unknown_service,
    unknown_severity,
)
from responder.rulebook.draft import Check

CHECKS: dict[str, Check] = {
    "missing-platform": missing_platform.check,
    "duplicate-id": duplicate_id.check,
    "bad-matcher": bad_matcher.check,
    "no-catch-all": no_catch_all.check,
    "after-catch-all": after_catch_all.check,
    "unknown-severity": unknown_severity.check,
    "unknown-service": unknown_service.check,
    "unknown-contact": unknown_contact.check,
    "unknown-probe": unknown_probe.check,
    "unknown-probe-kind": unknown_probe_kind.check,
    "bad-probe": bad_probe.check,
    "unknown-channel": unknown_channel.check,
    "unknown-runbook": unknown_runbook.check,
    "unknown-section": unknown_section.check,
}
