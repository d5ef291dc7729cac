"""Several Alertmanager groups as one incident: one page, and an end only when all of them have ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from responder.model.rule import SeverityFrom
from responder.store.database import Database
from tests.conftest import HandClock
from tests.unit.engine.test_pipeline import EVERYTHING, a_desk
from tests.unit.engine.workers.test_triage import Shop
from tests.unit.receive.test_alertmanager import a_body, an_alert, to_bytes

BY = SeverityFrom(names=("severity",), mapping={"critical": "P1", "warning": "P3"}, unknown="P3", otherwise="P3")
RULE = replace(EVERYTHING, severity=BY, gather=("service",), probes=())


def alert(name: str, *, over: bool = False, **labels: str) -> dict[str, Any]:
    """An alert of plato; each name is a group of its own."""
    end = {"status": "resolved", "endsAt": "2026-02-28T03:00:00Z"} if over else {}
    said = {"alertname": name, "service": "plato", "severity": "warning"} | labels
    mark = "".join(f"{ord(sign):02x}" for sign in name + labels.get("instance", ""))[:16].ljust(16, "0")
    return an_alert(labels=said, fingerprint=mark, startsAt="2026-02-28T02:41:00Z", **end)


def body(name: str, *alerts: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A notification of the group of this name."""
    over = all(each["status"] == "resolved" for each in alerts)
    usual = {"groupKey": f'{{}}:{{alertname="{name}"}}', "status": "resolved" if over else "firing"}
    return a_body(alerts=list(alerts), groupLabels={"alertname": name}, commonLabels={}, **usual | changes)


@pytest.fixture
def shop(database: Database, clock: HandClock) -> Iterator[Shop]:
    """A shop whose rule gathers by service."""
    found = Shop(database, clock)
    found.context = replace(a_desk(RULE), book=replace(a_desk(RULE).book, gathers=True))
    yield found
    found.diagnosis.close()


def said(shop: Shop) -> list[tuple[Any, ...]]:
    """Each incident: open, severity, channels."""
    return shop.rows("SELECT open, severity, channels FROM incidents ORDER BY notification")


def steps(shop: Shop) -> list[tuple[Any, ...]]:
    """Each message: channel and step."""
    return shop.rows("SELECT channel, step FROM messages ORDER BY id")


def test_two_groups_of_one_service_are_one_incident(shop: Shop) -> None:
    """The second group is an update of the first one's incident, and opens no other."""
    shop.deliver(body("Down", alert("Down")), body("Slow", alert("Slow")))
    assert said(shop) == [(1, "P3", "slack")]
    assert steps(shop) == [("slack", "post"), ("slack", "details"), ("slack", "edit"), ("slack", "reply")]
    [(outcome,)] = shop.rows("SELECT outcome FROM notifications WHERE id = 2")
    assert "another group joined: 1 more alert started firing" in outcome


def test_another_service_is_another_incident(shop: Shop) -> None:
    """Only what shares the labels is gathered."""
    shop.deliver(body("Down", alert("Down")), body("Slow", alert("Slow", service="nexus")))
    assert len(said(shop)) == 2


@pytest.mark.parametrize(
    "alerts",
    [
        (alert("Slow", service=""),),
        (alert("Slow"), alert("Slow", service="nexus", instance="2")),
    ],
)
def test_what_has_no_label_in_common_is_not_gathered(shop: Shop, alerts: tuple[dict[str, Any], ...]) -> None:
    """Alerts without the label, or of several services, do not flow together into one large incident."""
    shop.deliver(body("Down", alert("Down")), body("Slow", *alerts))
    assert len(said(shop)) == 2


@pytest.mark.parametrize("order", [("Down", "Slow"), ("Slow", "Down")])
def test_it_is_over_when_all_groups_are(shop: Shop, order: tuple[str, str]) -> None:
    """An incident resolves with the last of its groups, in any order, and once."""
    shop.deliver(body("Down", alert("Down")), body("Slow", alert("Slow")))
    first, last = order
    shop.deliver(body(first, alert(first, over=True)))
    assert said(shop) == [(1, "P3", "slack")]
    shop.deliver(body(first, alert(first, over=True)), body(last, alert(last)))
    assert said(shop) == [(1, "P3", "slack")]
    shop.deliver(body(last, alert(last, over=True)))
    assert said(shop) == [(0, "P3", "slack")]
    assert shop.rows("SELECT count(*) FROM gathered_groups") == [(0,)]


def test_a_group_that_is_cut_off_keeps_it_open(shop: Shop) -> None:
    """If max_alerts hides alerts of a group, resolving all others does not resolve the incident."""
    shop.deliver(body("Down", alert("Down")), body("Slow", alert("Slow"), truncatedAlerts=5))
    shop.deliver(body("Slow", alert("Slow", over=True), truncatedAlerts=5))
    shop.deliver(body("Down", alert("Down", over=True)))
    assert said(shop) == [(1, "P3", "slack")]
    shop.deliver(body("Slow", alert("Slow", over=True)))
    assert said(shop) == [(0, "P3", "slack")]


def test_alerts_of_a_group_that_are_not_named_any_more_do_not_keep_it_open(shop: Shop) -> None:
    """An alert silenced in one group does not hold the incident open after both groups have resolved."""
    two = (alert("Slow"), alert("Slow", instance="2"))
    shop.deliver(body("Down", alert("Down")), body("Slow", *two))
    shop.deliver(body("Slow", alert("Slow", over=True)))
    shop.deliver(body("Down", alert("Down", over=True)))
    assert said(shop) == [(0, "P3", "slack")]


def test_the_worst_group_says_how_bad_it_is(shop: Shop) -> None:
    """A warning of a second group does not make a P1 milder; when the P1 has ended it may."""
    shop.deliver(body("Down", alert("Down", severity="critical")), body("Slow", alert("Slow")))
    assert said(shop) == [(1, "P1", "pagerduty slack")]
    decisions = shop.rows("SELECT CAST(decision AS TEXT) FROM contents")
    assert '"severity":"P1"' in decisions[0][0]
    shop.deliver(body("Down", alert("Down", severity="critical", over=True)))
    assert said(shop)[0][:2] == (1, "P1")
    shop.deliver(body("Slow", alert("Slow"), alert("Slow", instance="2")))
    assert said(shop)[0][:2] == (1, "P3")


def test_a_worse_group_pages_into_the_same_incident(shop: Shop) -> None:
    """A P3 that a second group raises to P1 pages with the same dedup key."""
    shop.deliver(body("Slow", alert("Slow")), body("Down", alert("Down", severity="critical")))
    assert said(shop) == [(1, "P1", "slack pagerduty")]
    assert shop.rows("SELECT count(DISTINCT ordering_key) FROM messages") == [(1,)]
    assert ("pagerduty", "trigger") in steps(shop)


def test_repeated_and_old_notifications_of_each_group_are_silent(shop: Shop) -> None:
    """Repeated and duplicate notifications of merged groups send nothing."""
    shop.deliver(body("Down", alert("Down")), body("Slow", alert("Slow")))
    before = len(steps(shop))
    shop.deliver(body("Down", alert("Down")), body("Slow", alert("Slow")), body("Down", alert("Down")))
    assert len(steps(shop)) == before


def test_it_stays_one_incident_when_the_rules_stop_gathering(shop: Shop) -> None:
    """A change of the rules parts no open incident, and leaves none open for ever."""
    shop.deliver(body("Down", alert("Down")), body("Slow", alert("Slow")))
    shop.context = a_desk(replace(RULE, gather=()))
    shop.deliver(body("Slow", alert("Slow", over=True)), body("Down", alert("Down", over=True)))
    assert said(shop) == [(0, "P3", "slack")]
    shop.deliver(body("Down", alert("Down")))
    assert len(said(shop)) == 2


def test_an_incident_of_one_group_stays_alone_when_the_rules_begin_to_gather(shop: Shop) -> None:
    """An incident open under its own key resolves under that key."""
    gathering, shop.context = shop.context, a_desk(replace(RULE, gather=()))
    shop.deliver(body("Down", alert("Down")))
    shop.context = gathering
    shop.deliver(body("Down", alert("Down")), body("Slow", alert("Slow")))
    assert len(said(shop)) == 2
    shop.deliver(body("Down", alert("Down", over=True)))
    assert sorted(said(shop)) == [(0, "P3", "slack"), (1, "P3", "slack")]


def test_a_cluster_is_not_gathered_with_another(shop: Shop) -> None:
    """Plato in two clusters is two incidents."""
    for cluster in ("a", "b"):
        shop.inbox.keep(to_bytes(body("Down", alert("Down"))), cluster, shop.clock.now())
    shop.deliver()
    while shop.triage.step() == 0.0:
        pass
    assert len(said(shop)) == 2
