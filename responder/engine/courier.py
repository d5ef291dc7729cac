"""A courier: sends what is due on its channel, the worst first and in order, and marks it after it was accepted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import structlog

from responder.engine.desk import Desk
from responder.model.clock import Clock, Deadline
from responder.model.message import Letter
from responder.model.outcome import Delivered, Outcome, Refused, TryLater
from responder.notify.backoff import next_attempt
from responder.notify.deliver import Deliverer
from responder.store import outbox
from responder.store.database import CannotStore, Database

_log = structlog.get_logger()

POLL = 0.2
"""Seconds between looks at the outbox: how late a page may be that a dead process left behind."""
SEND_SECONDS = 5.0
"""The deadline of one attempt."""
CLAIM = timedelta(seconds=SEND_SECONDS + 1)
"""How long a claimed message is ours: longer than an attempt can take, short enough for another to take over."""


class Courier:
    """Claims due messages of one lane and hands each to a sender thread. ``chance`` gives the jitter, in [0, 1).

    Every channel has a courier of its own, so that a PagerDuty that hangs does not keep Slack's messages waiting.
    """

    def __init__(
        self,
        database: Database,
        lane: outbox.Lane,
        desk: Callable[[], Desk],
        deliverer: Deliverer,
        clock: Clock,
        chance: Callable[[], float],
        senders: int = 4,
    ) -> None:
        self._database = database
        self._lane = lane
        self._desk = desk
        self._deliverer = deliverer
        self._clock = clock
        self._chance = chance
        self._pool = ThreadPoolExecutor(senders, thread_name_prefix="courier")
        self._senders = senders
        self._busy = 0
        self._guard = threading.Lock()
        self.on_free: Callable[[], None] = lambda: None

    def step(self) -> float:
        """Send what is due. Returns the seconds until the next message is, at most POLL."""
        with self._guard:
            free = self._senders - self._busy
        if not free:
            return POLL
        now = self._clock.now()
        with self._database.read() as connection:
            due = outbox.next_due(connection, self._lane)
        if due is None or due > now.timestamp():
            return POLL if due is None else min(POLL, max(0.0, due - now.timestamp()))
        with self._database.write() as connection:
            letters = outbox.claim(connection, self._lane, now, now + CLAIM, free)
        for letter in letters:
            with self._guard:
                self._busy += 1
            self._pool.submit(self._carry, letter)
        return 0.0 if letters else POLL

    def close(self, patience: float) -> None:
        """Let the attempts at hand end, for at most ``patience`` seconds; what they do not mark is sent again."""
        waiter = threading.Thread(target=self._pool.shutdown, daemon=True)
        waiter.start()
        waiter.join(patience)

    def _carry(self, letter: Letter) -> None:
        try:
            self._mark(letter, self._send(letter))
        except CannotStore as error:
            _log.error("courier.cannot_mark", message=letter.id, reason=f"{error}; it will be sent again")
        finally:
            with self._guard:
                self._busy -= 1
            self.on_free()

    def _send(self, letter: Letter) -> Outcome:
        channel = self._desk().channels.get(letter.channel)
        if channel is None:
            return Refused(f"channel {letter.channel} is not configured any more")
        try:
            return self._deliverer.deliver(channel, letter, Deadline(self._clock.monotonic() + SEND_SECONDS))
        except Exception as error:  # noqa: BLE001 - a message we cannot even build must still be tried plain, then shown
            _log.exception("courier.broken", message=letter.id)
            return Refused(f"building it failed with {type(error).__name__}")

    def _mark(self, letter: Letter, outcome: Outcome) -> None:
        now = self._clock.now()
        event = _log.bind(message=letter.id, incident=letter.report.incident, channel=letter.channel, step=letter.step)
        with self._database.write() as connection:
            match outcome:
                case Delivered(ref):
                    outbox.sent(connection, letter, ref, now)
                    event.info("message.sent", attempt=letter.attempt, title=letter.report.title)
                case TryLater(reason):
                    at = next_attempt(letter.attempt, outcome, rank=letter.rank, now=now, jitter=self._chance())
                    outbox.again(connection, letter, at, reason, plain=letter.plain)
                    event.warning("message.later", attempt=letter.attempt, reason=reason, at=at.isoformat())
                case Refused(reason) if not letter.plain:
                    outbox.again(connection, letter, now, reason, plain=True)
                    event.warning("message.refused", attempt=letter.attempt, reason=f"{reason}; trying a plain page")
                case Refused(reason):
                    outbox.dead(connection, letter, reason, now)
                    event.error("message.dead", attempt=letter.attempt, reason=reason, title=letter.report.title)
