"""The triage worker: takes stored notifications, and commits the effects of their decisions."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection
from tenacity import RetryError, Retrying, retry_if_exception_type, wait_fixed

from responder.counters import COUNTERS
from responder.engine import pipeline
from responder.engine.effects import flood
from responder.engine.effects.context import SHARED, DecisionContext, GroupHistories, failure_key
from responder.engine.effects.triage_failure import SINGLE_PAGES, failed
from responder.engine.effects.without_notification import resolved
from responder.model.alert import AlertGroup
from responder.model.clock import Clock
from responder.model.delivery import DiagnosisJob, Effects, IncidentChanges, Notification
from responder.model.flood import FloodCounter, FloodState
from responder.model.incident import ChangeKind
from responder.receive import alertmanager
from responder.store.database import Database, StoreError, TriageLock
from responder.store.inbox import inbox
from responder.store.incidents import actions, detectors, incidents
from responder.store.outbox import outbox
from responder.triage.decide import unknown_word

_log = structlog.get_logger()

#: Notifications decided in one transaction.
BATCH = 32
#: Bytes of payloads from which on a transaction takes no further notification: as objects they need ten times as much.
BATCH_BYTES = 1024 * 1024
#: Seconds between polls for notifications that another process left behind; the webhook wakes this process.
POLL = 0.7


@dataclass(frozen=True, slots=True)
class TriageWorker:
    """Decides notifications, in one process at a time.

    One transaction per batch contains the incidents, the pages and the diagnoses: the second invariant.
    """

    writer: "IncidentWriter"
    context: Callable[[], DecisionContext]

    def step(self) -> float:
        """Decide waiting notifications. Returns the seconds to rest."""
        with self.writer.database.alone("triage") as lock:
            return self._batch(lock) if lock else LOCK_RETRY_SECONDS

    def _batch(self, lock: TriageLock) -> float:
        """Decide a batch under the triage lock but outside the write transaction, then commit it."""
        with self.writer.database.read() as connection:
            batch = [
                _not_later(notification, self.writer.clock.now())
                for notification in inbox.oldest_undecided(connection, BATCH, BATCH_BYTES)
            ]
            if not batch:
                return POLL
            decided = self._decide(connection, batch)
        if not self.writer.commit(lock, decided, _settled(decided.effects)):
            return LOCK_RETRY_SECONDS
        full = len(batch) == BATCH or sum(len(notification.body) for notification in batch) >= BATCH_BYTES
        return 0.0 if full else POLL

    def _decide(self, connection: Connection, batch: Sequence[Notification]) -> IncidentChanges:
        """Decide a batch in order: an incident opened by one notification is open for the next of its group."""
        context, now = self.context(), self.writer.clock.now()
        read = [_read(notification) for notification in batch]
        known = GroupHistories(connection, [each.group for each in read if each.group], context, now)
        flood_state = detectors.flood_counters(connection)
        swollen: dict[str, FloodCounter] = {}
        effects = []
        for notification, what in zip(batch, read, strict=True):
            for each in _triage(what, notification, known, context, FloodState(now, flood_state)):
                if each.flood is not None:
                    flood_state[each.flood.severity] = swollen[each.flood.severity] = each.flood
                known.learn(each)
                effects.append(each)
        floods = list(swollen.values())
        digests = any(each.in_digest for each in floods)
        news = flood.flood_changes(floods, context, now) if digests else IncidentChanges(effects=(), floods=floods)
        return replace(news, effects=[*effects, *news.effects], added=known.added, changed=known.changed)


def _settled(effects: Iterable[Effects]) -> Iterator[tuple[int, str, str | None, str]]:
    """Yield the results of the notifications: id, state, incident, outcome."""
    for each in effects:
        if each.notification is not None:
            yield each.notification, each.state, each.incident.id if each.incident else None, each.outcome


def _not_later(notification: Notification, now: datetime) -> Notification:
    """Return the notification as received now if its time is in the future, since a clock was set back."""
    return replace(notification, received_at=now) if notification.received_at > now else notification


def foreseen(connection: Connection, notification: Notification, context: DecisionContext) -> Effects:
    """Return the effects that a notification would have now. Nothing is written."""
    read = _read(notification)
    known = GroupHistories(connection, [read.group] if read.group else [], context, notification.received_at)
    return _triage(
        read, notification, known, context, FloodState(notification.received_at, detectors.flood_counters(connection))
    )[-1]


@dataclass(frozen=True, slots=True)
class _Parsed:
    """The group of a notification, or the error of reading it."""

    group: AlertGroup | None
    error: Exception | None = None


def _read(notification: Notification) -> _Parsed:
    try:
        return _Parsed(alertmanager.read(notification))
    except Exception as error:  # noqa: BLE001 - any failure becomes a page and must not stop the queue
        _log.error("triage.unreadable", notification=notification.id, exc_info=error)
        return _Parsed(None, error)


def _triage(
    read: _Parsed, notification: Notification, known: GroupHistories, context: DecisionContext, flood_state: FloodState
) -> list[Effects]:
    """Triage a notification; a failure becomes a page, so that neither it nor those behind it are lost.

    The last of the effects are those of the notification. The resolve of an incident about an earlier failure precedes
    them.
    """
    group, error = read.group, read.error
    if group is not None:
        try:
            effects = pipeline.triage(group, notification, known.of(group), context, flood_state)
            failure = known.open(failure_key(group))
            if failure.incident is None:
                return [effects]
            why = "triage of the group works again; if its alerts still fire, they have an incident of their own"
            return [resolved(failure.incident, failure.content, why, context, notification.received_at), effects]
        except Exception as broken:  # noqa: BLE001 - as above
            _log.error("triage.failed", notification=notification.id, exc_info=broken)
            error = broken
    error = error or LookupError("no alert group was read")
    try:
        return [_failed(notification, group, error, known, context)]
    except Exception as worse:  # noqa: BLE001 - the group may break this too; without the group it cannot fail
        _log.error("triage.failed_twice", notification=notification.id, exc_info=worse)
        return [_failed(notification, None, error, known, context)]


def _failed(
    notification: Notification,
    group: AlertGroup | None,
    error: Exception,
    known: GroupHistories,
    context: DecisionContext,
) -> Effects:
    """Return a page about the failure, if an alert fires or an incident is open that it may concern."""
    if group and not group.firing and not group.truncated and known.own(group).incident is None:
        return Effects(
            notification=notification.id, outcome=f"triage failed with {type(error).__name__}; no alert fires"
        )
    key = failure_key(group) if group else SHARED
    if known.open(key).incident is None and known.failures() >= SINGLE_PAGES:
        key = SHARED
    return failed(notification, group, error, context, key, known.open(key).incident)


#: Lease of a diagnosis.
LEASE = timedelta(seconds=5)
#: Seconds between attempts to take the triage lock.
LOCK_RETRY_SECONDS = 0.01
#: How long a write waits for the triage lock. A job that does not get it tries again at its next run.
LOCK_SECONDS = 10.0


def write(connection: Connection, decided: IncidentChanges, now: datetime, free_slots: int) -> list[DiagnosisJob]:
    """Write incidents, messages and diagnoses in one transaction. Returns the diagnoses to start.

    This is the second invariant: a page is committed together with its incident.
    """
    effects = decided.effects
    incidents.save(connection, decided.added, decided.changed)
    outbox.write(connection, (message for each in effects for message in each.messages), now)
    restarted = [each.request.incident for each in effects if each.request]
    incidents.save_contents(connection, [each.content for each in effects if each.content], restarted, now)
    if settled := [(*each.action, each.outcome) for each in effects if each.action]:
        actions.settle(connection, settled)
    detectors.save_floods(connection, decided.floods)
    detectors.save(connection, decided.heartbeat_states)
    detectors.record_heartbeat(connection, (heartbeat for each in effects for heartbeat in each.heartbeats))
    due = [(each.request, each.due_at or now) for each in effects if each.request]
    return incidents.write_diagnoses(connection, due, now, now + LEASE, free_slots)


def count(effects: Iterable[Effects]) -> None:
    """Add committed effects to the counters."""
    found = Counter[tuple[str, ...]]()
    for each in effects:
        found.update(_counts(each))
    for (name, *labels), number in found.items():
        COUNTERS.add(name, *labels, value=number)


def _counts(effects: Effects) -> Iterator[tuple[str, ...]]:
    """Yield the counters of these effects, with their labels."""
    if effects.notification is not None:
        yield "responder_notifications_triaged", effects.state
    if effects.decision is None:
        return
    for match in effects.decision.matches if effects.notification is not None else ():
        yield "responder_alerts", "firing" if match.alert.firing else "resolved"
        yield "responder_rule_matches", match.rule.id
        if not match.rule.matchers:
            yield ("responder_unmatched_alerts",)
        if unknown_word(match.rule, match.alert):
            yield "responder_unknown_severity_words", match.rule.id
    if effects.notification is not None:
        yield from (("responder_dropped_alerts", rule.id) for rule in effects.decision.dropped)
    if effects.notification is not None and effects.decision.route.unknown:
        yield "responder_unknown_teams", effects.decision.rule.id
    kind = effects.decision.change.kind
    if effects.incident is not None and kind in {ChangeKind.NEW, ChangeKind.RESOLVED}:
        yield "responder_incidents", effects.incident.severity, "opened" if effects.incident.open else "resolved"


def due_channels(effects: Iterable[Effects], now: datetime) -> frozenset[str]:
    """Return the channels with a message that is due now. Delivery finds later messages itself, in time."""
    return frozenset(message.channel for each in effects for message in each.messages if message.due_at <= now)


class _LockedError(Exception):
    """Another process holds the triage lock."""


@dataclass(slots=True)
class IncidentWriter:
    """Writes what triage, a job such as reconciliation, or an operator decided.

    Each write takes the same lock, so that no decision is based on a state about to change. ``on_effects`` gets the
    diagnoses to start, at most ``free_slots()`` of them, and the channels to wake.
    """

    database: Database
    clock: Clock
    on_effects: Callable[[list[DiagnosisJob], Collection[str]], None] = lambda _started, _notified: None
    free_slots: Callable[[], int] = lambda: 0

    def record(self, decide: Callable[[Connection], IncidentChanges]) -> IncidentChanges:
        """Take the triage lock, call ``decide`` and commit. Raises StoreError without the lock in LOCK_SECONDS."""
        until = self.clock.monotonic() + LOCK_SECONDS
        waiting = Retrying(
            retry=retry_if_exception_type(_LockedError),
            stop=lambda _state: self.clock.monotonic() >= until,
            wait=wait_fixed(LOCK_RETRY_SECONDS),
        )
        try:
            return waiting(self._record_once, decide)
        except RetryError:
            raise StoreError(f"another process held the triage lock for more than {LOCK_SECONDS:.0f} s") from None

    def _record_once(self, decide: Callable[[Connection], IncidentChanges]) -> IncidentChanges:
        with self.database.alone("triage") as lock:
            if lock is None:
                raise _LockedError
            with self.database.read() as connection:
                decided = decide(connection)
            if decided.effects or decided.heartbeat_states or decided.floods:
                self.commit(lock, decided)
            return decided

    def commit(
        self, lock: TriageLock, decided: IncidentChanges, settled: Iterable[tuple[int, str, str | None, str]] = ()
    ) -> bool:
        """Write changes and settle their notifications; False, with nothing written, if one was settled meanwhile."""
        with lock.transaction() as connection:
            if not inbox.settle(connection, settled):
                connection.rollback()
                return False
            started = write(connection, decided, self.clock.now(), self.free_slots())
        self.on_effects(started, due_channels(decided.effects, self.clock.now()))
        count(decided.effects)
        return True
