"""Resolves that were held back or contradicted are settled in time, by any process."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from responder.engine.jobs.recheck import RecheckJob
from responder.engine.simulation import Simulation
from responder.engine.workers.triage import IncidentWriter
from responder.model.incident import ChangeKind
from responder.store.database import Database
from tests.conftest import HandClock
from tests.support.builders import a_group, a_resolved_alert
from tests.support.builders import an_alert as a_noun
from tests.unit.engine.test_pipeline import a_delivery, a_desk
from tests.unit.engine.workers.test_triage import FIRING, LABELS, OVER, Shop
from tests.unit.receive.test_alertmanager import a_body, an_alert

TWO = an_alert(labels={**LABELS, "instance": "2"}, fingerprint="2222222222222222")
TWO_OVER = {**TWO, "status": "resolved", "endsAt": "2026-11-23T10:00:00Z"}

A, B, A_OVER = a_noun(), a_noun(labels={"instance": "b"}), a_resolved_alert()


@pytest.fixture
def shop(database: Database, clock: HandClock) -> Iterator[Shop]:
    """A shop that is open."""
    found = Shop(database, clock)
    yield found
    found.diagnosis.close()


def reviewed(shop: Shop, minutes: float) -> None:
    """Let time pass, then look again, as another process than the one that decided may."""
    shop.clock.move(60 * minutes)
    RecheckJob(shop.database, IncidentWriter(shop.database, shop.clock), lambda: shop.context, shop.clock).run()


def pager(shop: Shop) -> list[str]:
    """Messages sent to the paging channel."""
    return [row[0] for row in shop.rows("SELECT step FROM messages WHERE channel = 'pagerduty' ORDER BY id")]


def test_an_end_that_was_held_back_is_sent_to_all(shop: Shop) -> None:
    """PagerDuty and the thread get the resolve, with the reason, once."""
    shop.deliver(a_body(alerts=[FIRING, TWO]), a_body(alerts=[OVER], status="resolved"))
    reviewed(shop, 5)
    assert pager(shop) == ["trigger"]
    reviewed(shop, 1)
    reviewed(shop, 1)
    assert pager(shop) == ["trigger", "resolve"]
    ((is_open, review_at),) = shop.rows("SELECT open, review_at FROM incidents")
    assert (is_open, review_at) == (0, None)
    ((report,),) = shop.rows("SELECT facts FROM messages WHERE step = 'resolve'")
    assert b"silenced or inhibited" in report


def test_a_contradiction_that_lasts_pages(shop: Shop) -> None:
    """One Alertmanager resolved the alert and another keeps it firing: on-call is paged after six minutes."""
    shop.clock.move((1764000000 - shop.clock.now().timestamp()) // 1)
    body = a_body(alerts=[FIRING])
    ended = shop.clock.now() - timedelta(minutes=1)
    over = {**OVER, "startsAt": FIRING["startsAt"], "endsAt": ended.isoformat()}
    shop.deliver(body, a_body(alerts=[over], status="resolved"), body)
    reviewed(shop, 5)
    assert pager(shop) == ["trigger", "resolve"]
    reviewed(shop, 1)
    assert pager(shop) == ["trigger", "resolve", "trigger"]
    assert shop.rows("SELECT open, flaps FROM incidents") == [(1, 1)]
    ((report,),) = shop.rows("SELECT facts FROM messages WHERE channel = 'pagerduty' ORDER BY id DESC LIMIT 1")
    assert b"not reported as resolved within 6 minutes" in report


def test_an_incident_whose_messages_are_gone_still_ends(shop: Shop) -> None:
    """If retention deleted the last report, the resolve is composed from the incident itself."""
    shop.deliver(a_body(alerts=[FIRING, TWO]), a_body(alerts=[OVER], status="resolved"))
    with shop.database.write() as connection:
        connection.execute(text("DELETE FROM messages"))
    reviewed(shop, 6)
    assert pager(shop) == ["resolve"]
    assert shop.rows("SELECT open FROM incidents") == [(0,)]


def test_an_end_that_is_taken_back_is_not_told(shop: Shop) -> None:
    """The other Alertmanager of the pair says that the second one fires: the incident stays open."""
    shop.deliver(
        a_body(alerts=[FIRING, TWO]),
        a_body(alerts=[OVER], status="resolved"),
        a_body(alerts=[TWO]),
    )
    reviewed(shop, 10)
    assert pager(shop) == ["trigger"]
    shop.deliver(a_body(alerts=[TWO_OVER], status="resolved"))
    assert pager(shop) == ["trigger", "resolve"]


def test_a_rehearsal_lets_time_pass_too() -> None:
    """A backtest ends incidents as serve would have: what returns a day later is a new one and pages."""
    rehearsal = Simulation(a_desk())
    minutes = iter((0, 1, 24 * 60))
    effects = [
        rehearsal.decide(group, a_delivery(number, 60 * next(minutes)))
        for number, group in enumerate((a_group(A, B), a_group(A_OVER), a_group(A, B)), 1)
    ]
    assert [each.decision and each.decision.change.kind for each in effects] == [
        ChangeKind.NEW,
        ChangeKind.PARTLY_RESOLVED,
        ChangeKind.NEW,
    ]
