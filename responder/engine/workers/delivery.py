"""A courier: sends what is due on its channel, the worst first and in order, and marks it after it was accepted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from responder.engine.effects.context import Desk
from responder.engine.workers.delivery_results import Marking
from responder.model.clock import Clock, Deadline
from responder.model.message import Letter, OutboxRow
from responder.model.outcome import Outcome, Refused
from responder.notify.delivery.deliver import Deliverer
from responder.notify.rate_limit import Pace, Room
from responder.notify.report import compose
from responder.store.database import CannotStore, Database
from responder.store.outbox import attempts, channel_state, claims

_log = structlog.get_logger()

POLL = 0.2
"""Seconds between looks at the outbox: how late a page may be that a dead process left behind."""
REST_POLL = 1.0
"""The same for channels that are not configured any more: nothing new is written for them."""
SEND_SECONDS = 5.0
"""The deadline of one attempt."""
CLAIM = timedelta(seconds=SEND_SECONDS + 1)
"""How long a claimed message is ours: longer than an attempt can take, short enough for another to take over."""
LEASE = timedelta(seconds=1)
"""The same where what is sent twice is merged, with a sign of life meanwhile: a dead sender delays no page."""
RENEW_SECONDS = 0.3


class Courier:
    """Claims due messages of one lane and hands each to a sender thread. ``chance`` gives the jitter, in [0, 1).

    A lane is one channel, or all that are not configured any more. What the vendor takes in a minute is counted in the
    database, in the same transaction as the claim, so that it holds for all replicas.

    Every channel has a courier of its own, so that a PagerDuty that hangs does not keep Slack's messages waiting.
    """

    def __init__(
        self,
        database: Database,
        lane: claims.Lane,
        desk: Callable[[], Desk],
        deliverer: Deliverer,
        clock: Clock,
        chance: Callable[[], float],
        *,
        on_free: Callable[[], None],
        senders: int = 4,
    ) -> None:
        """``on_free`` is called when an attempt has ended, in the thread that sent it."""
        self._database = database
        self._lane = lane
        self._channel = "" if lane.rest else lane.channels[0]
        self._desk = desk
        self._deliverer = deliverer
        self._clock = clock
        self._marking = Marking(self._pace, chance)
        self._pool = ThreadPoolExecutor(senders, thread_name_prefix="courier")
        self._senders = senders
        self._busy = 0
        self._poll = REST_POLL if lane.rest else POLL
        self._lease = LEASE if not lane.rest and desk().channels[self._channel].pages else None
        self._out: dict[int, tuple[OutboxRow, float]] = {}
        self._ended: list[tuple[Letter, Outcome]] = []
        self._guard = threading.Lock()
        self._prepared = lane.rest
        self._expecting = False
        self._on_free = on_free

    def step(self) -> float:
        """Mark what has ended and send what is due. Returns the seconds until the next one is, at most its poll."""
        self._prepare()
        self._renew()
        now = self._clock.now()
        with self._guard:
            ended, free = list(self._ended), self._senders - self._busy
        expecting, self._expecting = self._expecting and free > 0, False
        if not ended and not expecting:
            rest = self._rest(now) if free else self._poll
            if rest > 0:
                return rest
        with self._database.work() as connection:
            now = self._clock.now()  # it may have taken a while to be the one who writes
            news = self._marking.mark(connection, ended, now)
            letters = self._claim(connection, now, free) if free else []
        with self._guard:
            del self._ended[: len(ended)]
            for letter, _outcome in ended:
                self._out.pop(letter.id, None)
            self._out |= {letter.id: (letter, self._clock.monotonic()) for letter in letters}
            self._busy += len(letters)
        for row in letters:
            self._pool.submit(self._carry, row)
        for tell in news:
            tell()
        return 0.0 if letters or ended or expecting else self._poll

    def expect(self) -> None:
        """A message was released just now: the next step claims it without looking for it first."""
        self._expecting = True

    def close(self, patience: float) -> None:
        """Let the attempts at hand end, for at most ``patience`` seconds; what they do not mark is sent again."""
        waiter = threading.Thread(target=self._pool.shutdown, daemon=True)
        waiter.start()
        waiter.join(patience)
        with self._guard:
            ended, self._ended = self._ended, []
        try:
            with self._database.work() as connection:
                news = self._marking.mark(connection, ended, self._clock.now())
            for tell in news:
                tell()
        except CannotStore as error:
            _log.error("courier.cannot_mark", messages=len(ended), reason=f"{error}; they will be sent again")

    def _prepare(self) -> None:
        if not self._prepared:
            channel_state.prepare(self._database, [self._channel])
            self._prepared = True

    def _renew(self) -> None:
        """Keep what we send, and what was sent and is not marked yet, from being taken over."""
        ticks = self._clock.monotonic()
        with self._guard:
            old = [letter for letter, renewed in self._out.values() if ticks - renewed >= RENEW_SECONDS]
        if old and self._lease:
            with self._database.work() as connection:
                attempts.renew(connection, old, self._clock.now() + self._lease)
            with self._guard:
                self._out |= {letter.id: (letter, ticks) for letter in old}

    def _rest(self, now: datetime) -> float:
        """Seconds until a message may leave, at most its poll; 0 where one may now."""
        if not claims.anything(self._database, self._lane):
            return self._poll
        now -= self._lane.grace
        with self._database.read() as connection:
            due = claims.next_due(connection, self._lane, now)
            if due is None:
                return self._poll
            if due.at > now.timestamp():
                return min(self._poll, due.at - now.timestamp())
            room = self._room(channel_state.look(connection, self._channel), now)
        return 0.0 if (room.urgent if due.worst else room.other) else self._poll

    def _room(self, standing: channel_state.Standing, now: datetime) -> Room:
        """How many messages the vendor takes now: none while it asked for a pause."""
        if standing.paused_until > now.timestamp():
            return Room(0, 0)
        pace = self._pace()
        return pace.room(standing.full_at, now.timestamp()) if pace else Room(self._senders, self._senders)

    def _pace(self) -> Pace | None:
        channel = self._desk().channels.get(self._channel)
        return channel.pace if channel else None

    def _claim(self, connection: Connection, now: datetime, free: int) -> list[OutboxRow]:
        """Claim what the vendor's limit allows, and count it. The lane's row keeps all replicas in turn."""
        if self._lane.rest:
            return claims.claim(connection, self._lane, now - self._lane.grace, now + CLAIM, free)
        standing = channel_state.hold(connection, self._channel)
        room = self._room(standing, now).within(free)
        until = now + (self._lease or CLAIM)
        letters = claims.claim(connection, self._lane, now, until, room.urgent, room.other)
        if letters and (pace := self._pace()):
            full_at = pace.spent(standing.full_at, now.timestamp(), len(letters))
            channel_state.spend(connection, self._channel, full_at)
        return letters

    def _carry(self, row: OutboxRow) -> None:
        letter, outcome = self._send(row)
        with self._guard:
            self._ended.append((letter, outcome))
            self._busy -= 1
        self._on_free()

    def _send(self, row: OutboxRow) -> tuple[Letter, Outcome]:
        """Compose the message of a row, render it and send it: one attempt."""
        try:
            letter = compose.letter(row, self._clock.now())
        except Exception:  # noqa: BLE001 - a message that cannot be composed is sent in its barest form
            _log.exception("courier.cannot_compose", message=row.id)
            letter = compose.letter(replace(row, content=compose.lost(row)), self._clock.now())
        channel = self._desk().channels.get(letter.channel)
        if channel is None:
            return letter, Refused(f"channel {letter.channel} is not configured any more")
        try:
            deadline = Deadline(self._clock.monotonic() + SEND_SECONDS)
            return letter, self._deliverer.deliver(channel, letter, deadline)
        except Exception as error:  # noqa: BLE001 - a message that cannot be built must still be tried plain, then shown
            _log.exception("courier.broken", message=letter.id)
            return letter, Refused(f"building it failed with {type(error).__name__}")
