"""When to try again: every second at first, then exponential with jitter, the server's own wish as a floor."""

from __future__ import annotations

from datetime import datetime, timedelta

from responder.model.outcome import TryLater

FIRST = 1.0
PATIENT = 10  # attempts: a vendor that is away for some seconds gets the page within one of them
LONGEST = 300.0
LONGEST_WORST = 60.0  # rank 1: nobody waits five minutes for an outage's page
LONGEST_WISH = 3600.0  # a Retry-After of a day would mean that no message leaves
#: The same for a channel that pages: whatever its vendor asks for, it is tried once a minute, the worst page first.
LONGEST_PAGER_WISH = 60.0
LONGEST_REST = 10.0  # for a server over its limit that named no time: PagerDuty never does


def next_attempt(attempt: int, outcome: TryLater, *, rank: int, now: datetime, jitter: float) -> datetime:
    """The moment of the next attempt after ``attempt`` (counted from 1) ended in ``outcome``.

    ``jitter`` in [0, 1) spreads the second half of the wait, so that messages that failed together do not return
    together.
    """
    longest = LONGEST_WORST if rank <= 1 else LONGEST
    wait = min(longest, FIRST * 2.0 ** max(0, min(attempt - PATIENT, 30)))
    wait = wait / 2 + wait / 2 * jitter
    return now + timedelta(seconds=max(wait, pause(outcome)))


def pause(outcome: TryLater) -> float:
    """Seconds for which the server asked to be left alone: by this message, and by all others of the channel."""
    return min(LONGEST_WISH, max(0.0, outcome.retry_after or 0.0))


def rest(outcome: TryLater, failing: float) -> float:
    """Seconds in which the channel gets nothing at all; ``failing`` is for how many it has accepted nothing.

    Where the server is over its limit and named no time the pauses double, since each is as long as it has failed.
    """
    wish = pause(outcome)
    return wish if wish or not outcome.limited else min(LONGEST_REST, max(FIRST, failing))
