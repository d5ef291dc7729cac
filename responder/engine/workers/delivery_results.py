"""What becomes of each attempt: accepted, tried later, tried plain or given up; and what its channel learns of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial

import structlog
from sqlalchemy import Connection

from responder.counters import TALLY
from responder.model.message import Letter
from responder.model.outcome import Delivered, Outcome, Refused, TryLater
from responder.model.report import Moment
from responder.notify.delivery.backoff import next_attempt, rest
from responder.notify.rate_limit import Pace
from responder.store.outbox import attempts, channel_state

_log = structlog.get_logger()

News = Callable[[], None]


class Marking:
    """Writes down the ends of attempts on one lane.

    ``pace`` gives the limit of its vendor, if there is one, and ``chance`` the jitter, in [0, 1).
    """

    def __init__(self, pace: Callable[[], Pace | None], chance: Callable[[], float]) -> None:
        self._pace = pace
        self._chance = chance

    def mark(self, connection: Connection, ended: Iterable[tuple[Letter, Outcome]], now: datetime) -> list[News]:
        """Write down what became of the attempts. Returns what to log and count once that is committed."""
        ended = sorted(ended, key=lambda each: each[0].id)  # two that mark the same must not wait for each other
        for channel in sorted({letter.channel for letter, _ in ended}):
            results = {isinstance(outcome, Delivered) for letter, outcome in ended if letter.channel == channel}
            channel_state.tried(connection, channel, now, accepted=True in results, failed=False in results)
        news = [self._mark_one(connection, letter, outcome, now) for letter, outcome in ended]
        return news + [partial(_count, letter, outcome, now) for letter, outcome in ended]

    def _mark_one(self, connection: Connection, letter: Letter, outcome: Outcome, now: datetime) -> News:
        event = _log.bind(message=letter.id, incident=letter.report.incident, channel=letter.channel, step=letter.step)
        match outcome:
            case Delivered(ref):
                if channel_state.answered(connection, letter.channel):
                    attempts.retry_now(connection, letter.channel, now)
                attempts.sent(connection, letter, ref, now)
                return partial(event.info, "message.sent", attempt=letter.attempt, title=letter.report.title)
            case TryLater(reason):
                at = next_attempt(letter.attempt, outcome, rank=letter.rank, now=now, jitter=self._chance())
                self._fail(connection, letter.channel, outcome, now)
                attempts.again(connection, letter, at, reason, plain=letter.plain)
                return partial(event.warning, "message.later", attempt=letter.attempt, reason=reason, at=at.isoformat())
            case Refused(reason) if not letter.plain:
                channel_state.answered(connection, letter.channel)
                attempts.again(connection, letter, now, reason, plain=True)
                return partial(
                    event.warning, "message.refused", attempt=letter.attempt, reason=f"{reason}; trying a plain page"
                )
            case Refused(reason):
                channel_state.answered(connection, letter.channel)
                attempts.dead(connection, letter, reason, now)
                return partial(
                    event.error, "message.dead", attempt=letter.attempt, reason=reason, title=letter.report.title
                )

    def _fail(self, connection: Connection, name: str, outcome: TryLater, now: datetime) -> None:
        """Write down that a channel does not take messages. One over its limit is left alone by all of them."""
        standing, moment = channel_state.hold(connection, name), now.timestamp()
        channel_state.failed(connection, name, now)
        quiet = rest(outcome, moment - (standing.failing_since or moment))
        if not quiet:
            return
        until, pace = max(standing.paused_until, moment + quiet), self._pace()
        full_at = pace.emptied(standing.full_at, moment, until) if pace and outcome.limited else standing.full_at
        channel_state.pause(connection, name, until, full_at)


def _count(letter: Letter, outcome: Outcome, now: datetime) -> None:
    """Add one attempt to the counters."""
    result = {Delivered: "sent", TryLater: "later", Refused: "dead" if letter.plain else "plain"}[type(outcome)]
    TALLY.add("responder_attempts", letter.channel, result)
    if result != "sent":
        return
    if letter.report.moment is Moment.START:
        since = {"responder_notification_latency_seconds": letter.report.started_at}
        if letter.written_at is not None:
            since["responder_page_delay_seconds"] = letter.written_at
        for name, began in since.items():
            TALLY.add(name, letter.channel, value=max(0.0, (now - began).total_seconds()))
