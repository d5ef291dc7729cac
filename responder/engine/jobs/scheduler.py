"""Timers: what is done every so often and not because a webhook came. One process of all takes each turn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from responder.engine.effects.context import DecisionContext
from responder.engine.workers.incident_writer import IncidentWriter
from responder.model.clock import Clock
from responder.model.delivery import Effects, IncidentChanges
from responder.store.database import Database
from responder.store.maintenance import schedule

SETTLE_SECONDS = 1.0
"""How long after a start the first look is taken: what waited to be received, decided and sent comes first."""
LOOK_SECONDS = 5.0
"""The longest rest between looks at a timer: another process may have died that took the last turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Something to do every ``every``. ``run`` bounds its own waits; what it leaves undone waits for the next turn."""

    name: str
    every: timedelta
    run: Callable[[], None]


@dataclass(frozen=True, slots=True)
class IncidentJob(ABC):
    """A job that finds incidents that are due, decides about them and writes the result in the turn of triage.

    A job keeps no state: what one run leaves undone, the next run finds again.
    """

    database: Database
    ledger: IncidentWriter
    desk: Callable[[], DecisionContext]
    clock: Clock

    def run(self) -> None:
        """One run. Takes the turn of triage only if something is due. Raises StoreError."""
        with self.database.read() as connection:
            if not self.is_due(connection):
                return
        for effects in self.ledger.record(self.decide).effects:
            self.log(effects)

    @abstractmethod
    def is_due(self, connection: Connection) -> bool:
        """Whether ``decide`` would find something to do."""

    @abstractmethod
    def decide(self, connection: Connection) -> IncidentChanges:
        """Read what is due again and decide. Runs in the turn of triage."""

    @abstractmethod
    def log(self, effects: Effects) -> None:
        """Log effects that were committed."""


class ScheduledJob:
    """One job's turns. Each has a loop of its own, so that one that waits for an answer delays no other."""

    def __init__(self, job: Job, database: Database, clock: Clock) -> None:
        self._job = job
        self._database = database
        self._clock = clock
        self._settled = False

    def step(self) -> float:
        """Run the job where its turn has come and nobody else took it. Returns the seconds to rest."""
        if not self._settled:
            self._settled = True
            return SETTLE_SECONDS
        job, now = self._job, self._clock.now()
        with self._database.read() as connection:
            left = schedule.next_due(connection, job.name, now, job.every)
        if left:
            return min(left, LOOK_SECONDS)
        with self._database.work() as connection:
            ours = schedule.claim(connection, job.name, now, job.every)
        if ours:
            job.run()
        return min(job.every.total_seconds(), LOOK_SECONDS)
