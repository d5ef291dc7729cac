"""Findings that change a severity: pages that are sent, withdrawn, and the effect on the next notification."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from responder.engine.effects.context import DecisionContext
from responder.model.message import ClaimedMessage
from responder.model.rule import Adjustment, FindingCondition, Rule, SeverityFrom
from responder.model.secret import Secret
from responder.notify.channels.slack_room import SlackRoom
from responder.notify.channels.statuspage import Statuspage
from responder.notify.report.compose import compose_message as as_letter
from responder.store.database import Database
from responder.store.outbox import claims, outbox
from tests.conftest import HandClock
from tests.unit.engine.test_pipeline import CHANNELS_USED, EVERYTHING, a_desk
from tests.unit.engine.workers.test_triage import FIRING, LABELS, OVER, Shop
from tests.unit.receive.test_alertmanager import a_body, an_alert

BY_SEVERITY = SeverityFrom(
    names=("severity",), mapping={"critical": "P1", "warning": "P3"}, unknown="P3", otherwise="P3"
)
ON_BAD = (FindingCondition("tcp", ("bad",)),)
RAISED = replace(EVERYTHING, severity="P3", adjust=(Adjustment(findings=ON_BAD, to="P1"),))
LOWERED = replace(EVERYTHING, severity="P1", adjust=(Adjustment(findings=ON_BAD, to="P3", raises=False),))
WARNING = an_alert(labels=LABELS | {"severity": "warning"})


@pytest.fixture
def shop(database: Database, clock: HandClock) -> Iterator[Shop]:
    """A shop of its own, in which every probe finds something bad."""
    found = Shop(database, clock)
    yield found
    found.diagnosis.close()


def opened(shop: Shop, rule: Rule, body: dict[str, Any] | None = None) -> None:
    """The first notification, decided."""
    shop.context = a_desk(rule)
    shop.deliver(body or a_body(alerts=[FIRING]))


def diagnosed(shop: Shop) -> None:
    """Run the diagnosis to its end."""
    shop.diagnosis.begin(shop.begun)
    shop.begun.clear()
    for _ in range(500):
        shop.diagnosis.step()
        if not shop.rows("SELECT 1 FROM diagnoses WHERE state = 'waiting'"):
            return
        time.sleep(0.01)
    pytest.fail("the diagnosis did not end")


def claimed(shop: Shop, *channels: str) -> list[ClaimedMessage]:
    """Messages that the senders of these channels would send now."""
    now = shop.clock.now()
    with shop.database.write() as connection:
        rows = claims.claim(connection, claims.ChannelQueue(channels), now, now + timedelta(seconds=6), 10)
    return [as_letter(row, now) for row in rows]


def sent(shop: Shop, *channels: str) -> list[ClaimedMessage]:
    """The same, accepted."""
    messages = claimed(shop, *channels)
    with shop.database.write() as connection:
        for message in messages:
            outbox.sent(connection, message, {}, shop.clock.now())
    return messages


def incident(shop: Shop) -> tuple[Any, ...]:
    """Severity and channels of the one open incident."""
    [row] = shop.rows("SELECT severity, channels FROM incidents WHERE open")
    return row


def test_findings_that_raise_page_at_once(shop: Shop) -> None:
    """A P3 that findings raise to P1 pages at once, and every page has the new severity and the reason."""
    opened(shop, RAISED)
    assert incident(shop) == ("P3", "slack")
    shop.clock.move(0.5)
    diagnosed(shop)
    assert incident(shop) == ("P1", "slack pagerduty")
    [page] = claimed(shop, "pagerduty")
    assert (page.step, page.priority, page.due_at) == ("trigger", 1, shop.clock.now())
    assert page.report.severity == "P1"
    assert page.report.title.startswith("[P1] plato")
    assert (page.report.pagerduty_severity, page.report.pages) == ("critical", True)
    assert page.report.clock.startswith("by ")
    assert "raised from P3 to P1 because plato: refused after 1 ms" in page.report.severity_reason
    slack = sent(shop, "slack") + sent(shop, "slack")
    assert [(message.step, message.priority, message.report) for message in slack] == [
        ("post", 1, page.report),
        ("details", 1, page.report),
    ]


def test_the_worst_that_findings_can_make_of_it_sets_the_budget(shop: Shop) -> None:
    """A P3 that may turn into a P1 is diagnosed as fast as a P1: eight seconds and not thirty."""
    opened(shop, RAISED)
    start = shop.clock.now().timestamp()
    assert {due - start for (due,) in shop.rows("SELECT due_at FROM messages")} == {8.0}


def test_findings_that_lower_wake_nobody_while_the_page_has_not_left(shop: Shop) -> None:
    """A P1 that findings lower to P3 is posted to Slack, and its page is withdrawn."""
    opened(shop, LOWERED)
    diagnosed(shop)
    assert incident(shop) == ("P3", "slack")
    assert claimed(shop, "pagerduty") == []
    assert {message.report.severity for message in claimed(shop, "slack")} == {"P3"}
    [(state, error)] = shop.rows("SELECT state, error FROM messages WHERE channel = 'pagerduty'")
    assert state == "withdrawn"
    assert "lowered from P1 to P3" in error
    shop.deliver(a_body(alerts=[OVER], status="resolved"))
    assert shop.rows("SELECT count(*) FROM messages WHERE channel = 'pagerduty'") == [(1,)]


def test_a_page_that_has_left_is_never_taken_back(shop: Shop) -> None:
    """A channel that paged gets the resolve, even if findings lower the severity afterwards."""
    opened(shop, LOWERED)
    shop.clock.move(8)
    [page] = claimed(shop, "pagerduty")
    diagnosed(shop)
    assert incident(shop) == ("P3", "pagerduty slack")
    with shop.database.write() as connection:
        outbox.sent(connection, page, {}, shop.clock.now())
    assert claimed(shop, "pagerduty") == []
    shop.deliver(a_body(alerts=[OVER], status="resolved"))
    assert [message.step for message in claimed(shop, "pagerduty")] == ["resolve"]


def test_findings_that_are_late_and_raise_still_page(shop: Shop) -> None:
    """Slack had it as a P3; PagerDuty gets the P1 at once, and Slack's message says so."""
    opened(shop, RAISED)
    shop.clock.move(8)
    assert [message.step for message in sent(shop, "slack")] == ["post"]
    diagnosed(shop)
    [page] = claimed(shop, "pagerduty")
    assert page.report.severity == "P1"
    updates = shop.rows("SELECT step FROM messages WHERE channel = 'slack' AND attempt = 0 ORDER BY id")
    assert updates == [("details",), ("edit",), ("reply",)]


@pytest.mark.parametrize("rule", [RAISED, LOWERED])
def test_the_next_notification_does_not_turn_it_back(shop: Shop, rule: Rule) -> None:
    """The labels say what they said before the findings; the findings stand."""
    opened(shop, rule)
    diagnosed(shop)
    severity, channels = incident(shop)
    more = an_alert(labels=LABELS | {"instance": "2"}, fingerprint="aaaaaaaaaaaaaaaa")
    shop.deliver(a_body(alerts=[FIRING]), a_body(alerts=[FIRING, more]))
    assert incident(shop) == (severity, channels)
    [(state,)] = shop.rows("SELECT reason FROM incidents")
    assert "because plato: refused" in state


def test_labels_that_get_worse_than_before_count_again(shop: Shop) -> None:
    """A warning that findings made milder is a P1 again when a critical alert joins it."""
    rule = replace(EVERYTHING, severity=BY_SEVERITY, adjust=(Adjustment(findings=ON_BAD, to="P4", raises=False),))
    opened(shop, rule, a_body(alerts=[WARNING]))
    diagnosed(shop)
    assert incident(shop) == ("P4", "slack")
    worse = an_alert(labels=LABELS | {"severity": "critical"}, fingerprint="bbbbbbbbbbbbbbbb")
    shop.deliver(a_body(alerts=[WARNING, worse]))
    assert incident(shop) == ("P1", "slack pagerduty")


def test_bad_news_never_makes_an_incident_milder(shop: Shop) -> None:
    """Findings made it a P1; that its labels rise from P3 to P2 is no reason to call it a P2."""
    by = SeverityFrom(names=("severity",), mapping={"critical": "P2", "warning": "P3"}, unknown="P3", otherwise="P3")
    rule = replace(EVERYTHING, severity=by, adjust=(Adjustment(findings=ON_BAD, to="P1"),))
    opened(shop, rule, a_body(alerts=[WARNING]))
    diagnosed(shop)
    worse = an_alert(labels=LABELS | {"severity": "critical"}, fingerprint="bbbbbbbbbbbbbbbb")
    shop.deliver(a_body(alerts=[WARNING, worse]))
    assert incident(shop)[0] == "P1"


def test_an_incident_that_is_over_keeps_its_severity(shop: Shop) -> None:
    """Findings about an incident resolved meanwhile do not page."""
    opened(shop, RAISED)
    shop.deliver(a_body(alerts=[OVER], status="resolved"))
    diagnosed(shop)
    assert shop.rows("SELECT open, severity, channels FROM incidents") == [(0, "P3", "slack")]
    assert claimed(shop, "pagerduty") == []


def test_an_incident_that_triage_has_moved_is_left_alone(shop: Shop) -> None:
    """A study decided for a P3 says nothing about the P1 that its labels have made of it since."""
    rule = replace(RAISED, severity=BY_SEVERITY, adjust=(Adjustment(findings=ON_BAD, to="P2"),))
    opened(shop, rule, a_body(alerts=[WARNING]))
    job = shop.begun.pop()
    worse = an_alert(labels=LABELS | {"severity": "critical"}, fingerprint="bbbbbbbbbbbbbbbb")
    shop.deliver(a_body(alerts=[WARNING, worse]))
    shop.begun[:] = [job]
    shop.diagnosis.begin(shop.begun)
    for _ in range(500):
        shop.diagnosis.step()
        if shop.rows("SELECT count(*) FROM diagnoses WHERE state = 'done'") == [(1,)]:
            break
        time.sleep(0.01)
    assert incident(shop)[0] == "P1"


def test_the_turn_of_triage_is_waited_for(shop: Shop) -> None:
    """While triage decides about an incident no other thread changes it; the page is not delayed."""
    opened(shop, RAISED)
    shop.diagnosis.begin(shop.begun)
    with shop.database.alone("triage"):
        for _ in range(50):
            rest = shop.diagnosis.step()
            time.sleep(0.01)
        assert rest < 0.1
        assert incident(shop) == ("P3", "slack")
        shop.clock.move(8)
        assert [message.step for message in sent(shop, "slack")] == ["post"]
    diagnosed(shop)
    assert incident(shop) == ("P1", "slack pagerduty")


def test_a_study_that_another_worker_took_over_changes_nothing(shop: Shop) -> None:
    """Two workers that ran the same probes page once."""
    opened(shop, RAISED)
    shop.diagnosis.begin(shop.begun)
    with shop.database.write() as connection:
        connection.exec_driver_sql("UPDATE diagnoses SET attempt = attempt + 1")
    for _ in range(50):
        shop.diagnosis.step()
        time.sleep(0.01)
    assert incident(shop) == ("P3", "slack")
    assert shop.rows("SELECT count(*) FROM messages WHERE channel = 'pagerduty'") == [(0,)]


def a_desk_with_rooms(rule: Rule) -> DecisionContext:
    """P1 has a channel for each incident, and a status page that the rule publishes on by itself."""
    room = SlackRoom(Secret("token"), "U0ANN")
    page = Statuspage(Secret("key"), "page", name="public")
    context = a_desk(replace(rule, publishes=True), CHANNELS_USED | {"slack_room": room, "public": page})
    book = context.book
    worst = replace(book.severities["P1"], room=True, status_pages=("public",))
    plato = replace(book.services["plato"], components={"public": ("8kbf7d35c070",)})
    changed = replace(book, severities={**book.severities, "P1": worst}, services={**book.services, "plato": plato})
    return replace(context, book=changed)


def test_findings_that_raise_open_what_the_severity_asks_for(shop: Shop) -> None:
    """The incident's own channel and its status page are opened at that moment, not by the next notification."""
    shop.context = a_desk_with_rooms(RAISED)
    shop.deliver(a_body(alerts=[FIRING]))
    assert incident(shop) == ("P3", "slack")
    shop.clock.move(8)
    diagnosed(shop)
    assert incident(shop)[0] == "P1"
    assert {"pagerduty", "slack_room", "public"} < set(incident(shop)[1].split())
    steps = shop.rows("SELECT step FROM messages WHERE channel IN ('slack_room', 'public') ORDER BY channel, id")
    assert [step for (step,) in steps] == ["open", "create", "invite", "topic", "post"]
    shop.deliver(a_body(alerts=[FIRING]))
    assert len(shop.rows("SELECT 1 FROM messages WHERE channel IN ('slack_room', 'public')")) == len(steps)


def test_findings_that_lower_withdraw_what_the_severity_does_not_ask_for(shop: Shop) -> None:
    """Neither a channel of its own nor a status page is opened for an incident that turned out to be less."""
    shop.context = a_desk_with_rooms(LOWERED)
    shop.deliver(a_body(alerts=[FIRING]))
    diagnosed(shop)
    assert incident(shop) == ("P3", "slack")
    states = shop.rows("SELECT DISTINCT state FROM messages WHERE channel IN ('slack_room', 'public')")
    assert states == [("withdrawn",)]
