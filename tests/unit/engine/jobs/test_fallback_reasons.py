"""Choice of the fallback channel for a page that is not accepted, and its time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from responder.engine.jobs.fallback import after, fallback_history, trouble
from responder.notify.delivery.route import in_order
from responder.store.outbox.undelivered import UndeliveredMessage
from tests.support.builders import NOW, a_draft

LIMIT = 60.0
CHAIN = ("pagerduty", "pagerduty_fallback", "slack", "slack_webhook", "smtp")
ORDER = in_order({})


def undelivered(priority: int = 1, **changes: Any) -> UndeliveredMessage:
    """A P1 page that was just written."""
    usual: dict[str, Any] = {"id": 1, "dead": False, "resolved": False, "decision": None, "error": ""}
    return UndeliveredMessage(
        **{
            **usual,
            "message": a_draft(channel="pagerduty", priority=priority),
            "written_at": NOW,
            "failing_since": None,
            **changes,
        }
    )


def ago(seconds: float) -> datetime:
    """A moment before now."""
    return NOW - timedelta(seconds=seconds)


def reason(page: UndeliveredMessage) -> str:
    """Return the reason for which the page takes a fallback."""
    return trouble(page, "PagerDuty", LIMIT, NOW)


def test_a_page_has_its_minute() -> None:
    """A short failure of PagerDuty pages only once."""
    assert not reason(undelivered(written_at=ago(59), error="HTTP 503", failing_since=ago(59)))


def test_a_page_that_waited_too_long_takes_the_next_way_and_says_why() -> None:
    """After the limit on-call is paged through a fallback, with the problem of the usual channel."""
    found = reason(undelivered(written_at=ago(60), error="HTTP 503", failing_since=ago(58)))
    assert found == "PagerDuty has not accepted this page for 1 minute: HTTP 503"


def test_a_refused_page_does_not_wait() -> None:
    """Waiting does not help a wrong key."""
    found = reason(undelivered(dead=True, error="HTTP 400: Invalid routing key"))
    assert found == "PagerDuty rejected this page: HTTP 400: Invalid routing key"


def test_an_outage_that_is_known_is_not_waited_for_again() -> None:
    """The tenth page of an outage leaves the other way as soon as it is clear that PagerDuty is still down."""
    found = reason(undelivered(written_at=ago(2), error="HTTP 503", failing_since=ago(600)))
    assert found == "PagerDuty has accepted nothing for 10 minutes: HTTP 503"


def test_a_flood_is_no_outage() -> None:
    """A page that waits for its turn at a PagerDuty that accepts is not paged a second time."""
    assert not reason(undelivered(written_at=ago(600)))


def test_a_lesser_page_is_given_more_time() -> None:
    """A severity that does not page at once may wait five times as long."""
    assert not reason(undelivered(priority=2, written_at=ago(299), error="HTTP 503", failing_since=ago(299)))
    assert reason(undelivered(priority=2, written_at=ago(300), error="HTTP 503", failing_since=ago(1)))


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


def test_the_reasons_add_up() -> None:
    """The mail names all earlier channels of the page on one line."""
    assert fallback_history("", "a") == "a"
    assert fallback_history("a", "b\nc") == "a; then b c"
    assert len(fallback_history("x" * 400, "y" * 400)) <= 500
