"""Choice of the fallback channel for a page that is not accepted, and its time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from responder.notify.delivery.fallback import (
    FallbackStep,
    NoFallback,
    UndeliveredPage,
    after,
    fallback_history,
    next_step,
)
from responder.notify.delivery.route import in_order, title
from tests.support.builders import NOW

LIMIT = 60.0
CHAIN = ("pagerduty", "pagerduty_fallback", "slack", "slack_webhook", "smtp")
ORDER = in_order({})


def undelivered(**changes: Any) -> UndeliveredPage:
    """A P1 page at PagerDuty that was just written."""
    usual = {
        "channel": "pagerduty",
        "dead": False,
        "priority": 1,
        "written_at": NOW,
        "error": "",
        "failing_since": None,
    }
    given = {**usual, **changes}
    return UndeliveredPage(**given, title=title(given["channel"], {}))


def ago(seconds: float) -> datetime:
    """A moment before now."""
    return NOW - timedelta(seconds=seconds)


def decided(page: UndeliveredPage, usable: tuple[str, ...] = CHAIN) -> FallbackStep | NoFallback:
    """Decide the next step for the page."""
    return next_step(page, usable, ORDER, LIMIT, NOW)


def test_a_page_has_its_minute() -> None:
    """A short failure of PagerDuty pages only once."""
    assert isinstance(decided(undelivered(written_at=ago(59), error="HTTP 503", failing_since=ago(59))), NoFallback)


def test_a_page_that_waited_too_long_takes_the_next_way_and_says_why() -> None:
    """After the limit on-call is paged through a fallback, with the problem of the usual channel."""
    found = decided(undelivered(written_at=ago(60), error="HTTP 503", failing_since=ago(58)))
    assert found == FallbackStep("pagerduty_fallback", "PagerDuty has not accepted this page for 1 minute: HTTP 503")


def test_a_refused_page_does_not_wait() -> None:
    """Waiting does not help a wrong key."""
    found = decided(undelivered(dead=True, error="HTTP 400: Invalid routing key"))
    assert found == FallbackStep("pagerduty_fallback", "PagerDuty rejected this page: HTTP 400: Invalid routing key")


def test_an_outage_that_is_known_is_not_waited_for_again() -> None:
    """The tenth page of an outage leaves the other way as soon as it is clear that PagerDuty is still down."""
    found = decided(undelivered(written_at=ago(2), error="HTTP 503", failing_since=ago(600)))
    assert found == FallbackStep("pagerduty_fallback", "PagerDuty has accepted nothing for 10 minutes: HTTP 503")


def test_a_flood_is_no_outage() -> None:
    """A page that waits for its turn at a PagerDuty that accepts is not paged a second time."""
    assert isinstance(decided(undelivered(written_at=ago(600))), NoFallback)


def test_a_lesser_page_is_given_more_time() -> None:
    """A severity that does not page at once may wait five times as long."""
    waiting = undelivered(priority=2, written_at=ago(299), error="HTTP 503", failing_since=ago(299))
    assert isinstance(decided(waiting), NoFallback)
    assert isinstance(
        decided(undelivered(priority=2, written_at=ago(300), error="HTTP 503", failing_since=ago(1))), FallbackStep
    )


@pytest.mark.parametrize(
    ("channel", "usable", "following"),
    [
        ("pagerduty", CHAIN, "pagerduty_fallback"),
        ("pagerduty", ("pagerduty", "slack", "smtp"), "slack"),
        ("pagerduty_fallback", CHAIN, "slack"),
        ("slack", ("pagerduty", "slack", "smtp"), "smtp"),
        ("slack", ("pagerduty", "slack"), ""),
        ("smtp", CHAIN, ""),
        ("pigeon", CHAIN, "pagerduty"),
        ("pagerduty", ("pagerduty", "smtp", "slack", "log"), "smtp"),
        ("smtp", ("pagerduty", "smtp", "slack", "log"), "slack"),
        ("pagerduty", ("slack", "log"), "slack"),
        ("smtp", ("pagerduty", "log"), "log"),
        ("log", ("pagerduty", "log"), ""),
    ],
)
def test_the_ways_are_taken_in_order(channel: str, usable: tuple[str, ...], following: str) -> None:
    """Second key, then Slack with the group mentioned, then mail; what is not configured is passed over."""
    assert after(channel, usable, ORDER) == following


def test_the_last_way_is_kept_on_trying() -> None:
    """Without a fallback channel the page stays in the outbox, and the reason says so."""
    found = decided(undelivered(channel="smtp", dead=True, error="mail 422: 550"))
    assert found == NoFallback("the mail server rejected this page: mail 422: 550; no fallback channel left")


def test_the_reasons_add_up() -> None:
    """The mail names all earlier channels of the page on one line."""
    assert fallback_history("", "a") == "a"
    assert fallback_history("a", "b\nc") == "a; then b c"
    assert len(fallback_history("x" * 400, "y" * 400)) <= 500
