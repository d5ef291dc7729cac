"""Waits for a lagging Alertmanager follow from its group_interval."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from responder.engine import pipeline
from responder.engine.effects.context import History
from responder.engine.simulation import Simulation
from responder.model.incident import ChangeKind
from responder.model.timing import USUAL, Timing
from responder.settings import InvalidSettings, read
from responder.triage.recheck import review
from tests.support.builders import NOW, a_group, a_resolved_alert, an_alert
from tests.unit.engine.test_pipeline import a_delivery, a_desk

LONG = Timing(timedelta(minutes=15))
OVER = a_resolved_alert()
OTHER = an_alert(labels={"instance": "2"})


def minutes(length: timedelta) -> float:
    """In minutes."""
    return length.total_seconds() / 60


def test_with_alertmanagers_own_default_the_waits_are_those_of_the_guide() -> None:
    """Six minutes for a peer, a quarter of an hour for old news, and the times of a flapping incident."""
    named = (USUAL.peer, USUAL.late, USUAL.same, USUAL.steady, USUAL.quiet, USUAL.quiet_at_most)
    assert [minutes(each) for each in named] == [6, 15, 30, 120, 10, 60]


@pytest.mark.parametrize("interval", [30, 60, 300, 600, 3600])
def test_no_wait_is_shorter_than_a_peer_may_take(interval: int) -> None:
    """At any interval, nothing is believed before the other Alertmanager could have notified."""
    timing = Timing(timedelta(seconds=interval))
    assert timing.group_interval < timing.peer
    assert timing.group_interval < timing.late
    assert timing.group_interval < timing.quiet < timing.same < timing.steady
    assert timing.quiet < timing.quiet_at_most < timing.steady


def contradicted(timing: Timing) -> tuple[bool, float]:
    """Pair: "firing" 10 minutes after the resolve is doubted, and the minutes until it is rechecked."""
    context = replace(a_desk(), timing=timing)
    first = pipeline.triage(a_group(), a_delivery(1), History(), context)
    over = pipeline.triage(a_group(OVER), a_delivery(2, 17 * 60), History(first.incident), context)
    again = pipeline.triage(a_group(), a_delivery(3, 27 * 60), History(over.incident), context)
    assert again.decision is not None
    assert again.incident is not None
    looked = again.incident.review_at
    if looked is None:
        return again.decision.change.kind is ChangeKind.DOUBTED, 0.0
    early = review(again.incident, looked - timedelta(seconds=1), timing)
    late = review(again.incident, looked, timing)
    assert (early.kind, late.kind) == (ChangeKind.REPEATED, ChangeKind.AGAIN)
    return again.decision.change.kind is ChangeKind.DOUBTED, minutes(looked - NOW) - 27


def test_a_peer_with_a_long_interval_is_given_its_time() -> None:
    """A peer that flushes every quarter of an hour corrects itself within sixteen minutes: nothing pages."""
    assert contradicted(USUAL) == (True, 6.0)
    assert contradicted(LONG) == (True, 16.0)
    assert contradicted(Timing(timedelta(minutes=1))) == (False, 0.0), "after ten minutes it is no old news"


@pytest.mark.parametrize("timing", [USUAL, LONG])
def test_what_is_not_named_any_more_is_held_open_as_long(timing: Timing) -> None:
    """The better informed peer speaks within its own interval."""
    context = replace(a_desk(), timing=timing)
    first = pipeline.triage(a_group(an_alert(), OTHER), a_delivery(1), History(), context)
    left = pipeline.triage(a_group(OVER), a_delivery(2, 17 * 60), History(first.incident), context)
    assert left.incident is not None
    assert left.incident.resolve_at == NOW + timedelta(minutes=17) + timing.peer


@pytest.mark.parametrize(("timing", "settled"), [(USUAL, True), (LONG, False)])
def test_a_rehearsal_waits_as_long_as_serve(timing: Timing, *, settled: bool) -> None:
    """A backtest settles a contradiction when it would have been settled."""
    rehearsal = Simulation(replace(a_desk(), timing=timing))
    for number, (at, alert) in enumerate(((0, an_alert()), (17, OVER), (18, an_alert()), (30, an_alert())), 1):
        rehearsal.decide(a_group(alert), a_delivery(number, at * 60))
    incident = rehearsal.known(a_group()).incident
    assert incident is not None
    assert incident.open is settled


def test_an_end_is_not_believed_before_it_can_have_been_notified() -> None:
    """Reconciliation faster than Alertmanager would resolve alerts that were only not sent yet."""
    env = {"RESPONDER_ALERTMANAGER_URL": "http://am:9093", "RESPONDER_GROUP_INTERVAL": "900"}
    with pytest.raises(InvalidSettings, match="GRACE is 600: write more than RESPONDER_GROUP_INTERVAL, 900"):
        read(env)
    assert read({**env, "RESPONDER_RECONCILE_GRACE": "1000"}).group_interval == 900
    assert read({"RESPONDER_GROUP_INTERVAL": "900"}).group_interval == 900, "without an address nothing is compared"
