"""Which channels a decision reaches."""

from __future__ import annotations

import pytest

from responder.notify.route import route
from tests.support.builders import a_severity

BOTH = ("pagerduty", "slack")
ALL = ("pagerduty", "slack", "log")


@pytest.mark.parametrize(
    ("wished", "severity", "configured", "reached"),
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
    wished: tuple[str, ...], severity: str, configured: tuple[str, ...], reached: tuple[str, ...]
) -> None:
    """Only what pages reaches the pager, and what reaches nobody is printed."""
    assert route(wished, a_severity(severity).pages, configured) == reached
