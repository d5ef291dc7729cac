"""A page held back by a closed window is sent when it opens, by any process, with the reason for the delay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from responder.engine.jobs.paging_windows import PagingWindowJob
from responder.engine.simulation import Simulation
from responder.engine.workers.triage import IncidentWriter
from responder.model.report import MessageKind
from responder.model.rule import Rule
from responder.notify.report.compose import compose_message as as_letter
from responder.rulebook.backtest.outcome import outcome
from responder.store.database import Database
from responder.store.outbox import claims
from tests.conftest import HandClock
from tests.support.builders import NOW, a_group, a_resolved_alert
from tests.unit.engine.test_pipeline import CHANNELS_USED, IN_OFFICE_HOURS, a_delivery, a_desk
from tests.unit.engine.workers.test_triage import FIRING, LABELS, OVER, Shop
from tests.unit.receive.test_alertmanager import a_body, an_alert

#: Monday, after the window of Saturday's incident has opened.
MONDAY = datetime(2026, 3, 2, 9, 0, 5, tzinfo=UTC)
HOUR = 3600.0
RENAMED = replace(IN_OFFICE_HOURS, id="renamed")


@pytest.fixture
def shop(database: Database, clock: HandClock) -> Iterator[Shop]:
    """A shop with office hours, on a Saturday night."""
    found = Shop(database, clock)
    found.context = a_desk(IN_OFFICE_HOURS)
    yield found
    found.diagnosis.close()


def at(shop: Shop, moment: datetime) -> None:
    """Let time pass until then, and look, as any process may."""
    shop.clock.move((moment - shop.clock.now()).total_seconds())
    PagingWindowJob(shop.database, IncidentWriter(shop.database, shop.clock), lambda: shop.context, shop.clock).run()


def pager(shop: Shop) -> list[str]:
    """Messages sent to the paging channel."""
    return [row[0] for row in shop.rows("SELECT step FROM messages WHERE channel = 'pagerduty' ORDER BY id")]


def test_what_still_fires_pages_when_the_window_opens(shop: Shop) -> None:
    """Monday at nine on-call is paged without a notification, once, with Monday's diagnosis and the reason."""
    shop.deliver(a_body(alerts=[FIRING]))
    at(shop, MONDAY.replace(hour=8))
    assert pager(shop) == []
    at(shop, MONDAY)
    at(shop, MONDAY.replace(minute=1))
    assert pager(shop) == ["trigger"]
    assert shop.rows("SELECT channels FROM incidents") == [("slack pagerduty",)]
    assert shop.rows("SELECT state FROM diagnoses ORDER BY id") == [("waiting",), ("waiting",)]
    ((number,),) = shop.rows("SELECT id FROM messages WHERE channel = 'pagerduty'")
    with shop.database.read() as connection:
        row = claims.peek(connection, number)
    assert row is not None
    message = as_letter(row, row.message.due_at)
    assert message.report.update == "Paging window office opened; still firing"
    assert (message.report.kind, message.report.pages, message.report.pending) == (MessageKind.START, True, ("tcp",))
    assert "not paged outside" not in message.report.severity_reason
    shop.deliver(a_body(alerts=[FIRING]))
    assert pager(shop) == ["trigger"]
    shop.deliver(a_body(alerts=[OVER], status="resolved"))
    assert pager(shop) == ["trigger", "resolve"]


def test_nobody_is_woken_for_what_is_over(shop: Shop) -> None:
    """An incident resolved on Sunday is not paged on Monday."""
    shop.deliver(a_body(alerts=[FIRING]), a_body(alerts=[OVER], status="resolved"))
    at(shop, MONDAY)
    assert pager(shop) == []


@pytest.mark.parametrize("change", ["silenced = 'silenced by alice'", "resolve_reason = 'it flaps'", "channels = ''"])
def test_nobody_is_woken_for_what_is_silenced_held_or_told_in_a_digest(shop: Shop, change: str) -> None:
    """Silenced incidents, those about to resolve and those in a digest are not paged by the window."""
    shop.deliver(a_body(alerts=[FIRING]))
    with shop.database.write() as connection:
        connection.execute(text(f"UPDATE incidents SET {change}"))
    at(shop, MONDAY)
    assert pager(shop) == []


@pytest.mark.parametrize("gone", ["notifications", "payloads"])
def test_a_notification_that_is_not_kept_any_more_is_paged_all_the_same(shop: Shop, gone: str) -> None:
    """If retention deleted the payload, the page is composed from Saturday's message."""
    shop.deliver(a_body(alerts=[FIRING]))
    with shop.database.write() as connection:
        connection.execute(text(f"DELETE FROM {gone}"))
    at(shop, MONDAY)
    assert pager(shop) == ["trigger"]
    ((report,),) = shop.rows("SELECT facts FROM messages WHERE channel = 'pagerduty'")
    assert b"opened; still firing" in report


def test_what_is_known_to_fire_pages_though_the_last_notification_does_not_name_it(shop: Shop) -> None:
    """One of two alerts was resolved in a notification that left the other out, which Alertmanager still lists."""
    two = an_alert(labels={**LABELS, "instance": "2"}, fingerprint="2222222222222222")
    shop.deliver(a_body(alerts=[FIRING, two]), a_body(alerts=[OVER], status="resolved"))
    with shop.database.write() as connection:
        connection.execute(text("UPDATE incidents SET resolve_reason = '', resolve_at = NULL, review_at = NULL"))
    at(shop, MONDAY)
    assert pager(shop) == ["trigger"]


def test_a_rule_that_breaks_on_monday_still_pages(shop: Shop) -> None:
    """A bug in triage is no reason to keep quiet."""
    shop.deliver(a_body(alerts=[FIRING]))
    shop.context = replace(shop.context, matching=None)  # type: ignore[arg-type]
    at(shop, MONDAY)
    assert pager(shop) == ["trigger"]


@pytest.mark.parametrize("first_look", [NOW.replace(day=28, hour=20), MONDAY])
def test_a_rule_that_was_renamed_meanwhile_keeps_its_promise(shop: Shop, first_look: datetime) -> None:
    """Rules are edited over the weekend: the incident is judged by the rule that has its place now."""
    shop.deliver(a_body(alerts=[FIRING]))
    shop.context = a_desk(RENAMED)
    at(shop, first_look)
    assert shop.rows("SELECT rule FROM incidents") == [("renamed",)]
    at(shop, MONDAY)
    assert pager(shop) == ["trigger"]


def test_a_window_that_is_taken_away_does_not_silence_what_waited_for_it(shop: Shop) -> None:
    """The rule pages at any time from now on: so does its incident, at the next look or with its next notification."""
    shop.deliver(a_body(alerts=[FIRING]), a_body(alerts=[FIRING], groupKey="other"))
    shop.context = a_desk(replace(IN_OFFICE_HOURS, pages_in={}))
    shop.deliver(a_body(alerts=[FIRING]))
    assert pager(shop) == ["trigger"]
    at(shop, NOW.replace(hour=20))
    assert pager(shop) == ["trigger", "trigger"]


def test_a_key_that_is_added_pages_what_is_open(shop: Shop) -> None:
    """If PagerDuty is configured while a P1 is open, it gets the page once."""
    without = {name: channel for name, channel in CHANNELS_USED.items() if name != "pagerduty"}
    shop.context = a_desk(channels=without)
    shop.deliver(a_body(alerts=[FIRING]))
    at(shop, NOW.replace(hour=20))
    assert pager(shop) == []
    shop.context = a_desk()
    at(shop, NOW.replace(hour=20, minute=1))
    at(shop, NOW.replace(hour=20, minute=2))
    assert pager(shop) == ["trigger"]


def test_a_rule_without_a_pager_wakes_nobody(shop: Shop) -> None:
    """A window limits when to page, and channels limit where: without a paging channel nothing pages."""
    shop.context = a_desk(replace(IN_OFFICE_HOURS, channels=("slack",)))
    shop.deliver(a_body(alerts=[FIRING]))
    at(shop, MONDAY)
    shop.deliver(a_body(alerts=[FIRING]))
    assert pager(shop) == []


def test_a_night_of_incidents_does_not_page_all_at_once(shop: Shop) -> None:
    """Twenty-five of them leave in the order they came, ten with each look."""
    shop.deliver(*(a_body(alerts=[FIRING], groupKey=f"g{number}") for number in range(25)))
    with shop.database.write() as connection:
        connection.execute(text("UPDATE incidents SET channels = 'slack', digest = ''"))
    at(shop, MONDAY)
    assert len(pager(shop)) == 10
    at(shop, MONDAY.replace(second=15))
    at(shop, MONDAY.replace(second=25))
    assert len(pager(shop)) == 25


def test_what_cannot_be_judged_any_more_does_not_keep_others_from_being_paged(shop: Shop) -> None:
    """Incidents of a rule that is gone, whose notifications are gone too, wait for the next one: the others do not."""
    shop.context = a_desk(replace(IN_OFFICE_HOURS, id="a-rule-that-is-gone"))
    shop.deliver(*(a_body(alerts=[FIRING], groupKey=f"g{number}") for number in range(10)))
    with shop.database.write() as connection:
        connection.execute(text("DELETE FROM payloads"))
    shop.context = a_desk(IN_OFFICE_HOURS)
    shop.deliver(a_body(alerts=[FIRING]))
    at(shop, MONDAY)
    assert pager(shop) == ["trigger"]


def rehearsed(*notifications: tuple[float, bool], rule: Rule = IN_OFFICE_HOURS) -> list[bool]:
    """For each notification of a history (hours after NOW, firing or not), True if a backtest pages."""
    rehearsal = Simulation(a_desk(rule))
    decided = [
        rehearsal.decide(a_group() if fires else a_group(a_resolved_alert()), a_delivery(number, hours * HOUR))
        for number, (hours, fires) in enumerate(notifications, 1)
    ]
    return [outcome(each, "pagerduty").pages for each in decided]


def test_a_backtest_pages_when_serve_would_have() -> None:
    """A week of replayed alerts says the same as the week did: the page of Monday at nine is counted, once."""
    assert rehearsed((0, True), (24, True), (58, True), (59, True), (60, False)) == [False, False, True, False, False]
    assert rehearsed((0, True), (58, False)) == [False, True], "it resolved at noon, and paged at nine"
    assert rehearsed((0, True), (24, False), (58, True)) == [False, False, True], "a new one, within office hours"
    assert rehearsed((0, True), (24, False)) == [False, False]


def test_a_page_of_the_window_is_counted_once_whatever_comes_after_it() -> None:
    """A notification that changes nothing does not bring the page of Monday a second time."""
    rehearsal = Simulation(a_desk(IN_OFFICE_HOURS))
    rehearsal.decide(a_group(), a_delivery(5))
    stale = [rehearsal.decide(a_group(), a_delivery(1, hours * HOUR)) for hours in (58, 59)]
    assert [outcome(each, "pagerduty").pages for each in stale] == [True, False]
    assert stale[0].decision is not None
    assert stale[0].decision.reason.endswith("by time alone: paging window office opened; still firing")
