"""A delivery that breaks triage is an incident like any other: paged once, seen by all, and closed when it is over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from responder.engine.effects.failure_page import bare
from responder.engine.effects.triage_failure import UNREADABLE
from responder.engine.jobs.recheck import Review
from responder.engine.workers.incident_writer import Ledger
from responder.model.alert import AlertGroup
from responder.model.incident import Incident
from responder.model.rule import Action
from responder.receive.alertmanager import parse
from responder.receive.salvage import salvage
from responder.store.database import Database
from responder.store.incidents import incidents
from responder.triage.reconcile import asked_about
from tests.conftest import HandClock
from tests.unit.engine.test_pipeline import EVERYTHING, a_delivery, a_desk
from tests.unit.engine.workers.test_triage import FIRING, LABELS, OVER, Shop
from tests.unit.receive.test_alertmanager import a_body, an_alert, to_bytes

BROKEN = a_desk(replace(EVERYTHING, severity="P9"))
"""A desk on which every delivery breaks triage."""
BEGUN = a_body(alerts=[FIRING])
ENDED = a_body(alerts=[OVER], status="resolved")
MILD = an_alert(labels={**LABELS, "severity": "warning"})
MORE = an_alert(labels={**LABELS, "instance": "2"}, fingerprint="2222222222222222")


@pytest.fixture
def shop(database: Database, clock: HandClock) -> Iterator[Shop]:
    """A shop in which triage is broken, until a test mends it."""
    found = Shop(database, clock)
    found.desk = BROKEN
    yield found
    found.diagnosis.close()


def sent(shop: Shop, channel: str = "pagerduty") -> list[str]:
    """What a channel was sent."""
    return [row[0] for row in shop.rows(f"SELECT step FROM messages WHERE channel = '{channel}' ORDER BY id")]


def the_incident(shop: Shop) -> Incident:
    """The one that there is."""
    ((name,),) = shop.rows("SELECT id FROM incidents")
    with shop.database.read() as connection:
        found = incidents.find(connection, name)
    assert found is not None
    return found


def key_of(body: dict[str, object]) -> str:
    """The dedup key that the group has anyway."""
    return parse(to_bytes(body)).dedup_key


def test_it_is_an_incident_with_the_key_of_its_group(shop: Shop) -> None:
    """It is listed, PagerDuty merges it with whatever else knows the group, and reconciliation asks about it."""
    shop.deliver(BEGUN)
    incident = the_incident(shop)
    assert (incident.open, incident.severity, incident.dedup_key) == (True, "P1", key_of(BEGUN))
    assert incident.channels == ("pagerduty", "slack")
    assert asked_about(incident) == {FIRING["fingerprint"]}
    assert shop.rows("SELECT state, incident FROM deliveries") == [("failed", incident.id)]
    assert sent(shop) == ["trigger"]


def test_people_hear_of_it_once_while_triage_stays_broken(shop: Shop) -> None:
    """The same notification four hours later wakes nobody; more that fires is told to who reads along."""
    shop.deliver(BEGUN, BEGUN, BEGUN)
    assert sent(shop) == ["trigger"]
    assert sent(shop, "slack") == ["post", "details"]
    shop.deliver(a_body(alerts=[FIRING, MORE]))
    assert sent(shop) == ["trigger"]
    assert sent(shop, "slack") == ["post", "details", "edit", "reply"]


def test_its_end_is_told_though_triage_is_still_broken(shop: Shop) -> None:
    """A plain reading of the notification says that all is resolved: nobody stays paged for a bug of ours."""
    shop.deliver(BEGUN, ENDED)
    assert not the_incident(shop).open
    assert sent(shop) == ["trigger", "resolve"]
    assert shop.rows("SELECT state FROM deliveries") == [("failed",), ("failed",)]
    shop.deliver(ENDED)
    assert sent(shop) == ["trigger", "resolve"]


@pytest.mark.parametrize("end", [{**ENDED, "truncatedAlerts": 3}, a_body(alerts=[{**OVER, "fingerprint": "f" * 16}])])
def test_what_a_plain_reading_does_not_say_is_not_over(shop: Shop, end: dict[str, object]) -> None:
    """Where alerts were cut off, or others are resolved than those that fire, it stays open."""
    shop.deliver(BEGUN, end)
    assert the_incident(shop).open
    assert sent(shop) == ["trigger"]


def test_once_triage_works_again_it_is_judged(shop: Shop) -> None:
    """After the mend the next notification says how bad it is, under the same name; its end closes it as usual."""
    shop.deliver(BEGUN)
    shop.desk = a_desk()
    shop.deliver(a_body(alerts=[{**MILD, "fingerprint": FIRING["fingerprint"]}]))
    incident = the_incident(shop)
    assert (incident.rule, incident.severity) == ("everything", "P3")
    assert incident.title.startswith("[P3] ")
    assert sent(shop, "slack") == ["post", "details", "edit", "reply"]
    shop.deliver(ENDED)
    assert not the_incident(shop).open
    assert sent(shop) == ["trigger", "resolve"]


def test_what_breaks_on_a_known_incident_belongs_to_it(shop: Shop) -> None:
    """A P3 of which Slack knows: the pager hears now, since nobody can tell how bad it became."""
    shop.desk = a_desk()
    shop.deliver(a_body(alerts=[MILD]))
    shop.desk = BROKEN
    shop.deliver(a_body(alerts=[MILD, FIRING]))
    incident = the_incident(shop)
    assert (incident.severity, incident.channels) == ("P1", ("slack", "pagerduty"))
    assert sent(shop, "slack") == ["post", "details", "edit", "reply"]
    assert shop.rows("SELECT step, incident FROM messages WHERE channel = 'pagerduty'") == [("trigger", incident.id)]


def test_an_end_of_nothing_wakes_nobody(shop: Shop) -> None:
    """Triage broke on a notification in which nothing fires, of a group without an incident: it is recorded."""
    shop.deliver(ENDED)
    assert shop.rows("SELECT state FROM deliveries") == [("failed",)]
    assert sent(shop) == []
    assert shop.rows("SELECT id FROM incidents") == []


def test_what_can_be_read_of_an_unreadable_body_is_enough(shop: Shop) -> None:
    """A body of a later version has its group key: its incident is closed by the next one that can be read."""
    shop.desk = a_desk()
    shop.deliver({**BEGUN, "version": "5"})
    assert the_incident(shop).dedup_key == key_of(BEGUN)
    shop.deliver(ENDED)
    assert not the_incident(shop).open
    assert sent(shop) == ["trigger", "resolve"]


def test_half_a_character_in_a_body_does_not_stop_the_queue(shop: Shop) -> None:
    """A lone surrogate can be written in JSON and nowhere else: people are paged, and so is what comes behind it."""
    shop.desk = a_desk()
    half = to_bytes(a_body(alerts=[FIRING], groupKey="half")).replace(b"half", b"\\ud800")
    shop.inbox.keep(half, "", shop.clock.now())
    shop.deliver(a_body(alerts=[FIRING], groupKey="another"))
    assert shop.rows("SELECT state FROM deliveries ORDER BY id") == [("failed",), ("decided",)]
    assert shop.rows("SELECT count(*) FROM messages WHERE channel = 'pagerduty'") == [(2,)]


def test_a_body_of_which_nothing_can_be_read_is_closed_after_a_day(shop: Shop) -> None:
    """Nothing will ever tell its end: it has paged, and it does not stay at PagerDuty for ever."""
    shop.inbox.keep(b"\x00 nothing", "", shop.clock.now())
    shop.deliver()
    assert sent(shop) == ["trigger"]
    review = Review(shop.database, Ledger(shop.database, shop.clock), lambda: shop.desk, shop.clock)
    shop.clock.move(UNREADABLE.total_seconds() - 1)
    review.run()
    assert sent(shop) == ["trigger"]
    shop.clock.move(1)
    review.run()
    assert sent(shop) == ["trigger", "resolve"]


def test_a_watchdog_on_which_triage_broke_does_not_page_for_ever(shop: Shop) -> None:
    """It fires always: once triage works again, the incident that it never was is over."""
    shop.deliver(BEGUN)
    shop.desk = a_desk(replace(EVERYTHING, action=Action.HEARTBEAT))
    shop.deliver(BEGUN)
    assert not the_incident(shop).open
    assert sent(shop) == ["trigger", "resolve"]


def test_a_group_whose_key_breaks_stops_nobody_else(shop: Shop) -> None:
    """What groups have in common is asked of all deliveries of a batch: one that breaks it is a mishap alone."""
    desk = a_desk(replace(EVERYTHING, gather=("service",)))
    shop.desk = replace(desk, book=replace(desk.book, gathers=True), matching=_Fussy(desk))  # type: ignore[arg-type]
    shop.deliver(a_body(alerts=[MORE], groupKey="other"), BEGUN)
    assert shop.rows("SELECT state FROM deliveries ORDER BY id") == [("failed",), ("decided",)]
    assert sent(shop) == ["trigger", "trigger"]


class _Fussy:
    """Finds rules as usual, and breaks on one instance."""

    def __init__(self, desk: object) -> None:
        self._usual = desk.matching  # type: ignore[attr-defined]

    def first(self, labels: dict[str, str]) -> object:
        """The rule, or a bug."""
        if labels.get("instance") == "2":
            raise ZeroDivisionError
        return self._usual.first(labels)

    def __getattr__(self, name: str) -> object:
        return getattr(self._usual, name)


def test_the_least_that_can_follow_is_a_page() -> None:
    """Where not even the incident can be made, people are told all the same."""
    effects = bare(a_delivery(17), None, KeyError("x"), a_desk())
    assert (effects.state, effects.incident) == ("failed", None)
    assert {draft.channel for draft in effects.drafts} == {"pagerduty", "slack"}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"", None),
        (b"[" * 100_000, None),
        (b"[]", None),
        (b'{"groupKey": 7}', None),
        (b'{"groupKey": "g", "alerts": 7, "truncatedAlerts": "many"}', ("g", 0, 0)),
        (b'{"groupKey": "g", "alerts": [1, {}, {"fingerprint": "f", "startsAt": 5, "labels": []}]}', ("g", 1, 0)),
        (
            b'{"groupKey": "g", "alerts": [{"fingerprint": "f", "status": "resolved"}], "truncatedAlerts": 2}',
            ("g", 0, 2),
        ),
        (b'{"groupKey": "g", "alerts": [{"fingerprint": "f", "startsAt": "2026-11-23T09:33:50"}]}', ("g", 1, 0)),
    ],
)
def test_whatever_a_body_is_reading_what_is_left_of_it_never_breaks(
    body: bytes, found: tuple[str, int, int] | None
) -> None:
    """The last resort has no last resort behind it."""
    group: AlertGroup | None = salvage(body)
    assert (group and (group.group_key, len(group.firing), group.truncated)) == found
