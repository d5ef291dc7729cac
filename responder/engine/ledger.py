"""The one place where incidents are written: by triage, and by whoever else finds out about them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from responder.engine.counting import count
from responder.model.clock import Clock, Deadline
from responder.model.delivery import Effects, Study
from responder.model.flood import Flood
from responder.model.heartbeat import Pulse
from responder.model.incident import Incident
from responder.model.report import Report
from responder.store import floods, heartbeats, incidents, outbox, studies
from responder.store.database import CannotStore, Database, Turn

LEASE = timedelta(seconds=5)
"""How long a diagnosis stays ours without a sign of life."""
TURN = 0.01
"""Seconds between looks whether another process has ended its turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What some decisions lead to; ``added`` and ``changed`` have each incident once, in its last state.

    ``pulses`` is what is known of the expected heartbeats from now on, ``floods`` of each severity's new incidents, and
    ``better`` has reports to put into pages that wait.
    """

    effects: Sequence[Effects]
    added: Sequence[Incident] = ()
    changed: Sequence[Incident] = ()
    pulses: Sequence[Pulse] = ()
    floods: Sequence[Flood] = ()
    better: Sequence[Report] = ()


def write(connection: Connection, decided: Decided, now: datetime, room: int) -> list[Study]:
    """The second invariant: incidents, deliveries, pages and work in one transaction. Returns the studies to begin."""
    effects = decided.effects
    incidents.save(connection, decided.added, decided.changed)
    outbox.write(connection, (draft for each in effects for draft in each.drafts), now)
    for report in decided.better:
        outbox.improve(connection, report)
    floods.save(connection, decided.floods)
    heartbeats.save(connection, decided.pulses)
    heartbeats.beat(connection, (beat for each in effects for beat in each.beats))
    due = [(each.work, each.due_at) for each in effects if each.work]
    return studies.write(connection, due, now, now + LEASE, room)


def to_tell(effects: Iterable[Effects], now: datetime) -> frozenset[str]:
    """The channels that have something to send now. What is due later their couriers find in time by themselves."""
    return frozenset(draft.channel for each in effects for draft in each.drafts if draft.due_at <= now)


class Ledger:
    """Writes what others than triage decide about incidents: reconciliation, heartbeats, an operator.

    Each takes the same turn as triage, so that nobody decides on a state that another one is about to change.
    ``on_effects`` gets the studies to begin at once, at most ``room`` of them, and the channels to tell.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        on_effects: Callable[[list[Study], Collection[str]], None] = lambda _started, _told: None,
        room: Callable[[], int] = lambda: 0,
    ) -> None:
        self._database = database
        self._clock = clock
        self._on_effects = on_effects
        self._room = room

    def record(self, decide: Callable[[Connection], Decided], deadline: Deadline) -> Decided:
        """Take the turn, let ``decide`` look and decide, commit it. Raises CannotStore where no turn comes in time."""
        pause = threading.Event()
        while self._clock.monotonic() < deadline.at:
            with self._database.alone("triage") as turn:
                if turn:
                    return self._record(decide, turn)
            pause.wait(TURN)
        raise CannotStore("another process kept the turn to write incidents for too long")

    def _record(self, decide: Callable[[Connection], Decided], turn: Turn) -> Decided:
        with self._database.read() as connection:
            decided = decide(connection)
        if not decided.effects and not decided.pulses and not decided.floods:
            return decided
        with turn.work() as connection:
            started = write(connection, decided, self._clock.now(), self._room())
        count(decided.effects)
        self._on_effects(started, to_tell(decided.effects, self._clock.now()))
        return decided
