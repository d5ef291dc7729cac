"""The pace of a channel: never more than the vendor takes, and a single page never waits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from responder.notify.channels.pagerduty import RATE_LIMIT as PAGER_PACE
from responder.notify.contract import Available, per_minute
from responder.notify.render.slack_messages import RATE_LIMIT as SLACK_PACE

NOW = 1_772_246_490.0


def test_a_page_that_comes_alone_leaves_at_once() -> None:
    """A quiet channel has room for a whole page of any severity: in Slack that is the message and its details."""
    assert SLACK_PACE.available(0.0, NOW).other >= 2
    assert PAGER_PACE.available(0.0, NOW).other >= 1


def test_updates_leave_room_for_the_worst_severity() -> None:
    """A P1 page is still sent when lower severities have used up their share of the rate limit."""
    full_at = NOW
    while SLACK_PACE.available(full_at, NOW).other:
        full_at = SLACK_PACE.full_after(full_at, NOW, 1)
    assert SLACK_PACE.available(full_at, NOW) == Available(urgent=3, other=0)
    wait = SLACK_PACE.wait(full_at, NOW)
    assert 0 < wait <= SLACK_PACE.interval + 1e-5
    assert SLACK_PACE.available(full_at, NOW + wait).other == 1


@given(
    limit=st.integers(1, 10_000),
    burst=st.integers(1, 50),
    steps=st.lists(st.floats(0, 30, allow_nan=False), max_size=300),
)
def test_no_minute_has_more_than_the_limit(limit: int, burst: int, steps: list[float]) -> None:
    """However messages come, any sixty seconds see at most as many as the vendor allows."""
    rate_limit = per_minute(limit, burst)
    now, full_at = NOW, 0.0
    sent: list[float] = []
    for step in steps:
        now += step
        count = rate_limit.available(full_at, now).urgent
        if count:
            full_at = rate_limit.full_after(full_at, now, count)
            sent += [now] * count
    for start in sent:
        assert sum(start <= moment < start + 60 for moment in sent) <= max(limit, 2)


def test_a_clock_that_was_set_back_stops_nothing() -> None:
    """An hour's jump of the clock costs a few seconds and not an hour of silence."""
    full_at = SLACK_PACE.full_after(0.0, NOW + 3600, 6)
    assert SLACK_PACE.available(full_at, NOW).urgent == 6
    slightly_ahead = SLACK_PACE.full_after(0.0, NOW + 2, 6)
    assert SLACK_PACE.available(slightly_ahead, NOW).urgent == 0
