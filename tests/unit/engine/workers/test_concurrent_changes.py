"""Rules, severities, channels and clocks that change while incidents are open lose and delay no page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from responder.engine.jobs.fallback import FallbackJob
from responder.engine.jobs.flood import FloodJob
from responder.engine.jobs.paging_windows import PagingWindowJob
from responder.engine.jobs.recheck import RecheckJob
from responder.engine.workers.clock_skew import ClockSkewWatcher
from responder.engine.workers.triage import IncidentWriter
from responder.model.rule import Rule, Severity
from responder.model.secret import Secret
from responder.notify.channels.slack_webhook import SlackWebhook
from responder.notify.contract import Channel
from responder.notify.delivery.route import pagers
from responder.store.database import Database
from responder.store.outbox import claims, outbox
from responder.triage.rule_index import RuleIndex
from tests.conftest import HandClock
from tests.support.builders import a_severity
from tests.unit.engine.test_pipeline import BY_SEVERITY, CHANNELS_USED, EVERYTHING, IN_OFFICE_HOURS, a_desk
from tests.unit.engine.workers.test_delivery import Office, Wire
from tests.unit.engine.workers.test_triage import FIRING, LABELS, OVER, Shop
from tests.unit.receive.test_alertmanager import a_body, an_alert

MILD = an_alert(labels={**LABELS, "severity": "warning"})
MONDAY = datetime(2026, 3, 2, 9, 0, 5, tzinfo=UTC)
REST = claims.ChannelQueue(("slack_webhook", "log"), rest=True)


@pytest.fixture
def shop(database: Database, clock: HandClock) -> Iterator[Shop]:
    """A shop that is open."""
    found = Shop(database, clock)
    outbox.prepare_states(database, CHANNELS_USED)
    yield found
    found.diagnosis.close()


def sent(shop: Shop, channel: str) -> list[str]:
    """The events that a channel was to receive."""
    rows = shop.rows(f"SELECT kind FROM messages WHERE channel = '{channel}' ORDER BY id")
    return [row[0] for row in rows]


def renamed(rule: Rule) -> Rule:
    """The same rule under another name, giving severities under other names."""
    names = {"P1": "sev1", "P3": "sev3", "P4": "sev4"}
    given = replace(BY_SEVERITY, mapping={"critical": "sev1", "warning": "sev3"}, otherwise="sev4")
    windows = {names[name]: window for name, window in rule.pages_in.items()}
    return replace(rule, id="another", severity=given, pages_in=windows)


def rename_all(shop: Shop, rule: Rule) -> None:
    """Reload rules in which every rule and severity has another name."""
    context = a_desk(renamed(rule))
    order = {f"sev{number}": replace(a_severity(f"P{number}"), name=f"sev{number}") for number in range(1, 5)}
    severities: dict[str, Severity] = order
    shop.context = replace(
        context, book=replace(context.book, severities=severities), matching=RuleIndex(context.book.rules)
    )


def test_new_names_for_everything_neither_page_twice_nor_lose_the_end(shop: Shop) -> None:
    """After a reload that renames rules and severities a repeat is announced once and the resolve everywhere."""
    shop.deliver(a_body(alerts=[FIRING]))
    rename_all(shop, EVERYTHING)
    shop.deliver(a_body(alerts=[FIRING]), a_body(alerts=[FIRING]))
    assert shop.rows("SELECT rule, severity FROM incidents") == [("another", "sev1")]
    told = sent(shop, "pagerduty")
    assert told[0] == "start"
    assert len(told) <= 2, "the second name is said once, and not with every repeat"
    shop.deliver(a_body(alerts=[OVER], status="resolved"))
    assert sent(shop, "pagerduty")[-1] == "resolution"
    assert sent(shop, "slack")[-1] == "resolution"


def test_a_p3_that_new_rules_call_a_p1_pages_with_its_next_notification(shop: Shop) -> None:
    """A severity raised by a reload pages, even if severities were renamed."""
    shop.deliver(a_body(alerts=[MILD]))
    assert sent(shop, "pagerduty") == []
    rename_all(shop, EVERYTHING)
    shop.deliver(a_body(alerts=[{**MILD, "labels": {**LABELS, "severity": "critical"}}]))
    assert sent(shop, "pagerduty") == ["start"]


def test_a_page_held_by_a_window_survives_new_names(shop: Shop) -> None:
    """Saturday's P1 is a sev1 of another rule by Monday: it pages at nine."""
    shop.context = a_desk(IN_OFFICE_HOURS)
    shop.deliver(a_body(alerts=[FIRING]))
    rename_all(shop, IN_OFFICE_HOURS)
    opening = PagingWindowJob(
        shop.database, IncidentWriter(shop.database, shop.clock), lambda: shop.context, shop.clock
    )
    opening.run()
    assert shop.rows("SELECT rule, severity FROM incidents") == [("another", "sev1")]
    assert sent(shop, "pagerduty") == []
    shop.clock.move((MONDAY - shop.clock.now()).total_seconds())
    opening.run()
    assert sent(shop, "pagerduty") == ["start"]


def test_a_flood_whose_severity_is_gone_ends_and_its_incidents_are_paged(shop: Shop) -> None:
    """The digest's incident at PagerDuty is resolved, and the incidents it announced are paged by themselves."""
    context = shop.context
    few = {name: replace(each, flood_above=2) for name, each in context.book.severities.items()}
    shop.context = replace(context, book=replace(context.book, severities=few))
    shop.deliver(*(a_body(alerts=[FIRING], groupKey=f"g{number}") for number in range(12)))
    unpaged = "SELECT count(*) FROM incidents WHERE open AND channels = ''"
    ((held,),) = shop.rows(unpaged)
    assert held > 2
    rename_all(shop, EVERYTHING)
    watch = FloodJob(shop.database, IncidentWriter(shop.database, shop.clock), lambda: shop.context, shop.clock)
    for _ in range(40):
        shop.clock.move(61)
        watch.run()
    assert shop.rows(unpaged) == [(0,)]
    digest = "SELECT kind FROM messages WHERE incident LIKE 'FLOOD%' AND channel = 'pagerduty' ORDER BY id"
    assert shop.rows(digest) == [("start",), ("resolution",)]


def dead(shop: Shop) -> None:
    """Run the sender for channels that are no longer configured."""
    office = Office(shop.database, shop.clock, Wire(), shop.context, REST)
    for _ in range(4):
        office.step()
    office.close()


def test_what_a_channel_that_is_gone_was_to_say_is_said_elsewhere(shop: Shop) -> None:
    """Slack's bot was replaced by a webhook while a P3 and a P1 waited: both are read, once, and their ends too."""
    shop.deliver(a_body(alerts=[MILD], groupKey="mild"), a_body(alerts=[FIRING], groupKey="bad"))
    hook: dict[str, Channel] = {"slack_webhook": SlackWebhook(Secret("https://hooks.example.com/x"))}
    shop.context = replace(shop.context, channels={**hook, "log": CHANNELS_USED["log"]})
    shop.clock.move(60)
    dead(shop)
    fallback = FallbackJob(
        shop.database, IncidentWriter(shop.database, shop.clock), lambda: shop.context, shop.clock, 60.0
    )
    for _ in range(3):
        fallback.run()
    assert sent(shop, "slack_webhook") == ["fallback", "fallback", "fallback"], "the P3, the P1, and the P1's page"
    shop.deliver(a_body(alerts=[OVER], status="resolved", groupKey="bad"))
    assert sent(shop, "slack_webhook")[3:] == ["resolution"]


def test_an_end_that_the_pager_cannot_be_told_of_any_more_says_so(shop: Shop) -> None:
    """If PagerDuty's key was removed while an incident was open, its resolve says that it is open there."""
    shop.deliver(a_body(alerts=[FIRING]))
    shop.context = replace(shop.context, channels={name: CHANNELS_USED[name] for name in ("slack", "log")})
    shop.deliver(a_body(alerts=[OVER], status="resolved"))
    ((report,),) = shop.rows("SELECT facts FROM messages WHERE kind = 'resolution' AND step = 'reply'")
    assert b"resolve it manually in PagerDuty, which is no longer configured" in report


def test_a_clock_that_is_put_back_does_not_keep_a_contradiction_for_an_hour(shop: Shop) -> None:
    """An Alertmanager says that it still fires and the clock is corrected: the page is sent now and not much later."""
    watch = ClockSkewWatcher(shop.database, shop.clock, lambda: pagers({}))
    watch.step()
    ended = shop.clock.now() - timedelta(minutes=1)
    began = {**FIRING, "startsAt": (ended - timedelta(minutes=5)).isoformat()}
    over = {**began, "status": "resolved", "endsAt": ended.isoformat()}
    shop.deliver(a_body(alerts=[began]), a_body(alerts=[over], status="resolved"), a_body(alerts=[began]))
    assert sent(shop, "pagerduty") == ["start", "resolution"]
    shop.clock.put_back(3600)
    watch.step()
    RecheckJob(shop.database, IncidentWriter(shop.database, shop.clock), lambda: shop.context, shop.clock).run()
    assert sent(shop, "pagerduty") == ["start", "resolution", "again"]


def test_an_end_that_is_held_back_outlives_a_look_too_many(shop: Shop) -> None:
    """The look after a clock was put back ends nothing before its time."""
    two = an_alert(labels={**LABELS, "instance": "2"}, fingerprint="2222222222222222")
    shop.deliver(a_body(alerts=[FIRING, two]), a_body(alerts=[OVER], status="resolved"))
    before = shop.rows("SELECT open, resolve_at, review_at FROM incidents")
    ClockSkewWatcher(shop.database, shop.clock, lambda: pagers({})).step()
    RecheckJob(shop.database, IncidentWriter(shop.database, shop.clock), lambda: shop.context, shop.clock).run()
    assert shop.rows("SELECT open, resolve_at, review_at FROM incidents") == before
