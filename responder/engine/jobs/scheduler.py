"""Scheduled jobs: work at an interval instead of on a notification. One process of all runs each job."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

import structlog
from sqlalchemy import Connection

from responder.engine.effects.context import DecisionContext
from responder.engine.workers.triage import IncidentWriter
from responder.model.clock import Clock
from responder.model.delivery import Effects, IncidentChanges
from responder.store.database import Database
from responder.store.maintenance import schedule

_log = structlog.get_logger()

#: Delay of the first check after the start: waiting notifications and messages come first.
SETTLE_SECONDS = 1.0
#: Longest time between checks of a schedule: the process that claimed the last run may have died.
LOOK_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Work that is done every ``every``. ``run`` bounds its own waits; unfinished work is left to the next run."""

    name: str
    every: timedelta
    run: Callable[[], None]


@dataclass(frozen=True, slots=True)
class IncidentJob(ABC):
    """A job that finds due incidents, decides about them and writes the result under the triage lock.

    A job keeps no state: unfinished work is found again by the next run.
    """

    #: The event under which an incident that has messages is logged.
    event: ClassVar[str] = ""

    database: Database
    writer: IncidentWriter
    context: Callable[[], DecisionContext]
    clock: Clock

    def run(self) -> None:
        """Run once; the triage lock is taken only if something is due. Raises StoreError."""
        with self.database.read() as connection:
            if not self.is_due(connection):
                return
        for effects in self.writer.record(self.decide).effects:
            self.log(effects)

    @abstractmethod
    def is_due(self, connection: Connection) -> bool:
        """Return True if ``decide`` would find work."""

    @abstractmethod
    def decide(self, connection: Connection) -> IncidentChanges:
        """Read what is due again and decide. Runs under the triage lock."""

    def log(self, effects: Effects) -> None:
        """Log committed effects: an incident that has messages."""
        if self.event and effects.incident is not None and effects.messages:
            _log.info(self.event, incident=effects.incident.id, open=effects.incident.open, why=effects.outcome)


class ScheduledJob:
    """The schedule of one job. Each has a loop of its own, so that a slow job delays no other."""

    def __init__(self, job: Job, database: Database, clock: Clock) -> None:
        self._job = job
        self._database = database
        self._clock = clock
        self._settled = False

    def step(self) -> float:
        """Run the job if it is due and no other process claimed it. Returns the seconds to rest."""
        if not self._settled:
            self._settled = True
            return SETTLE_SECONDS
        job, now = self._job, self._clock.now()
        with self._database.read() as connection:
            left = schedule.next_due(connection, job.name, now, job.every)
        if left:
            return min(left, LOOK_SECONDS)
        with self._database.transaction() as connection:
            ours = schedule.claim(connection, job.name, now, job.every)
        if ours:
            job.run()
        return min(job.every.total_seconds(), LOOK_SECONDS)
