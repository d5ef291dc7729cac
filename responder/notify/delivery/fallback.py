"""Decide about a page that its channel does not accept: wait, or use the next channel. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from responder.model.clock import duration_in_minutes
from responder.model.text import sanitize_line

#: Factor of the wait for pages that are not of the worst severity.
LESSER = 5.0
#: Characters of the reason of a fallback.
REASON_LIMIT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class UndeliveredPage:
    """A page that has not been accepted. ``title`` is its channel's; ``dead`` is a page that was refused for good.

    ``error`` is what the last attempt ended in, empty where none has ended. ``failing_since`` is the channel's first
    failure after which it accepted nothing, None while it accepts.
    """

    channel: str
    title: str
    dead: bool
    priority: int
    written_at: datetime
    error: str
    failing_since: datetime | None


@dataclass(frozen=True, slots=True)
class FallbackStep:
    """Page through ``channel`` as well, because of ``reason``; the first message stays in the outbox."""

    channel: str
    reason: str


@dataclass(frozen=True, slots=True)
class NoFallback:
    """Do nothing now, because of ``reason``."""

    reason: str


def next_step(
    undelivered: UndeliveredPage, usable: Sequence[str], order: Sequence[str], limit: float, now: datetime
) -> FallbackStep | NoFallback:
    """Return the next fallback step if it is due. ``limit`` is the wait in seconds for the worst severity.

    For a channel that is known to be down the first failed attempt is enough. A page that
    only waits behind others, on a channel that accepts them, stays where it is.
    """
    limit = limit if undelivered.priority <= 1 else limit * LESSER
    name, said = undelivered.title, sanitize_line(undelivered.error, 200) or "no response"
    waited = (now - undelivered.written_at).total_seconds()
    down = (now - undelivered.failing_since).total_seconds() if undelivered.failing_since else 0.0
    if undelivered.dead:
        reason = f"{name} rejected this page: {said}"
    elif waited >= limit and undelivered.error:
        reason = f"{name} has not accepted this page for {duration_in_minutes(waited)}: {said}"
    elif down >= limit:
        reason = f"{name} has accepted nothing for {duration_in_minutes(down)}: {said}"
    else:
        left = duration_in_minutes(limit - max(waited, down))
        return NoFallback(
            f"{name} has {left} left to accept this page" if undelivered.error else "no attempt has ended yet"
        )
    following = after(undelivered.channel, usable, order)
    return FallbackStep(following, reason) if following else NoFallback(f"{reason}; no fallback channel left")


def after(channel: str, usable: Sequence[str], order: Sequence[str]) -> str:
    """Return the channel of ``usable``, which are in their order, that follows ``channel``; empty for none.

    A channel that is not configured any more is followed by what would follow it in the whole ``order``.
    """
    if channel in usable:
        left = usable[usable.index(channel) + 1 :]
    else:
        passed = order[: order.index(channel)] if channel in order else ()
        left = [name for name in usable if name not in passed]
    return next(iter(left), "")


def fallback_history(before: str, reason: str) -> str:
    """Return the reasons of all fallback steps so far, in order."""
    return sanitize_line("; then ".join(filter(None, (before, reason))), REASON_LIMIT)
