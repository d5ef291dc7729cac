"""The delivery worker: sends the due messages of a channel, the worst first and in order, and records the results."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import Connection

from responder.counters import COUNTERS
from responder.engine.effects.context import DecisionContext
from responder.engine.workers.method_limits import StoredLimit, stored_limits
from responder.model.clock import Clock, Deadline
from responder.model.message import ClaimedMessage, OutboxRow
from responder.model.outcome import Continue, Delivered, NotSent, Outcome, Refused, TryLater
from responder.model.report import MessageKind
from responder.notify.contract import Available, RateLimit
from responder.notify.delivery.backoff import LONGEST_PAGER_WISH, LONGEST_WISH, next_attempt, rest
from responder.notify.delivery.deliver import Deliverer
from responder.notify.delivery.route import sharing
from responder.notify.report import compose
from responder.store.database import Database, StoreError
from responder.store.incidents import vendor_incidents
from responder.store.outbox import claims, outbox

_log = structlog.get_logger()

#: Seconds between polls of the outbox: the delay of a page whose process has died.
POLL = 0.2
#: The same for channels that are no longer configured: nothing new is written for them.
REST_POLL = 1.0
#: Messages of a queue that are sent at once.
AT_ONCE = 4
#: Deadline of one attempt.
SEND_SECONDS = 5.0
#: Attempts with that deadline. A vendor that is slower would never accept the message.
QUICK_ATTEMPTS = 3
#: Deadline of the attempts after these.
SLOW_SEND_SECONDS = 15.0
#: Lease of a claimed message, renewed during the attempt: short enough for another process to take over.
CLAIM = timedelta(seconds=SEND_SECONDS + 1)
#: The same on channels that merge duplicates: a dead sender hardly delays a page.
LEASE = timedelta(seconds=1)
#: Seconds between renewals of the latter; the other lease is renewed as many times.
RENEW_SECONDS = 0.3


class DeliveryWorker:
    """Claims due messages of one queue and hands each to a sender thread. ``chance`` gives the jitter, in [0, 1).

    A queue is one channel, or all that are no longer configured. The vendor's rate limit is counted in the database, in
    the transaction of the claim, so that it holds for all replicas and all channels that the vendor counts together.
    At most AT_ONCE messages of a queue are sent at once, so that a channel that hangs does not delay others.
    """

    def __init__(
        self,
        database: Database,
        queue: claims.ChannelQueue,
        context: Callable[[], DecisionContext],
        deliverer: Deliverer,
        clock: Clock,
        chance: Callable[[], float],
        *,
        free: Callable[[], int],
        submit: Callable[[Callable[[], None]], None],
        on_free: Callable[[], None],
    ) -> None:
        """``submit`` sends a message in a thread of its own, of which ``free`` returns how many are left.

        ``on_free`` is called when an attempt has ended, in the thread that sent the message.
        """
        self._database = database
        self._queue = queue
        self._channel = "" if queue.rest else queue.channels[0]
        self._context = context
        self._deliverer = deliverer
        self._clock = clock
        channel = context().channels.get(self._channel)
        self._paging = paging = channel is not None and channel.pages
        self._marking = DeliveryResults(self._rate_limit, self._sharing, self._limits, chance, paging=paging)
        self._free = free
        self._submit = submit
        self._busy = 0
        self._poll = REST_POLL if queue.rest else POLL
        self._keeps_open = channel is not None and channel.keeps_open
        self._lease = LEASE if paging else CLAIM
        self._claimed: dict[int, tuple[OutboxRow, float]] = {}
        self._ended: list[tuple[ClaimedMessage, Outcome]] = []
        self._guard = threading.Lock()
        self._prepared = queue.rest
        self._retired = False
        #: True if a message was just released: the next step claims without polling first.
        self.expecting = False
        self._on_free = on_free

    def step(self) -> float:
        """Record ended attempts and claim due messages. Returns the seconds to rest, at most the poll interval."""
        self._prepare()
        self._renew()
        now = self._clock.now()
        with self._guard:
            ended, free = list(self._ended), AT_ONCE - self._busy
        free = 0 if self._retired else min(free, self._free())
        expecting, self.expecting = self.expecting and free > 0, False
        if not ended and not expecting and (rest := self._rest(now) if free else self._poll) > 0:
            return rest
        with self._database.transaction() as connection:
            ticks, now = self._clock.monotonic(), self._clock.now()  # waiting for the write lock may have taken a while
            # All processes lock in one order, which avoids deadlocks.
            limits = [each.room(connection, now.timestamp()) for each in self._limits()]
            if len(names := self._sharing()) > 1:
                outbox.lock_state(connection, names[0])
            after_commit = self._marking.mark(connection, ended, now)
            messages = self._claim(connection, now, free, limits) if free else []
        with self._guard:
            del self._ended[: len(ended)]
            for message, _outcome in ended:
                self._claimed.pop(message.id, None)
            self._claimed |= {message.id: (message, ticks) for message in messages}
            self._busy += len(messages)
        for row in messages:
            self._submit(partial(self._attempt, row))
        for record in after_commit:
            record()
        return 0.0 if messages or ended or expecting else self._poll

    @property
    def active(self) -> bool:
        """True while messages are being sent or their results are not recorded yet, or if some were released."""
        with self._guard:
            return self.expecting or bool(self._claimed or self._ended)

    def retire(self) -> None:
        """Claim nothing more: another worker has the channel, or it is no longer configured."""
        self._retired, self.expecting = True, False

    def close(self) -> None:
        """Record the results of ended attempts; those without one are sent again."""
        with self._guard:
            ended, self._ended = self._ended, []
        try:
            with self._database.transaction() as connection:
                after_commit = self._marking.mark(connection, ended, self._clock.now())
            for record in after_commit:
                record()
        except StoreError as error:
            _log.error("sender.mark_failed", messages=len(ended), reason=f"{error}; they will be sent again")

    def _prepare(self) -> None:
        if not self._prepared:
            outbox.prepare_states(
                self._database, {self._channel, self._sharing()[0], *(each.row for each in self._limits())}
            )
            self._prepared = True

    def _renew(self) -> None:
        """Renew the leases of messages that are being sent or whose result is not recorded yet."""
        ticks = self._clock.monotonic()
        with self._guard:
            after = RENEW_SECONDS * (self._lease / LEASE)
            old = [message for message, renewed in self._claimed.values() if ticks - renewed >= after]
        if old:
            with self._database.transaction() as connection:
                ours = outbox.renew(connection, old, self._clock.now() + self._lease)
            with self._guard:
                self._claimed |= {message.id: (message, ticks) for message in old if message.id in ours}

    def _rest(self, now: datetime) -> float:
        """Return the seconds until a message may be sent, at most the poll interval; 0 if one may be sent now."""
        now -= self._queue.grace
        with self._database.read() as connection:
            due = claims.next_due(connection, self._queue, now)
            if due is None:
                return self._poll
            if due.at > now.timestamp():
                return min(self._poll, due.at - now.timestamp())
            standing = outbox.state_of(connection, self._channel)
            limit = outbox.state_of(connection, self._sharing()[0])
            room = self._available(connection, standing, limit, now)
        return 0.0 if (room.urgent if due.worst else room.other) else self._poll

    def _available(
        self,
        connection: Connection,
        standing: outbox.ChannelState,
        limit: outbox.ChannelState,
        now: datetime,
    ) -> Available:
        """Return how many messages the rate limit allows now: none while the vendor's Retry-After lasts.

        ``limit`` is the state of the first channel that the vendor counts together with this one. A pager that asked
        for a pause and has accepted nothing since gets one attempt at a time: the worst message.
        """
        if standing.paused_until > now.timestamp():
            return Available(0, 0)
        rate_limit = self._rate_limit()
        room = Available(AT_ONCE, AT_ONCE)
        room = rate_limit.available(limit.full_at, now.timestamp()) if rate_limit else room
        if not self._paging or standing.failing_since is None or standing.paused_until < standing.failing_since:
            return room
        return room.within(0 if claims.is_sending(connection, self._channel, now) else 1)

    def _rate_limit(self) -> RateLimit | None:
        channel = self._context().channels.get(self._channel)
        return channel.rate_limit if channel else None

    def _sharing(self) -> tuple[str, ...]:
        return sharing(self._channel, self._context().channels)

    def _limits(self) -> tuple[StoredLimit, ...]:
        channels = self._context().channels
        channel = channels.get(self._channel)
        return stored_limits(channel, channels) if channel and channel.method_limits else ()

    def _claim(
        self, connection: Connection, now: datetime, free: int, limits: Sequence[claims.StepRoom]
    ) -> list[OutboxRow]:
        """Claim what the rate limit allows, and count it. The lock on the channel's row serializes all replicas."""
        if self._queue.rest:
            return claims.claim(connection, self._queue, now - self._queue.grace, now + CLAIM, free)
        first = self._sharing()[0]
        limit = outbox.lock_state(connection, first)
        standing = limit if first == self._channel else outbox.lock_state(connection, self._channel)
        room = self._available(connection, standing, limit, now).within(free)
        until = now + self._lease
        messages = claims.claim(
            connection, self._queue, now, until, room.urgent, room.other, keeps_open=self._keeps_open, limits=limits
        )
        for each in self._limits():
            each.spend(connection, messages, now.timestamp())
        if messages and (rate_limit := self._rate_limit()):
            full_at = rate_limit.full_after(limit.full_at, now.timestamp(), len(messages))
            outbox.save_full_at(connection, first, full_at)
        return messages

    def _attempt(self, row: OutboxRow) -> None:
        message, outcome = self._send(row)
        with self._guard:
            self._ended.append((message, outcome))
            self._busy -= 1
        self._on_free()

    def _send(self, row: OutboxRow) -> tuple[ClaimedMessage, Outcome]:
        """Compose the message of a row, render it and send it: one attempt."""
        try:
            message = compose.compose_message(row, self._clock.now())
        except Exception:  # noqa: BLE001 - a message that cannot be composed is sent in minimal form
            _log.exception("sender.compose_failed", message=row.id)
            message = compose.compose_message(replace(row, content=compose.without_content(row)), self._clock.now())
        channel = self._context().channels.get(message.channel)
        if channel is None:
            return message, Refused(f"channel {message.channel} is no longer configured")
        try:
            if not self._is_ours(row):
                return message, NotSent("the claim expired before the attempt, and another sender may have taken over")
            seconds = SEND_SECONDS if row.attempt <= QUICK_ATTEMPTS else SLOW_SEND_SECONDS
            deadline = Deadline(self._clock.monotonic() + seconds)
            return message, self._deliverer.deliver(channel, message, deadline)
        except Exception as error:  # noqa: BLE001 - a message that cannot be rendered is retried as plain text, then dead
            _log.exception("sender.failed", message=message.id)
            return message, Refused(f"rendering failed with {type(error).__name__}")

    def _is_ours(self, row: OutboxRow) -> bool:
        """Return False if the claim may have expired, by the monotonic clock: this process may have been paused."""
        with self._guard:
            claimed, ticks = self._claimed.get(row.id, (None, 0.0))
        if claimed is None or claimed.attempt != row.attempt:
            return False
        return self._clock.monotonic() - ticks < self._lease.total_seconds()


#: Logs or counts a result, once it is committed.
Note = Callable[[], None]


class DeliveryResults:
    """Records the results of attempts on one queue.

    ``rate_limit`` returns the rate limit of its vendor, if there is one, ``sharing`` the channels that share it, and
    ``chance`` the jitter, in [0, 1). ``paging`` is True for the queue of a channel that pages.
    """

    def __init__(
        self,
        rate_limit: Callable[[], RateLimit | None],
        sharing: Callable[[], tuple[str, ...]],
        limits: Callable[[], tuple[StoredLimit, ...]],
        chance: Callable[[], float],
        *,
        paging: bool,
    ) -> None:
        self._rate_limit = rate_limit
        self._sharing = sharing
        self._limits = limits
        self._paging = paging
        self._longest_wish = LONGEST_PAGER_WISH if paging else LONGEST_WISH
        self._chance = chance

    def mark(
        self, connection: Connection, ended: Iterable[tuple[ClaimedMessage, Outcome]], now: datetime
    ) -> list[Note]:
        """Record the results of attempts. Returns what to log and count after the commit."""
        ended = sorted(ended, key=lambda each: each[0].id)  # one order for all processes avoids deadlocks
        made = [(message.channel, outcome) for message, outcome in ended if not isinstance(outcome, NotSent)]
        for channel in sorted({name for name, _outcome in made}):
            results = {isinstance(outcome, Delivered | Continue) for name, outcome in made if name == channel}
            outbox.record_attempts(connection, channel, now, accepted=True in results, failed=False in results)
        after_commit = [self._mark_one(connection, message, outcome, now) for message, outcome in ended]
        for channel in sorted({name for name, outcome in made if self._paging and isinstance(outcome, Delivered)}):
            outbox.requeue_refused(connection, channel, now)
        return after_commit + [partial(_count, message, outcome, now) for message, outcome in ended]

    def _mark_one(self, connection: Connection, message: ClaimedMessage, outcome: Outcome, now: datetime) -> Note:
        event = _log.bind(
            message=message.id, incident=message.report.incident, channel=message.channel, step=message.step
        )
        match outcome:
            case Delivered(ref, moved):
                if moved:
                    outbox.forget_refs(connection, message)
                if outbox.clear_failing(connection, message.channel):
                    outbox.retry_now(connection, message.channel, now)
                self._settle(connection, message, outbox.sent(connection, message, ref, now), now)
                return partial(event.info, "message.sent", attempt=message.attempt, title=message.report.title)
            case TryLater(reason):
                outcome = replace(outcome, retry_after=min(outcome.retry_after or 0.0, self._longest_wish))
                at = next_attempt(message.attempt, outcome, priority=message.priority, now=now, jitter=self._chance())
                self._fail(connection, message, outcome, now)
                ours = outbox.schedule_retry(connection, message, at, reason, minimal=message.minimal)
                self._settle(connection, message, ours, now)
                return partial(
                    event.warning, "message.later", attempt=message.attempt, reason=reason, at=at.isoformat()
                )
            case Continue(reason, ref, after):
                vendor_incidents.learn(connection, message.report.incident, ref, now)
                at = now + timedelta(seconds=after)
                outbox.schedule_retry(connection, message, at, reason, minimal=message.minimal)
                return partial(event.info, "message.continued", reason=reason)
            case NotSent(reason):
                outbox.schedule_retry(connection, message, now, reason, minimal=message.minimal)
                return partial(event.warning, "message.not_sent", attempt=message.attempt, reason=reason)
            case Refused(reason) if not message.minimal:
                outbox.clear_failing(connection, message.channel)
                outbox.schedule_retry(connection, message, now, reason, minimal=True)
                reason = f"{reason}; retrying as plain text"
                return partial(event.warning, "message.refused", attempt=message.attempt, reason=reason)
            case Refused(reason):
                outbox.clear_failing(connection, message.channel)
                outbox.give_up(connection, message, reason, now)
                return partial(
                    event.error, "message.dead", attempt=message.attempt, reason=reason, title=message.report.title
                )

    def _settle(self, connection: Connection, message: ClaimedMessage, ours: bool, now: datetime) -> None:
        """Send a resolve again that this attempt may have come after: another sender had taken the message over."""
        if self._paging and not ours and outbox.resolve_again(connection, message, now):
            _log.warning("message.resolve_again", message=message.id, incident=message.report.incident)

    def _fail(self, connection: Connection, message: ClaimedMessage, outcome: TryLater, now: datetime) -> None:
        """Record that a channel does not accept messages, and pause it on all replicas if it is over its rate limit."""
        name = message.channel
        standing, moment = outbox.lock_state(connection, name), now.timestamp()
        outbox.record_failing(connection, name, now)
        quiet = rest(outcome, moment - (standing.failing_since or moment))
        if not quiet:
            return
        until, rate_limit = max(standing.paused_until, moment + quiet), self._rate_limit()
        if not (rate_limit and outcome.limited):
            outbox.pause_channel(connection, name, until, standing.full_at)
            return
        for each in self._limits():
            if each.limit.pauses_all and message.step in each.limit.steps:
                each.empty(connection, moment, until)
        names = self._sharing() if name in self._sharing() else (name,)
        full_at = rate_limit.emptied(outbox.lock_state(connection, names[0]).full_at, moment, until)
        for shared in names:
            outbox.pause_channel(connection, shared, until, full_at)


def _count(message: ClaimedMessage, outcome: Outcome, now: datetime) -> None:
    if isinstance(outcome, NotSent | Continue):
        return
    result = {Delivered: "sent", TryLater: "later", Refused: "dead" if message.minimal else "plain"}[type(outcome)]
    COUNTERS.add("responder_attempts", message.channel, result)
    if result == "sent" and message.report.kind is MessageKind.START:
        since = {"responder_notification_latency_seconds": message.report.started_at}
        if message.written_at is not None:
            since["responder_page_delay_seconds"] = message.written_at
        for name, began in since.items():
            COUNTERS.add(name, message.channel, value=max(0.0, (now - began).total_seconds()))
