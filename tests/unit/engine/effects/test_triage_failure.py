"""A notification that breaks triage is paged once for each group, and stops nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from responder.engine.effects.context import SHARED
from responder.engine.effects.triage_failure import HOLD, HOLD_SHARED, SINGLE_PAGES
from responder.engine.jobs.recheck import RecheckJob
from responder.engine.workers.triage import IncidentWriter
from responder.model.incident import UNJUDGED, Incident
from responder.model.rule import Action
from responder.store.database import Database
from responder.store.incidents import incidents
from responder.triage.reconcile import expected_alerts
from tests.conftest import HandClock
from tests.unit.engine.jobs.test_flood import a_group
from tests.unit.engine.test_pipeline import EVERYTHING, a_desk
from tests.unit.engine.workers.test_triage import FIRING, LABELS, OVER, Shop
from tests.unit.receive.test_alertmanager import a_body, an_alert, to_bytes

#: Rules with which triage fails on every notification.
BROKEN = a_desk(replace(EVERYTHING, severity="P9"))
BEGUN = a_body(alerts=[FIRING])
ENDED = a_body(alerts=[OVER], status="resolved")
MILD = an_alert(labels={**LABELS, "severity": "warning"})
MORE = an_alert(labels={**LABELS, "instance": "2"}, fingerprint="2222222222222222")


@pytest.fixture
def shop(database: Database, clock: HandClock) -> Iterator[Shop]:
    """A shop in which triage fails until a test sets other rules."""
    found = Shop(database, clock)
    found.context = BROKEN
    with capture_logs():  # formatting tracebacks takes longer than the tests
        yield found
    found.diagnosis.close()


def sent(shop: Shop, channel: str = "pagerduty") -> list[str]:
    """Messages sent to a channel."""
    return [row[0] for row in shop.rows(f"SELECT step FROM messages WHERE channel = '{channel}' ORDER BY id")]


def failure(shop: Shop) -> Incident:
    """The only incident about a failure."""
    ((name,),) = shop.rows(f"SELECT id FROM incidents WHERE rule = '{UNJUDGED}'")
    with shop.database.read() as connection:
        found = incidents.find(connection, name)
    assert found is not None
    return found


def wait(shop: Shop, time: timedelta) -> None:
    """Let time pass, then review what is due."""
    shop.clock.move(time.total_seconds())
    RecheckJob(shop.database, IncidentWriter(shop.database, shop.clock), lambda: shop.context, shop.clock).run()


def test_every_channel_is_paged_once_while_triage_fails_for_a_group(shop: Shop) -> None:
    """A failure is a page of the worst severity and an incident; repeats of the notification send nothing."""
    shop.deliver(BEGUN, BEGUN, a_body(alerts=[FIRING, MORE]))
    incident = failure(shop)
    assert (incident.open, incident.severity, incident.channels) == (True, "P1", ("pagerduty", "slack"))
    assert shop.rows("SELECT DISTINCT state, incident FROM notifications") == [("failed", incident.id)]
    assert sent(shop) == ["trigger"]
    assert sent(shop, "slack") == ["post", "details"]


def test_the_next_triage_of_the_group_resolves_it(shop: Shop) -> None:
    """Alerts that still fire get an incident of their own, with the severity of their rule."""
    shop.deliver(BEGUN)
    shop.context = a_desk()
    shop.deliver(a_body(alerts=[MILD]))
    assert not failure(shop).open
    assert sent(shop) == ["trigger", "resolve"]
    assert shop.rows("SELECT rule, severity FROM incidents WHERE open") == [("everything", "P3")]


def test_it_is_resolved_also_in_the_same_batch(shop: Shop) -> None:
    """A notification that only fails once is followed in the same transaction by one that resolves the page."""
    shop.context = replace(a_desk(), matching=_Fussy(a_desk()))  # type: ignore[arg-type]
    shop.deliver(a_body(alerts=[MORE]), ENDED)
    assert not failure(shop).open
    assert sent(shop) == ["trigger", "resolve"]


def test_an_incident_of_the_group_is_left_as_it_is(shop: Shop) -> None:
    """A P3 that may have become worse is paged as a failure, and goes on as before once triage works."""
    shop.context = a_desk()
    shop.deliver(a_body(alerts=[MILD]))
    before = shop.rows(f"SELECT * FROM incidents WHERE rule <> '{UNJUDGED}'")
    shop.context = BROKEN
    shop.deliver(a_body(alerts=[MILD, FIRING]))
    assert shop.rows(f"SELECT * FROM incidents WHERE rule <> '{UNJUDGED}'") == before
    assert sent(shop) == ["trigger"]
    shop.context = a_desk()
    shop.deliver(ENDED)
    assert shop.rows("SELECT count(*) FROM incidents WHERE open") == [(0,)]


def test_an_end_that_cannot_be_triaged_is_paged_if_an_incident_waits_for_it(shop: Shop) -> None:
    """No alert fires, but the incident stays open at PagerDuty and needs attention."""
    shop.context = a_desk()
    shop.deliver(BEGUN)
    shop.context = BROKEN
    shop.deliver(ENDED)
    assert failure(shop).open
    assert sent(shop) == ["trigger", "trigger"]


def test_an_end_of_nothing_pages_nobody(shop: Shop) -> None:
    """Nothing fires and no incident is open: the failure is recorded only."""
    shop.deliver(ENDED)
    assert shop.rows("SELECT state FROM notifications") == [("failed",)]
    assert shop.rows("SELECT id FROM incidents") == []
    assert sent(shop) == []


def test_alertmanager_can_end_it(shop: Shop) -> None:
    """Its alerts are compared with Alertmanager's list, also after a notification in which nothing fires."""
    shop.deliver(BEGUN, ENDED)
    assert expected_alerts(failure(shop)) == {FIRING["fingerprint"]}


def test_it_ends_a_day_after_the_last_failure(shop: Shop) -> None:
    """The failure incident of a group without further notifications does not stay open at PagerDuty."""
    shop.deliver(BEGUN)
    wait(shop, HOLD - timedelta(seconds=1))
    shop.deliver(BEGUN)
    wait(shop, HOLD - timedelta(seconds=1))
    assert sent(shop) == ["trigger"]
    wait(shop, timedelta(seconds=1))
    assert sent(shop) == ["trigger", "resolve"]


def test_hundreds_of_failing_groups_send_few_pages(shop: Shop) -> None:
    """A bad rule breaks triage for every group: a few are paged, and one more page stands for all others."""
    shop.deliver(*(a_group(number) for number in range(100)), *(a_group(number) for number in range(100)))
    assert shop.rows("SELECT count(*) FROM notifications WHERE state = 'failed'") == [(200,)]
    assert sent(shop) == ["trigger"] * (SINGLE_PAGES + 1)
    ((title,),) = shop.rows(f"SELECT title FROM incidents WHERE dedup_key = '{SHARED}'")
    assert f"more than {SINGLE_PAGES} groups of alerts, such as PodDown" in title
    shop.context = a_desk()
    shop.deliver(*(a_group(number, severity="warning") for number in range(100)))
    assert shop.rows("SELECT count(*) FROM incidents WHERE open AND severity = 'P3'") == [(100,)]
    assert sent(shop).count("resolve") == SINGLE_PAGES
    wait(shop, HOLD_SHARED)
    assert sent(shop).count("resolve") == SINGLE_PAGES + 1


def test_a_body_of_which_nothing_can_be_read_is_paged(shop: Shop) -> None:
    """A payload without a group: its page resolves an hour after the last one."""
    shop.context = a_desk()
    for body in (b"\x00 nothing", to_bytes(BEGUN | {"version": "5"})):
        shop.inbox.keep(body, "", shop.clock.now())
    shop.deliver()
    assert failure(shop).dedup_key == SHARED
    assert sent(shop) == ["trigger"]
    wait(shop, HOLD_SHARED)
    assert sent(shop) == ["trigger", "resolve"]


def test_half_a_character_in_a_body_is_decided_like_any_other(shop: Shop) -> None:
    """JSON can contain half a surrogate pair, UTF-8 cannot: it is replaced and paged, as is the alert behind it."""
    shop.context = a_desk()
    half = to_bytes(a_body(alerts=[FIRING], groupKey="half")).replace(b"half", b"\\ud800")
    shop.inbox.keep(half, "", shop.clock.now())
    shop.deliver(a_body(alerts=[FIRING], groupKey="another"))
    assert shop.rows("SELECT state FROM notifications ORDER BY id") == [("decided",), ("decided",)]
    assert sent(shop).count("trigger") == 2


def test_a_watchdog_on_which_triage_failed_does_not_stay_open(shop: Shop) -> None:
    """It always fires: the next triage resolves the page, and it opens no incident of its own."""
    shop.deliver(BEGUN)
    shop.context = a_desk(replace(EVERYTHING, action=Action.HEARTBEAT))
    shop.deliver(BEGUN)
    assert shop.rows("SELECT count(*) FROM incidents WHERE open") == [(0,)]
    assert sent(shop) == ["trigger", "resolve"]


def test_a_group_whose_key_breaks_stops_no_other(shop: Shop) -> None:
    """The keys of gathered groups are computed for a whole batch: a group that breaks it fails alone."""
    context = a_desk(replace(EVERYTHING, gather=("service",)))
    shop.context = replace(context, book=replace(context.book, gathers=True), matching=_Fussy(context))  # type: ignore[arg-type]
    shop.deliver(a_body(alerts=[MORE], groupKey="other"), BEGUN)
    assert shop.rows("SELECT state FROM notifications ORDER BY id") == [("failed",), ("decided",)]
    assert sent(shop) == ["trigger", "trigger"]


class _Fussy:
    """Finds rules as usual, and raises for one instance."""

    def __init__(self, context: object) -> None:
        self._usual = context.matching  # type: ignore[attr-defined]

    def first(self, labels: dict[str, str]) -> object:
        """The rule, or a bug."""
        if labels.get("instance") == "2":
            raise ZeroDivisionError
        return self._usual.first(labels)

    def __getattr__(self, name: str) -> object:
        return getattr(self._usual, name)
