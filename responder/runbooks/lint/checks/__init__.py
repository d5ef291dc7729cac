"""Registry of the checks of runbooks, by problem code. A new check is a file here, a line below and a test case."""

from dataclasses import dataclass
from typing import Final

from responder.runbooks.lint.checks import (
    bad_character,
    bad_fence,
    bad_metadata,
    changed_since_update,
    command_syntax,
    dead_anchor,
    dead_link,
    empty_section,
    failed_since_update,
    fixed_address,
    fixed_time_range,
    incomplete_template,
    long_command,
    missing_section,
    no_expected_output,
    no_language,
    no_undo,
    no_verification,
    personal_name,
    placeholder,
    refused_command,
    secret,
    section_order,
    severity_mismatch,
    stale,
    step_number,
    step_without_command,
    unknown_contact,
    unknown_placeholder,
    unknown_target,
    unmarked_danger,
    url_mismatch,
    vague_step,
)
from responder.runbooks.lint.contract import Check, Profile

_ALL: Final = frozenset(Profile)
_RUNBOOKS: Final = frozenset({Profile.TEMPLATE, Profile.PLAIN})
_TEMPLATE: Final = frozenset({Profile.TEMPLATE})


@dataclass(frozen=True, slots=True)
class LintCheck:
    """A check, and the kinds of files to which it applies."""

    check: Check
    profiles: frozenset[Profile]


CHECKS: Final[dict[str, LintCheck]] = {
    "missing-section": LintCheck(missing_section.check, _TEMPLATE),
    "section-order": LintCheck(section_order.check, _TEMPLATE),
    "empty-section": LintCheck(empty_section.check, _ALL),
    "placeholder": LintCheck(placeholder.check, _ALL),
    "bad-metadata": LintCheck(bad_metadata.check, _TEMPLATE),
    "stale": LintCheck(stale.check, _ALL),
    "changed-since-update": LintCheck(changed_since_update.check, _ALL),
    "failed-since-update": LintCheck(failed_since_update.check, _ALL),
    "step-number": LintCheck(step_number.check, _RUNBOOKS),
    "step-without-command": LintCheck(step_without_command.check, _TEMPLATE),
    "vague-step": LintCheck(vague_step.check, _TEMPLATE),
    "no-expected-output": LintCheck(no_expected_output.check, _TEMPLATE),
    "no-verification": LintCheck(no_verification.check, _TEMPLATE),
    "command-syntax": LintCheck(command_syntax.check, _ALL),
    "bad-character": LintCheck(bad_character.check, _ALL),
    "no-language": LintCheck(no_language.check, _ALL),
    "bad-fence": LintCheck(bad_fence.check, _ALL),
    "refused-command": LintCheck(refused_command.check, _ALL),
    "unknown-placeholder": LintCheck(unknown_placeholder.check, _TEMPLATE),
    "unknown-target": LintCheck(unknown_target.check, _TEMPLATE),
    "long-command": LintCheck(long_command.check, _TEMPLATE),
    "fixed-address": LintCheck(fixed_address.check, _TEMPLATE),
    "fixed-time-range": LintCheck(fixed_time_range.check, _ALL),
    "personal-name": LintCheck(personal_name.check, _TEMPLATE),
    "unmarked-danger": LintCheck(unmarked_danger.check, _RUNBOOKS),
    "no-undo": LintCheck(no_undo.check, _RUNBOOKS),
    "secret": LintCheck(secret.check, _ALL),
    "dead-link": LintCheck(dead_link.check, _ALL),
    "dead-anchor": LintCheck(dead_anchor.check, _ALL),
    "unknown-contact": LintCheck(unknown_contact.check, _ALL),
    "url-mismatch": LintCheck(url_mismatch.check, _ALL),
    "severity-mismatch": LintCheck(severity_mismatch.check, _ALL),
    "incomplete-template": LintCheck(incomplete_template.check, _ALL),
}
