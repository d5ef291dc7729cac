"""Effects of Alertmanager's list of alerts on an open incident."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from responder.model.incident import AlertState, Incident
from responder.triage.reconcile import (
    AlertmanagerUnavailable,
    AlertmanagerView,
    AlertPresence,
    ListedAlert,
    ReconcileResult,
    Silence,
    expected_alerts,
    reconcile,
)
from tests.support.builders import NOW, STARTED, an_incident

ONE, TWO = "00000000000000a1", "00000000000000b2"
GRACE = timedelta(minutes=10)
FIRING, SILENCED = ListedAlert(suppressed=False), ListedAlert(suppressed=True, silences=("s1",))
ALICE = Silence(id="s1", who="alice", until=NOW + timedelta(hours=2), comment="deploying 1.8.2")
OPEN: Incident = an_incident(alerts={ONE: AlertState(STARTED.timestamp()), TWO: AlertState(STARTED.timestamp())})


def a_view(server: str = "http://a", **changes: Any) -> AlertmanagerView:
    """An Alertmanager that is up for a day and lists other alerts."""
    usual = AlertmanagerView(server=server, up_since=NOW - timedelta(days=1), settling=False, total=7, alerts={})
    return replace(usual, **changes)


def of(
    *answers: AlertmanagerView | AlertmanagerUnavailable,
    incident: Incident = OPEN,
    incidents: int = 1,
    minutes: float = 0,
) -> ReconcileResult:
    """The verdict some minutes after NOW."""
    return reconcile(incident, answers, NOW + timedelta(minutes=minutes), GRACE, incidents)


def test_what_is_listed_as_active_fires() -> None:
    """If Alertmanager's list cannot be trusted, the incident stays as it is."""
    assert of(a_view(alerts={ONE: FIRING})).standing is AlertPresence.FIRING


@pytest.mark.parametrize(
    "other",
    [a_view("http://b"), a_view("http://b", alerts={ONE: SILENCED}), AlertmanagerUnavailable("http://b", "refused")],
)
def test_one_of_a_pair_that_lists_it_is_enough(other: AlertmanagerView | AlertmanagerUnavailable) -> None:
    """An alert that one replica lists fires, whatever the other replica answers."""
    assert of(other, a_view(alerts={TWO: FIRING})).standing is AlertPresence.FIRING


def test_a_silence_is_told_with_who_and_until_when() -> None:
    """The silence's author, expiry and comment are in the reason."""
    verdict = of(a_view(alerts={ONE: SILENCED}, silences={"s1": ALICE}))
    assert verdict == ReconcileResult(
        AlertPresence.SUPPRESSED, "silenced by alice until 2026-02-28 04:41 UTC: deploying 1.8.2"
    )


def test_the_longest_of_several_silences_is_told() -> None:
    """Alerts stay silenced until the last silence ends."""
    bob = Silence(id="s2", who="bob", until=NOW + timedelta(days=3), comment="")
    listed = ListedAlert(suppressed=True, silences=("s1", "s2"))
    verdict = of(a_view(alerts={ONE: listed}, silences={"s1": ALICE, "s2": bob}))
    assert verdict.reason == "silenced by bob (and 1 more) until 2026-03-03 02:41 UTC"


def test_a_silence_cannot_write_to_the_page_what_it_likes() -> None:
    """Its author's text is cleaned and rid of secrets like all that comes from outside."""
    silence = replace(ALICE, who="a\x1b[31m\n<!channel>", comment="password=hunter2")
    reason = of(a_view(alerts={ONE: SILENCED}, silences={"s1": silence})).reason
    assert "hunter2" not in reason
    assert "\n" not in reason


def test_what_inhibits_an_alert_is_named() -> None:
    """An alert hidden by another one is not silenced by anybody."""
    listed = ListedAlert(suppressed=True, inhibitors=("NodeDown",))
    assert of(a_view(alerts={ONE: listed})).reason == "inhibited by NodeDown"
    assert of(a_view(alerts={ONE: ListedAlert(suppressed=True)})).reason == "muted by a time interval"


def test_what_is_gone_is_over_after_the_grace_period() -> None:
    """A missing resolve: after ten minutes without the alert the incident resolves, with that reason."""
    first = of(a_view(), a_view("http://b"))
    assert first.standing is AlertPresence.GONE
    gone = replace(OPEN, gone_since=NOW)
    assert of(a_view(), incident=gone, minutes=9.9).standing is AlertPresence.GONE
    verdict = of(a_view(), a_view("http://b"), incident=gone, minutes=10)
    assert verdict.standing is AlertPresence.OVER
    assert verdict.reason == ("http://a and http://b has not listed it since 02:41 UTC, and no resolve was received")


def test_why_no_end_was_sent_is_said_where_it_is_known() -> None:
    """The resolve of a silenced alert is never sent: it is announced where the silence was."""
    gone = replace(OPEN, gone_since=NOW, silenced="silenced by alice until 2026-02-28 04:41 UTC")
    assert of(a_view(), incident=gone, minutes=10).reason.endswith("(silenced by alice until 2026-02-28 04:41 UTC)")


LONG_GONE = replace(OPEN, gone_since=NOW - timedelta(hours=1))


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ((AlertmanagerUnavailable("http://a", "refused"),), "http://a could not be queried: refused"),
        (
            (a_view(), AlertmanagerUnavailable("http://b", "timed out after 5.0 s")),
            "http://b could not be queried: timed out after 5.0 s",
        ),
        ((a_view(up_since=NOW - timedelta(minutes=9)),), "http://a started at 02:32 UTC"),
        ((a_view(up_since=NOW + timedelta(hours=1)),), "http://a started at 03:41 UTC"),
        ((a_view(settling=True),), "http://a has not synchronized with its cluster"),
        ((a_view(), a_view("http://b", up_since=NOW)), "http://b started at 02:41 UTC"),
        ((), "no Alertmanager is configured"),
    ],
)
def test_an_alertmanager_that_may_not_know_ends_nothing(
    answers: tuple[AlertmanagerView | AlertmanagerUnavailable, ...], why: str
) -> None:
    """An Alertmanager that is down, partly up, just restarted or missing proves nothing: the incident stays open."""
    verdict = of(*answers, incident=LONG_GONE)
    assert verdict.standing is AlertPresence.UNKNOWN
    assert why in verdict.reason


def test_an_empty_list_is_not_believed_where_many_are_open() -> None:
    """An Alertmanager without a single alert has lost its Prometheus sooner than all incidents have ended at once."""
    empty = a_view(total=0)
    assert of(empty, incident=LONG_GONE, incidents=3).standing is AlertPresence.UNKNOWN
    assert of(empty, incident=LONG_GONE, incidents=2).standing is AlertPresence.OVER


def test_only_what_an_alertmanager_can_know_is_asked_about() -> None:
    """Internal incidents (a silent cluster) and resolved ones are not compared with its list."""
    alerts = {ONE: AlertState(1.0), TWO: AlertState(1.0, 2.0), "heartbeat-prod-eu": AlertState(1.0)}
    assert expected_alerts(replace(OPEN, alerts=alerts)) == {ONE}
    assert expected_alerts(replace(OPEN, alerts=alerts, open=False)) == frozenset()
