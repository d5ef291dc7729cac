"""Severity and paging: labels, numbers, windows, shadow rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from responder.model.incident import Decision
from responder.model.rule import (
    Action,
    Adjustment,
    FindingCondition,
    Matcher,
    Op,
    Rule,
    SeverityFrom,
    SubjectFrom,
)
from responder.model.window import TimeRange, Window
from responder.triage.decide import decide, severity_of, unknown_word
from responder.triage.rule_index import RuleIndex
from tests.support.builders import a_book, a_group, a_rule, an_alert

GOLD = Matcher("tier", Op.EQUAL, "gold")
OFFICE = Window(
    name="office",
    zone=ZoneInfo("UTC"),
    days=frozenset(range(5)),
    spans=(TimeRange(time(9), time(17)),),
    holidays=frozenset(),
)
SUNDAY = datetime(2026, 3, 1, 12, tzinfo=UTC)
MONDAY = datetime(2026, 3, 2, 12, tzinfo=UTC)


def decided(*rules: Rule, alerts: int = 1, now: datetime = MONDAY, truncated: int = 0, **labels: str) -> Decision:
    """The decision on a new group of some ServiceDown alerts that share these labels."""
    members = [an_alert(labels={"instance": str(number)} | labels) for number in range(alerts)]
    book = a_book(*rules)
    return decide(a_group(*members, truncated=truncated), book, RuleIndex(book.rules), None, 1, now)


def a_p2(*adjust: Adjustment, **changes: Any) -> Rule:
    """A rule whose severity is P2, less these adjustments."""
    return a_rule(severity="P2", adjust=adjust, **changes)


@pytest.mark.parametrize(
    ("adjustment", "alerts", "severity"),
    [
        (Adjustment(matchers=(GOLD,), to="P1"), 1, "P1"),
        (Adjustment(matchers=(GOLD,), to="P3"), 1, "P2"),  # raising never lowers
        (Adjustment(matchers=(GOLD,), to="P1", raises=False), 1, "P2"),  # and lowering never raises
        (Adjustment(matchers=(GOLD,), to="P4", raises=False), 1, "P4"),
        (Adjustment(matchers=(GOLD,), steps=1), 1, "P1"),
        (Adjustment(matchers=(GOLD,), steps=9), 1, "P1"),
        (Adjustment(matchers=(GOLD,), steps=9, raises=False), 1, "P4"),
        (Adjustment(firing=3, to="P1"), 2, "P2"),
        (Adjustment(firing=3, to="P1"), 3, "P1"),
        (Adjustment(matchers=(GOLD,), firing=3, to="P1"), 2, "P2"),
        (Adjustment(matchers=(Matcher("tier", Op.EQUAL, "tin"),), to="P1"), 1, "P2"),
    ],
)
def test_conditions_raise_and_lower(adjustment: Adjustment, alerts: int, severity: str) -> None:
    """Conditions on labels and numbers decide the incident's severity."""
    assert decided(a_p2(adjustment), alerts=alerts, tier="gold").severity.name == severity


def test_alerts_that_were_cut_off_count() -> None:
    """A flood so large that Alertmanager cuts it is not taken for a small one."""
    assert decided(a_p2(Adjustment(firing=3, to="P1")), truncated=2).severity.name == "P1"


def test_the_first_that_holds_applies() -> None:
    """Adjustments are read from the top, as rules are."""
    first, second = Adjustment(matchers=(GOLD,), to="P1"), Adjustment(firing=2, to="P4", raises=False)
    assert decided(a_p2(first, second), alerts=2, tier="gold").severity.name == "P1"
    assert decided(a_p2(second, first), alerts=2, tier="gold").severity.name == "P4"


def test_the_reason_says_what_moved_it() -> None:
    """The reason for a P1 is recorded."""
    found = decided(a_p2(Adjustment(matchers=(GOLD,), firing=2, to="P1")), alerts=2, tier="gold")
    assert found.match.reason == (
        'set by the rule, raised from P2 to P1 because tier="gold" and 2 alerts fire (threshold 2)'
    )


def test_findings_are_left_for_the_diagnosis() -> None:
    """Triage does not guess what a probe will find, and hands on only what may still hold."""
    condition = (FindingCondition("health", ("bad",)),)
    found = decided(
        a_p2(
            Adjustment(findings=condition, matchers=(Matcher("tier", Op.EQUAL, "tin"),), to="P1"),
            Adjustment(findings=condition, to="P1"),
        ),
        tier="gold",
    )
    assert found.severity.name == "P2"
    assert [(adjustment.findings, adjustment.severity.name) for adjustment in found.adjustments] == [(condition, "P1")]


def test_a_shut_window_wakes_nobody_and_says_when_it_opens() -> None:
    """Outside business hours the decision stays, nothing pages, and the reason names the window."""
    rule = a_p2(pages_in={"P2": OFFICE})
    sunday, monday = decided(rule, now=SUNDAY), decided(rule, now=MONDAY)
    assert (sunday.severity.name, sunday.pages) == ("P2", False)
    assert sunday.suppressed_by == "not paged outside of office, which opens Mon 2026-03-02 09:00 (UTC)"
    assert sunday.suppressed_by in sunday.reason
    assert (monday.pages, monday.suppressed_by) == (True, "")


def test_a_window_of_one_severity_leaves_the_others_alone() -> None:
    """A P1 pages at any time where only P2 has a window."""
    rule = a_p2(Adjustment(matchers=(GOLD,), to="P1"), pages_in={"P2": OFFICE})
    assert decided(rule, now=SUNDAY, tier="gold").pages


FIRST = (Matcher("instance", Op.EQUAL, "0"),)
REAL = a_rule(severity="P3")


def test_a_heartbeat_never_speaks_for_what_people_are_told() -> None:
    """A heartbeat beside a P3 is a P3, however bad the heartbeat's severity."""
    record_heartbeat = a_rule(id="beat", matchers=FIRST, action=Action.HEARTBEAT, severity="P1")
    found = decided(record_heartbeat, REAL, alerts=2)
    assert (found.rule.id, found.severity.name) == ("service-down", "P3")


def test_a_rule_in_shadow_only_adds_what_it_would_have_decided() -> None:
    """A P1 on trial above a real P3 is a P3: the decision is that of the rules without it, with a few words more."""
    found, without = decided(a_rule(id="trial", shadow=True, severity="P1"), REAL), decided(REAL)
    assert (found.rule.id, found.severity.name, found.match.reason) == ("service-down", "P3", without.match.reason)
    assert found.reason == f"{without.reason}; in shadow, rule trial would decide: P1 set by the rule"
    assert (found.adjustments, found.key, found.pages) == (without.adjustments, without.key, without.pages)


def test_of_rules_in_shadow_the_first_above_the_deciding_one_counts() -> None:
    """It is the one that would decide if all left the shadow; one below the deciding rule never would."""
    first = a_rule(id="first", shadow=True, severity="P4")
    second = a_rule(id="second", shadow=True, severity="P1")
    assert str(decided(first, second, REAL).shadow) == "in shadow, rule first would decide: P4 set by the rule"
    assert decided(REAL, first, second).shadow is None
    assert decided(replace(first, matchers=(GOLD,)), REAL).shadow is None


def test_the_worst_of_a_group_on_trial_is_told_with_its_window() -> None:
    """Of several alerts the worst counts, as it does for the rules that decide; a shut window is part of the answer."""
    mild = a_rule(id="mild", shadow=True, severity="P4")
    bad = a_p2(id="bad", shadow=True, matchers=FIRST, pages_in={"P2": OFFICE})
    found = decided(bad, mild, REAL, alerts=2, now=SUNDAY)
    assert str(found.shadow).startswith("in shadow, rule bad would decide: P2 set by the rule; not paged outside of")
    record_heartbeat = a_rule(id="beat", shadow=True, action=Action.HEARTBEAT, severity="P1")
    assert str(decided(record_heartbeat, REAL).shadow) == "in shadow, rule beat would decide: heartbeat, no message"


@pytest.mark.parametrize(
    ("wanted", "labels", "service", "name"),
    [
        ([SubjectFrom(label="shop")], {"shop": "nexus"}, "nexus", "nexus"),
        ([SubjectFrom(label="shop")], {"shop": "nexus-0"}, "nexus", "nexus"),
        ([SubjectFrom(label="shop", mapping={"corner": "capsule"})], {"shop": "corner"}, "capsule", "capsule"),
        ([SubjectFrom(label="shop")], {"shop": "elsewhere"}, None, "elsewhere"),
        ([SubjectFrom(label="shop")], {}, "plato", "plato"),
        ([SubjectFrom(label="branch"), SubjectFrom(label="shop")], {"shop": "nexus"}, "nexus", "nexus"),
        ([SubjectFrom(label="branch"), SubjectFrom(label="shop")], {"branch": "b1", "shop": "nexus"}, None, "b1"),
    ],
)
def test_a_rule_may_say_which_label_is_the_subject(
    wanted: list[SubjectFrom], labels: dict[str, str], service: str | None, name: str
) -> None:
    """The first of the rule's labels that the alert has decides; where all are missing, the usual ones do."""
    book = a_book(a_rule(subject=tuple(wanted)))
    found = decide(a_group(an_alert(labels=labels)), book, RuleIndex(book.rules), None, 1, MONDAY).subject
    assert (found.service, found.name, found.values.get("service")) == (service, name, service)


def test_rules_without_conditions_are_as_they_were() -> None:
    """Features that a rule does not use have no cost and no effect."""
    found = decided(replace(a_rule(), severity="P2"))
    assert (found.adjustments, found.suppressed_by, found.match.reason) == ((), "", "set by the rule")


WORDS = SeverityFrom(
    names=("severity", "priority"), mapping={"critical": "P1", "p3": "P3"}, unknown="P2", otherwise="P4"
)


@pytest.mark.parametrize(
    ("labels", "annotations", "severity", "reason"),
    [
        ({"severity": "CRITICAL "}, {}, "P1", 'because severity="CRITICAL"'),
        ({"priority": "P3"}, {}, "P3", 'because priority="P3"'),
        ({"severity": "purple", "priority": "critical"}, {}, "P1", 'because priority="critical"'),
        ({}, {"priority": "Critical"}, "P1", 'because priority="Critical"'),
        ({"severity": "purple", "priority": "green"}, {}, "P2", 'because severity="purple" is not understood'),
        ({"severity": ""}, {}, "P4", "because it has no label severity or priority"),
    ],
)
def test_the_first_word_that_is_understood_gives_the_severity(
    labels: dict[str, str], annotations: dict[str, str], severity: str, reason: str
) -> None:
    """Case does not matter, a word in no map gives `unknown`, and `otherwise` is for alerts without any word."""
    rule = a_rule(severity=WORDS)
    alert = replace(an_alert(), labels=labels, annotations=annotations)
    found, why = severity_of(rule, alert, a_book(rule))
    assert (found.name, why) == (severity, reason)
    assert bool(unknown_word(rule, alert)) == ("not understood" in reason)
