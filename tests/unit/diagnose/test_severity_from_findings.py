"""Severity changes by findings."""

from __future__ import annotations

import pytest

from responder.diagnose.conclude import matching_adjustment, result_name
from responder.model.finding import Finding, Verdict
from responder.model.incident import FindingAdjustment
from responder.model.rule import FindingCondition
from tests.support.builders import a_finding, a_severity

BAD = a_finding(headline="plato: refused")
WARNING = a_finding(warning=True)
OK, UNKNOWN, SKIPPED = a_finding(Verdict.OK), a_finding(Verdict.UNKNOWN), a_finding(Verdict.SKIPPED)


def a_turn(severity: str, *words: str, probe: str = "health") -> FindingAdjustment:
    """A turn to a severity where the probe is one of these words."""
    return FindingAdjustment(findings=(FindingCondition(probe, words),), severity=a_severity(severity))


@pytest.mark.parametrize(
    ("words", "findings", "applies"),
    [
        (("bad",), (BAD,), True),
        (("bad",), (WARNING,), False),
        (("warning",), (WARNING,), True),
        (("bad", "warning"), (WARNING,), True),
        (("ok",), (OK,), True),
        (("unknown",), (UNKNOWN,), True),
        (("bad",), (UNKNOWN,), False),
        (("ok",), (UNKNOWN,), False),
        (("bad",), (OK, BAD), True),  # of several answers the worst counts
        (("ok",), (OK, BAD), False),
        (("ok",), (OK, UNKNOWN), False),
        (("ok",), (OK, SKIPPED), True),
        (("ok", "bad", "warning", "unknown"), (SKIPPED,), False),
        (("ok", "bad", "warning", "unknown"), (), False),
    ],
)
def test_a_condition_holds_for_what_was_really_found(
    words: tuple[str, ...], findings: tuple[Finding, ...], *, applies: bool
) -> None:
    """Unknown reads neither as bad nor as ok, and a probe that did not run has no result."""
    assert (matching_adjustment([a_turn("P1", *words)], findings) is not None) is applies


def test_all_findings_of_a_turn_must_be_made() -> None:
    """Health bad and DNS fine is another thing than health bad alone."""
    both = FindingAdjustment(
        findings=(FindingCondition("health", ("bad",)), FindingCondition("dns", ("ok",))), severity=a_severity("P1")
    )
    dns = a_finding(Verdict.OK, probe="dns", headline="plato: 1 address")
    assert matching_adjustment([both], (BAD,)) is None
    assert matching_adjustment([both], (BAD, dns)) == (
        both,
        "plato: refused and plato: 1 address",
    )


def test_the_first_turn_that_applies_is_taken() -> None:
    """Turns are read from the top, as rules are."""
    first, second = a_turn("P1", "bad"), a_turn("P4", "bad", "ok")
    assert matching_adjustment([first, second], (BAD,)) == (first, "plato: refused")
    found = matching_adjustment([first, second], (OK,))
    assert found is not None
    assert found[0] is second


def test_every_verdict_has_a_word() -> None:
    """Rules can speak of whatever a probe answers."""
    assert [result_name(each) for each in (BAD, WARNING, UNKNOWN, OK, SKIPPED)] == [
        "bad",
        "warning",
        "unknown",
        "ok",
        "",
    ]
