"""The only writer of incidents: for triage, and for jobs that change incidents without a notification."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime, timedelta

from sqlalchemy import Connection

from responder.counters import COUNTERS
from responder.model.clock import Clock
from responder.model.delivery import DiagnosisJob, Effects, IncidentChanges
from responder.model.incident import ChangeKind
from responder.store.database import Database, StoreError, TriageLock
from responder.store.incidents import detectors, diagnoses, incidents
from responder.store.outbox import outbox
from responder.triage.decide import unknown_word

#: Lease of a diagnosis.
LEASE = timedelta(seconds=5)
#: Seconds between attempts to take the triage lock.
TURN = 0.01
#: How long a write waits for the triage lock. A job that does not get it tries again at its next run.
TURN_SECONDS = 10.0


def write(connection: Connection, decided: IncidentChanges, now: datetime, free_slots: int) -> list[DiagnosisJob]:
    """Write incidents, messages and diagnoses in one transaction. Returns the diagnoses to start.

    This is the second invariant: a page is committed together with its incident.
    """
    effects = decided.effects
    incidents.save(connection, decided.added, decided.changed)
    outbox.write(connection, (message for each in effects for message in each.messages), now)
    restarted = [each.request.incident for each in effects if each.request]
    incidents.save_contents(connection, [each.content for each in effects if each.content], restarted, now)
    detectors.save_floods(connection, decided.floods)
    detectors.save(connection, decided.heartbeat_states)
    detectors.record_heartbeat(
        connection, (record_heartbeat for each in effects for record_heartbeat in each.heartbeats)
    )
    due = [(each.request, each.due_at or now) for each in effects if each.request]
    return diagnoses.write(connection, due, now, now + LEASE, free_slots)


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
    if effects.notification is not None and effects.decision.route.unknown:
        yield "responder_unknown_teams", effects.decision.rule.id
    kind = effects.decision.change.kind
    if effects.incident is not None and kind in {ChangeKind.NEW, ChangeKind.RESOLVED}:
        yield "responder_incidents", effects.incident.severity, "opened" if effects.incident.open else "resolved"


def due_channels(effects: Iterable[Effects], now: datetime) -> frozenset[str]:
    """Return the channels with a message that is due now. Delivery finds later messages itself, in time."""
    return frozenset(message.channel for each in effects for message in each.messages if message.due_at <= now)


class IncidentWriter:
    """Writes changes that are not decided by triage: by jobs such as reconciliation, or by an operator.

    Each write takes the same lock as triage, so that no decision is based on a state about to change. ``on_effects``
    gets the diagnoses to start, at most ``free_slots()`` of them, and the channels to wake.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        on_effects: Callable[[list[DiagnosisJob], Collection[str]], None] = lambda _started, _told: None,
        free_slots: Callable[[], int] = lambda: 0,
    ) -> None:
        self._database = database
        self._clock = clock
        self._on_effects = on_effects
        self._room = free_slots

    def record(self, decide: Callable[[Connection], IncidentChanges]) -> IncidentChanges:
        """Take the triage lock, call ``decide`` and commit. Raises StoreError without the lock in TURN_SECONDS."""
        pause = threading.Event()
        until = self._clock.monotonic() + TURN_SECONDS
        while self._clock.monotonic() < until:
            with self._database.alone("triage") as adjustment:
                if adjustment:
                    return self._record(decide, adjustment)
            pause.wait(TURN)
        raise StoreError(f"another process held the triage lock for more than {TURN_SECONDS:.0f} s")

    def _record(self, decide: Callable[[Connection], IncidentChanges], adjustment: TriageLock) -> IncidentChanges:
        with self._database.read() as connection:
            decided = decide(connection)
        if not decided.effects and not decided.heartbeat_states and not decided.floods:
            return decided
        with adjustment.transaction() as connection:
            started = write(connection, decided, self._clock.now(), self._room())
        count(decided.effects)
        self._on_effects(started, due_channels(decided.effects, self._clock.now()))
        return decided
