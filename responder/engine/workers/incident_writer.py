"""The one place where incidents are written: by triage, and by whoever else finds out about them."""

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

LEASE = timedelta(seconds=5)
"""How long a diagnosis stays ours without a sign of life."""
TURN = 0.01
"""Seconds between looks whether another process has ended its turn."""
#: How long a write waits for its turn. A job that gets none tries again at its next run.
TURN_SECONDS = 10.0


def write(connection: Connection, decided: IncidentChanges, now: datetime, room: int) -> list[DiagnosisJob]:
    """The second invariant: incidents, deliveries, pages and work in one transaction. Returns the studies to begin."""
    effects = decided.effects
    incidents.save(connection, decided.added, decided.changed)
    outbox.write(connection, (draft for each in effects for draft in each.drafts), now)
    restarted = [each.work.incident for each in effects if each.work]
    incidents.save_contents(connection, [each.content for each in effects if each.content], restarted, now)
    detectors.save_floods(connection, decided.floods)
    detectors.save(connection, decided.pulses)
    detectors.beat(connection, (beat for each in effects for beat in each.beats))
    due = [(each.work, each.due_at or now) for each in effects if each.work]
    return diagnoses.write(connection, due, now, now + LEASE, room)


def count(effects: Iterable[Effects]) -> None:
    """Add what was committed to the counters."""
    found = Counter[tuple[str, ...]]()
    for each in effects:
        found.update(_counts(each))
    for (name, *labels), number in found.items():
        COUNTERS.add(name, *labels, value=number)


def _counts(effects: Effects) -> Iterator[tuple[str, ...]]:
    """The counters of these effects, with their labels."""
    if effects.delivery is not None:
        yield "responder_deliveries_done", effects.state
    if effects.decision is None:
        return
    for ruling in effects.decision.rulings if effects.delivery is not None else ():
        yield "responder_alerts", "firing" if ruling.alert.firing else "resolved"
        yield "responder_rule_matches", ruling.rule.id
        if not ruling.rule.matchers:
            yield ("responder_unmatched_alerts",)
    kind = effects.decision.change.kind
    if effects.incident is not None and kind in {ChangeKind.NEW, ChangeKind.RESOLVED}:
        yield "responder_incidents", effects.incident.severity, "opened" if effects.incident.open else "resolved"


def to_tell(effects: Iterable[Effects], now: datetime) -> frozenset[str]:
    """The channels with a message that is due now. A courier finds later messages itself, in time."""
    return frozenset(draft.channel for each in effects for draft in each.drafts if draft.due_at <= now)


class IncidentWriter:
    """Writes what others than triage decide about incidents: reconciliation, heartbeats, an operator.

    Each takes the same turn as triage, so that nobody decides on a state that another one is about to change.
    ``on_effects`` gets the studies to begin at once, at most ``room`` of them, and the channels to tell.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        on_effects: Callable[[list[DiagnosisJob], Collection[str]], None] = lambda _started, _told: None,
        room: Callable[[], int] = lambda: 0,
    ) -> None:
        self._database = database
        self._clock = clock
        self._on_effects = on_effects
        self._room = room

    def record(self, decide: Callable[[Connection], IncidentChanges]) -> IncidentChanges:
        """Take the turn, call ``decide`` and commit its result. Raises StoreError without a turn in TURN_SECONDS."""
        pause = threading.Event()
        until = self._clock.monotonic() + TURN_SECONDS
        while self._clock.monotonic() < until:
            with self._database.alone("triage") as turn:
                if turn:
                    return self._record(decide, turn)
            pause.wait(TURN)
        raise StoreError("another process kept the turn to write incidents for too long")

    def _record(self, decide: Callable[[Connection], IncidentChanges], turn: TriageLock) -> IncidentChanges:
        with self._database.read() as connection:
            decided = decide(connection)
        if not decided.effects and not decided.pulses and not decided.floods:
            return decided
        with turn.work() as connection:
            started = write(connection, decided, self._clock.now(), self._room())
        count(decided.effects)
        self._on_effects(started, to_tell(decided.effects, self._clock.now()))
        return decided
