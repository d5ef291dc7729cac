"""Retry times: every second at first, then exponential with jitter, at least the server's Retry-After."""

from datetime import datetime, timedelta

from responder.model.outcome import TryLater

#: Seconds to the second attempt.
FIRST = 1.0
#: Attempts before the wait grows: a vendor that is down for some seconds gets the page within one of them.
PATIENT = 10
#: Longest wait in seconds.
LONGEST = 300.0
#: Seconds, for the worst severity.
LONGEST_WORST = 60.0
#: Seconds of a Retry-After that are honored.
LONGEST_WISH = 3600.0
#: The same for a channel that pages: one attempt a minute, the worst severity first.
LONGEST_PAGER_WISH = 60.0
#: Seconds of pause after a 429 without Retry-After, which PagerDuty never sends.
LONGEST_REST = 10.0


def next_attempt(attempt: int, outcome: TryLater, *, priority: int, now: datetime, jitter: float) -> datetime:
    """Return the time of the next attempt after ``attempt`` (counted from 1) ended in ``outcome``.

    ``jitter`` in [0, 1) spreads the second half of the wait, so that messages that failed together are not retried
    together.
    """
    longest = LONGEST_WORST if priority <= 1 else LONGEST
    wait = min(longest, FIRST * 2.0 ** max(0, min(attempt - PATIENT, 30)))
    wait = wait / 2 + wait / 2 * jitter
    return now + timedelta(seconds=max(wait, pause(outcome)))


def pause(outcome: TryLater) -> float:
    """Return the pause in seconds that the server asked for; it holds for all messages of the channel."""
    return min(LONGEST_WISH, max(0.0, outcome.retry_after or 0.0))


def rest(outcome: TryLater, failing: float) -> float:
    """Return the pause of the channel in seconds; ``failing`` is the time in seconds since it last accepted a message.

    After a 429 without Retry-After the pauses double, since each is as long as the channel has been failing.
    """
    wish = pause(outcome)
    return wish if wish or not outcome.limited else min(LONGEST_REST, max(FIRST, failing))
