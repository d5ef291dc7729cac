"""Which channels a decision reaches."""

from __future__ import annotations

import pytest

from responder.model.secret import Secret
from responder.notify.channels.log import Log
from responder.notify.channels.pagerduty import PagerDuty
from responder.notify.channels.slack import Slack
from responder.notify.channels.slack_webhook import SlackWebhook
from responder.notify.contract import Channel
from responder.notify.delivery.route import readable, route, with_non_paging
from tests.support.builders import a_severity

BOTH = ("pagerduty", "slack")
ALL = ("pagerduty", "slack", "log")
EVERY: dict[str, Channel] = {
    "pagerduty": PagerDuty(Secret("key")),
    "slack": Slack(Secret("token"), "#incidents"),
    "slack_webhook": SlackWebhook(Secret("https://hooks.example.com/x")),
    "log": Log(),
}


@pytest.mark.parametrize(
    ("requested_channels", "severity", "configured", "reached"),
    [
        (BOTH, "P1", ALL, BOTH),
        (BOTH, "P3", ALL, ("slack",)),
        (("pagerduty",), "P4", ALL, ("log",)),
        (BOTH, "P1", ("slack_webhook", "log"), ("slack_webhook",)),
        (BOTH, "P1", ("slack", "slack_webhook", "log"), ("slack",)),
        (BOTH, "P2", ("log",), ("log",)),
        ((), "P1", ALL, ("log",)),
    ],
)
def test_every_notification_reaches_somebody(
    requested_channels: tuple[str, ...], severity: str, configured: tuple[str, ...], reached: tuple[str, ...]
) -> None:
    """Only pages reach the paging channel, and messages without a channel go to the log."""
    assert route(requested_channels, a_severity(severity).pages, {name: EVERY[name] for name in configured}) == reached


@pytest.mark.parametrize(
    ("requested_channels", "configured", "expected"),
    [
        (BOTH, ALL, BOTH),
        (("pagerduty",), ALL, BOTH),
        (("pagerduty",), ("pagerduty", "slack_webhook", "log"), ("pagerduty", "slack_webhook")),
        (("pagerduty", "slack"), ("pagerduty", "slack_webhook", "log"), BOTH),
        (("pagerduty",), ("pagerduty", "log"), ("pagerduty",)),
    ],
)
def test_a_page_that_is_held_back_can_be_read(
    requested_channels: tuple[str, ...], configured: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    """A held page goes to a channel that is read: one the rule names, else the first that is configured."""
    assert with_non_paging(requested_channels, {name: EVERY[name] for name in configured}) == expected


def test_channels_that_are_read_come_in_the_fallback_order() -> None:
    """An incident known only to the paging channel is posted to a readable channel, the log last."""
    assert readable(dict(reversed(EVERY.items()))) == ("slack", "slack_webhook", "log")
