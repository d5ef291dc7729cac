"""Retries come soon, then less often, never all at once."""

from __future__ import annotations

import pytest

from responder.model.outcome import TryLater
from responder.notify.delivery.backoff import next_attempt, rest
from tests.support.builders import NOW


def _wait(attempt: int, retry_after: float | None = None, *, priority: int = 1, jitter: float = 0.0) -> float:
    outcome = TryLater("no", retry_after)
    return (next_attempt(attempt, outcome, priority=priority, now=NOW, jitter=jitter) - NOW).total_seconds()


def test_waits_double_up_to_their_cap() -> None:
    """An outage's page is tried at least every minute, others at least every five, forever."""
    assert [_wait(attempt, jitter=1.0) for attempt in range(10, 19)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert _wait(1_000_000, jitter=1.0) == 60
    assert _wait(1_000_000, priority=2, jitter=1.0) == 300


def test_a_vendor_that_is_away_for_seconds_makes_a_page_late_by_no_more() -> None:
    """The first ten attempts are at most a second apart."""
    assert [_wait(attempt, priority=priority, jitter=1.0) for attempt in range(1, 11) for priority in (1, 3)] == [
        1.0
    ] * 20


@pytest.mark.parametrize("jitter", [0.0, 0.25, 0.999])
def test_jitter_moves_the_second_half(jitter: float) -> None:
    """Messages that failed together spread out, and none waits less than half or more than the whole."""
    assert _wait(14, jitter=jitter) == pytest.approx(8 + 8 * jitter)


def test_the_servers_wish_is_a_floor() -> None:
    """A retry comes no sooner than requested, yet a requested day is capped to an hour."""
    assert _wait(1, 30.0) == 30
    assert _wait(30, 5.0, jitter=0.5) == 45
    assert _wait(1, 86_400.0) == 3600
    assert _wait(1, -3.0) == 0.5


def test_a_server_over_its_limit_is_left_alone_ever_longer_and_never_for_long() -> None:
    """Without a requested pause the delays double up to ten seconds; one failing message delays no other."""
    over = TryLater("HTTP 429", limited=True)
    assert [rest(over, failing) for failing in (0.0, 1.0, 2.0, 4.0, 8.0, 3600.0)] == [1.0, 1.0, 2.0, 4.0, 8.0, 10.0]
    assert rest(TryLater("HTTP 429", 30.0, limited=True), 0.0) == 30.0
    assert rest(TryLater("HTTP 503"), 3600.0) == 0.0
