"""The dead man's switch decides from received Watchdogs, and never from responder's own downtime."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from responder.model.alert import Alert
from responder.model.heartbeat import Heartbeat, HeartbeatState
from responder.model.incident import ChangeKind, Incident
from responder.model.rule import Action, ExpectedHeartbeat
from responder.triage.decide import decide
from responder.triage.heartbeat import after_check, decide_heartbeat, heartbeats
from responder.triage.rule_index import RuleIndex
from tests.support.builders import NOW, a_book, a_group, a_rule, an_alert, an_incident

MINUTE = timedelta(minutes=1)
EU = ExpectedHeartbeat(cluster="prod-eu", max_gap=600.0, rule=a_rule(id="heartbeat-prod-eu", matchers=()))
PROD = replace(EU, cluster="prod")
WATCHDOG = a_rule(action=Action.HEARTBEAT, probes=(), channels=())
BOOK = a_book(WATCHDOG, heartbeats=(EU, PROD))


def seen(*alerts: Alert, cluster: str = "") -> list[str]:
    """The clusters that a notification of these alerts is a heartbeat of."""
    group = a_group(*alerts, cluster=cluster)
    decision = decide(group, BOOK, RuleIndex(BOOK.rules), None, 1, NOW)
    found = list(heartbeats(decision, group, BOOK, NOW))
    assert all(record_heartbeat == Heartbeat(record_heartbeat.cluster, NOW) for record_heartbeat in found)
    return [record_heartbeat.cluster for record_heartbeat in found]


def a_pulse(age: float | None, since: float = 120.0) -> HeartbeatState:
    """Seen ``age`` minutes ago, watched for ``since`` minutes without a break."""
    seen_at = None if age is None else NOW - age * MINUTE
    return HeartbeatState(cluster="prod-eu", seen_at=seen_at, since=NOW - since * MINUTE, watched_at=NOW)


def verdict(
    heartbeat_state: HeartbeatState, incident: Incident | None = None, waiting: float = 0.0
) -> ChangeKind | None:
    """The decision; the oldest undecided notification is ``waiting`` minutes old."""
    found = decide_heartbeat(EU, heartbeat_state, incident, BOOK, NOW - waiting * MINUTE)
    return found[0].change.kind if found else None


def test_the_cluster_is_named_by_the_address_or_by_the_label() -> None:
    """One Alertmanager may serve many clusters, and one webhook address a cluster of many Prometheus servers."""
    nameless = an_alert(labels={"cluster": ""})
    assert seen(an_alert()) == ["prod-eu"]
    assert seen(nameless, cluster="prod-eu") == ["prod-eu"]
    assert seen(an_alert(labels={"cluster": "eu-1"}), cluster="prod-eu") == ["prod-eu"]
    assert seen(nameless) == ["prod"]
    assert seen(an_alert(), nameless) == ["prod", "prod-eu"]
    assert seen(an_alert(labels={"cluster": "x"}), nameless) == ["prod"]


def test_only_what_fires_and_is_expected_counts() -> None:
    """A resolved Watchdog does not count, and unexpected names fill no table."""
    assert seen(an_alert(firing=False, ends_at=NOW)) == []
    assert seen(an_alert(labels={"alertname": "SomethingElse"})) == []
    assert seen(an_alert(labels={"cluster": "unheard-of"})) == []


@pytest.mark.parametrize(
    ("heartbeat_state", "expected"),
    [
        (a_pulse(9.9), None),
        (a_pulse(10.1), ChangeKind.NEW),
        (a_pulse(None, since=9.9), None),
        (a_pulse(None, since=10.1), ChangeKind.NEW),
        (a_pulse(90.0, since=9.9), None),
        (a_pulse(90.0, since=10.1), ChangeKind.NEW),
    ],
)
def test_silence_counts_from_the_last_sign_or_from_when_we_began_to_watch(
    heartbeat_state: HeartbeatState, expected: ChangeKind | None
) -> None:
    """A service that was down for an hour pages only if the Watchdog stays away while it watches."""
    assert verdict(heartbeat_state) is expected


def test_a_watchdog_behind_a_storm_is_not_missing() -> None:
    """An undecided notification may be the Watchdog."""
    assert verdict(a_pulse(12.0)) is ChangeKind.NEW
    assert verdict(a_pulse(12.0), waiting=5.0) is None


def test_one_incident_until_it_is_back() -> None:
    """A cluster that stays silent is paged once, and its return ends the incident."""
    open_one = an_incident(opened_at=NOW - 20 * MINUTE)
    assert verdict(a_pulse(30.0), open_one) is None
    assert verdict(a_pulse(None), open_one) is None
    assert verdict(a_pulse(1.0), open_one) is ChangeKind.RESOLVED
    over = replace(open_one, open=False)
    assert verdict(a_pulse(1.0), over) is None
    assert verdict(a_pulse(11.0), over) is ChangeKind.NEW


def test_the_page_says_since_when_and_how_long_is_allowed() -> None:
    """The reason is a sentence that can be checked."""
    found = decide_heartbeat(EU, a_pulse(12.0), None, BOOK, NOW)
    assert found is not None
    decision, group = found
    assert decision.change.reason == "no Watchdog from prod-eu since 2026-02-28 02:29 UTC (limit 10 min)"
    assert (decision.severity.name, decision.subject.name, group.cluster) == ("P1", "prod-eu", "prod-eu")


def test_after_a_break_in_watching_silence_counts_anew() -> None:
    """Being away for an hour must not look like an hour of silence; a restart of seconds changes nothing."""
    before = a_pulse(5.0)
    assert after_check("prod-eu", before, NOW + 0.5 * MINUTE) == replace(before, watched_at=NOW + 0.5 * MINUTE)
    after = NOW + 60 * MINUTE
    assert after_check("prod-eu", before, after) == replace(before, since=after, watched_at=after)
    assert after_check("prod-eu", None, NOW) == HeartbeatState(
        cluster="prod-eu", seen_at=None, since=NOW, watched_at=NOW
    )


def test_a_clock_that_jumped_back_does_not_hide_silence() -> None:
    """A heartbeat from the future would count as one for as long as the clock was wrong."""
    earlier = NOW - 60 * MINUTE
    assert after_check("prod-eu", a_pulse(0.0), earlier) == HeartbeatState(
        cluster="prod-eu", seen_at=earlier, since=earlier, watched_at=earlier
    )
