"""Floods: incidents with pages of their own, and the start and end of a digest."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from responder.model.flood import FloodCounter, FloodState
from responder.model.incident import Decision
from responder.model.rule import Severity
from responder.triage.flood import (
    ALIKE,
    FIRST_UPDATE,
    LAST_UPDATE,
    MOST,
    WINDOW,
    FloodVerdict,
    decide_paging,
    due,
    ended,
    follow_up_limit,
    has_receded,
    rate,
    with_follow_ups,
)
from tests.support.builders import NOW, a_decision, a_ruling, a_severity, a_subject, an_alert

LIMIT = 10
P1 = a_severity("P1", flood_above=LIMIT)
P3 = a_severity("P3", flood_above=LIMIT)


def new(name: str = "PodDown", service: str | None = None, severity: Severity = P1) -> Decision:
    """The decision on a new incident of that alert name, about a pod or about a service of the catalog."""
    match = replace(a_ruling(an_alert(labels={"alertname": name})), severity=severity)
    subject = a_subject(service=service, name=service or "a-pod")
    return replace(a_decision(), match=match, matches=(match,), subject=subject)


class Sea:
    """Incidents of one severity, one after the other."""

    def __init__(self) -> None:
        self.flood = FloodCounter(severity="P1")
        self.now = NOW
        self.number = 0

    def comes(self, decision: Decision, after: float = 0.0, **labels: str) -> FloodVerdict:
        """Another incident, some seconds after the last."""
        self.now += timedelta(seconds=after)
        self.number += 1
        flood_state = FloodState(self.now, {self.flood.severity: self.flood})
        flood_verdict = decide_paging(decision, labels, ("pagerduty",), flood_state, self.number)
        assert flood_verdict is not None
        self.flood = flood_verdict.flood
        return flood_verdict

    def storm(self, count: int, severity: Severity = P1) -> list[FloodVerdict]:
        """Similar incidents."""
        return [self.comes(new(severity=severity), node="worker-7") for _ in range(count)]


def test_below_the_limit_every_incident_has_its_page() -> None:
    """Ten in a minute are read one by one, and ten more in the next."""
    sea = Sea()
    assert not any(each.suppressed_by for each in sea.storm(LIMIT))
    sea.now += timedelta(seconds=WINDOW)
    assert not any(each.suppressed_by for each in sea.storm(LIMIT))
    assert not sea.flood.digest


def test_beyond_the_limit_a_digest_takes_over() -> None:
    """Of 300 alike, the first ten and a few more are paged; all others are in one digest that says so."""
    sea = Sea()
    flood_verdict = sea.storm(300)
    assert [bool(each.suppressed_by) for each in flood_verdict] == [False] * (LIMIT + ALIKE) + [True] * (
        300 - LIMIT - ALIKE
    )
    assert {each.flood.digest for each in flood_verdict[LIMIT:]} == {sea.flood.digest}
    assert sea.flood.digest in flood_verdict[-1].suppressed_by
    assert "300 new P1 incidents within 60 s" in flood_verdict[-1].suppressed_by
    assert sea.flood.in_digest == 300 - LIMIT - ALIKE


def test_a_single_p1_of_another_kind_is_paged_in_the_middle_of_a_flood() -> None:
    """Incidents unlike the flood are paged by themselves."""
    sea = Sea()
    sea.storm(300)
    fresh = sea.comes(new("DatabaseDown", "plato"))
    assert not fresh.suppressed_by
    assert "fewer than 3 of its incidents are DatabaseDown" in fresh.why


def test_a_service_that_the_flood_did_not_reach_is_paged() -> None:
    """The same alert about a service of the catalog that was well until now is news."""
    sea = Sea()
    sea.storm(300)
    assert "none of its incidents is about plato" in sea.comes(new("PodDown", "plato"), after=WINDOW / 2).why
    assert sea.comes(new("PodDown", "plato")).suppressed_by


def test_a_flood_of_things_unlike_each_other_is_bounded_too() -> None:
    """However many kinds there are, a minute has at most twice the limit of pages."""
    sea = Sea()
    flood_verdict = [sea.comes(new(f"Alert{number}", f"service-{number}")) for number in range(500)]
    assert sum(not each.suppressed_by for each in flood_verdict) == 2 * LIMIT


def test_what_wakes_nobody_is_left_to_the_digest() -> None:
    """A P3 unlike the others can wait for the digest to name it."""
    sea = Sea()
    sea.flood = FloodCounter(severity="P3")
    sea.storm(LIMIT, P3)
    assert sea.comes(new("Rare", "plato", P3)).suppressed_by


def test_a_limit_of_zero_knows_no_floods() -> None:
    """If floods are disabled, nothing is counted."""
    assert decide_paging(new(severity=a_severity("P1", flood_above=0)), {}, (), FloodState(NOW, {}), 1) is None


def test_the_end_needs_half_of_the_limit() -> None:
    """A rate that wavers about the limit neither ends nor begins a flood each time."""
    sea = Sea()
    sea.storm(30)
    assert not has_receded(sea.flood, P1, sea.now)
    for _ in range(12):
        sea.comes(new(), after=10.0)
    assert rate(sea.flood, sea.now) == 6
    assert not has_receded(sea.flood, P1, sea.now)
    assert has_receded(sea.flood, P1, sea.now + timedelta(seconds=15))
    assert not has_receded(ended(sea.flood), P1, sea.now)


def test_a_flood_ends_when_its_severity_is_gone_from_the_rules() -> None:
    """A change of the rules leaves no flood behind."""
    sea = Sea()
    sea.storm(30)
    assert has_receded(sea.flood, None, sea.now + timedelta(seconds=WINDOW))


def test_a_clock_that_jumps_back_does_not_hold_a_flood() -> None:
    """Arrivals an hour in the future are no arrivals."""
    sea = Sea()
    sea.storm(30)
    assert has_receded(sea.flood, P1, sea.now - timedelta(hours=1))


def test_updates_come_less_and_less_often() -> None:
    """An hour of flood makes a handful of messages, and none where nothing has come."""
    sea = Sea()
    sea.storm(30)
    moments: list[datetime] = []
    now = sea.now
    for _ in range(3600):
        now += timedelta(seconds=1)
        sea.flood = replace(sea.flood, in_digest=sea.flood.in_digest + 1)
        if due(sea.flood, now):
            moments.append(now)
            sea.flood = replace(
                sea.flood,
                notified_at=now.timestamp(),
                notified_in_digest=sea.flood.in_digest,
                updates=sea.flood.updates + 1,
            )
    assert len(moments) < 12
    assert (moments[2] - moments[1]).total_seconds() >= 2 * FIRST_UPDATE
    assert (moments[-1] - moments[-2]).total_seconds() == LAST_UPDATE
    assert not due(replace(sea.flood, in_digest=sea.flood.notified_in_digest), now + timedelta(days=1))


def test_pages_after_a_flood_are_paced() -> None:
    """Incidents announced only by the digest are paged at half of the limit per minute, and not during a flood."""
    sea = Sea()
    sea.storm(30)
    assert follow_up_limit(sea.flood, P1, sea.now) == 0
    later = sea.now + timedelta(seconds=WINDOW)
    calm = ended(sea.flood)
    assert follow_up_limit(calm, P1, later) == LIMIT // 2
    assert follow_up_limit(with_follow_ups(calm, 3, later), P1, later) == LIMIT // 2 - 3
    assert follow_up_limit(calm, replace(P3, pages=False), later) == 0


def test_what_is_remembered_is_bounded() -> None:
    """A flood of labels no two of which are alike does not fill the memory, and what is shared is kept."""
    sea = Sea()
    for number in range(MOST * 5):
        sea.comes(new(), pod=f"pod-{number}", node="worker-7")
    assert len(sea.flood.labels) <= MOST
    assert sea.flood.labels["node=worker-7"] == sea.flood.counted


def test_the_labels_of_an_exporter_are_not_what_incidents_have_in_common() -> None:
    """Incidents that one exporter reports share its address and namespace, and neither is where the cause is."""
    sea = Sea()
    subject = a_subject(service=None, name="cart", namespace="shop", rejected=("instance: it is the exporter's",))
    for number in range(LIMIT + 2):
        labels = {"instance": "10.42.1.17:8080", "namespace": "monitoring", "node": "worker-7"}
        sea.comes(replace(new(f"Alert{number}"), subject=subject), 0.0, **labels)
    assert sea.flood.labels == {"node=worker-7": 2}
