"""A courier: sends what is due on its channel, the worst first and in order, and marks it after it was accepted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import Connection

from responder.engine.desk import Desk
from responder.model.clock import Clock, Deadline
from responder.model.message import Letter
from responder.model.outcome import Delivered, Outcome, Refused, TryLater
from responder.notify.backoff import next_attempt
from responder.notify.deliver import Deliverer
from responder.store import outbox
from responder.store.database import CannotStore, Database

_log = structlog.get_logger()

News = Callable[[], None]

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
        self._ended: list[tuple[Letter, Outcome]] = []
        self._guard = threading.Lock()
        self.on_free: Callable[[], None] = lambda: None

    def step(self) -> float:
        """Mark what has ended and send what is due. Returns the seconds until the next message is, at most POLL."""
        now = self._clock.now()
        with self._guard:
            ended, free = list(self._ended), self._senders - self._busy
        due = self._due(now) if free else None
        ready = due is not None and due <= now.timestamp()
        if not ended and not ready:
            return POLL if due is None else min(POLL, max(0.0, due - now.timestamp()))
        with self._database.work() as connection:
            news = self._mark(connection, ended, now)
            letters = outbox.claim(connection, self._lane, now, now + CLAIM, free) if free else []
        with self._guard:
            del self._ended[: len(ended)]
            self._busy += len(letters)
        for letter in letters:
            self._pool.submit(self._carry, letter)
        for tell in news:
            tell()
        return 0.0 if letters else POLL

    def close(self, patience: float) -> None:
        """Let the attempts at hand end, for at most ``patience`` seconds; what they do not mark is sent again."""
        waiter = threading.Thread(target=self._pool.shutdown, daemon=True)
        waiter.start()
        waiter.join(patience)
        with self._guard:
            ended, self._ended = self._ended, []
        try:
            with self._database.work() as connection:
                news = self._mark(connection, ended, self._clock.now())
            for tell in news:
                tell()
        except CannotStore as error:
            _log.error("courier.cannot_mark", messages=len(ended), reason=f"{error}; they will be sent again")

    def _due(self, now: datetime) -> float | None:
        with self._database.read() as connection:
            return outbox.next_due(connection, self._lane, now)

    def _carry(self, letter: Letter) -> None:
        outcome = self._send(letter)
        with self._guard:
            self._ended.append((letter, outcome))
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

    def _mark(self, connection: Connection, ended: Iterable[tuple[Letter, Outcome]], now: datetime) -> list[News]:
        """Write down what became of the attempts. Returns what to log once that is committed."""
        return [self._mark_one(connection, letter, outcome, now) for letter, outcome in ended]

    def _mark_one(self, connection: Connection, letter: Letter, outcome: Outcome, now: datetime) -> News:
        event = _log.bind(message=letter.id, incident=letter.report.incident, channel=letter.channel, step=letter.step)
        match outcome:
            case Delivered(ref):
                outbox.sent(connection, letter, ref, now)
                return partial(event.info, "message.sent", attempt=letter.attempt, title=letter.report.title)
            case TryLater(reason):
                at = next_attempt(letter.attempt, outcome, rank=letter.rank, now=now, jitter=self._chance())
                outbox.again(connection, letter, at, reason, plain=letter.plain)
                return partial(event.warning, "message.later", attempt=letter.attempt, reason=reason, at=at.isoformat())
            case Refused(reason) if not letter.plain:
                outbox.again(connection, letter, now, reason, plain=True)
                return partial(
                    event.warning, "message.refused", attempt=letter.attempt, reason=f"{reason}; trying a plain page"
                )
            case Refused(reason):
                outbox.dead(connection, letter, reason, now)
                return partial(
                    event.error, "message.dead", attempt=letter.attempt, reason=reason, title=letter.report.title
                )
