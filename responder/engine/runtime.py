"""The loops of one worker process and the calls by which they wake each other.

The database is the only queue between the loops. A wake-up cuts a loop's rest short; without one the loop finds the
same work at its next look, after at most the time in brackets.

    loop         does                                                    is woken by
    triage       decides stored notifications [0.7 s]                    ``wake``: the web stored one; listener
    diagnosis    runs probes, writes findings into pages [1 s]           ``_probed``: probes have ended; listener
    courier      sends the messages of one channel [0.2 s]               ``_sent``: an attempt ended; ``_send``: triage
                                                                         or a job wrote a message that is due;
                                                                         ``_release``: a page got its findings; listener
    timer NAME   runs one job at its interval                            nothing
    rules        reads changed rule files                                ``reload``: SIGHUP
    clock        notices a wall clock that was set back [0.2 s]          nothing
    listener     hears what other processes committed (PostgreSQL only)  the database

Triage and the jobs write incidents in turns (``Database.alone("triage")``) and end in ``_follow``: it hands new studies
to diagnosis, at most as many as it has room for, and wakes the couriers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import timedelta
from functools import partial

import structlog

from responder.diagnose.prober import Prober
from responder.engine.jobs.scheduler import Job, ScheduledJob
from responder.engine.workers.batching import BatchedStep
from responder.engine.workers.clock_skew import ClockSkewWatcher
from responder.engine.workers.delivery import DeliveryWorker
from responder.engine.workers.diagnosis import DiagnosisWorker
from responder.engine.workers.incident_writer import IncidentWriter
from responder.engine.workers.loop import Loop
from responder.engine.workers.rule_reloader import RuleReloader
from responder.engine.workers.triage import TriageWorker
from responder.model.clock import Clock
from responder.model.delivery import DiagnosisJob
from responder.notify.delivery.deliver import Deliverer
from responder.store.backends import notifications
from responder.store.database import Database, StoreError
from responder.store.outbox.claims import ChannelQueue

_log = structlog.get_logger()


#: How long messages of an unknown channel are left to newer processes, which may know it: for a rolling update.
GRACE = timedelta(seconds=30)


class Engine:
    """Triage, diagnosis, a courier for each channel and the timers. Several may work on one database, one a process.

    ``jobs`` gives what is done on a schedule, by name; it gets the ledger to write with.
    """

    def __init__(
        self,
        *,
        database: Database,
        rules: RuleReloader,
        prober: Prober,
        deliverer: Deliverer,
        clock: Clock,
        chance: Callable[[], float],
        on_fatal: Callable[[], None],
        jobs: Callable[[IncidentWriter], Mapping[str, Job]] = lambda _ledger: {},
    ) -> None:
        desk = rules.desk
        self._prober = prober
        self.rules = rules
        self._reading = Loop("rules", rules.step, on_fatal)
        self._diagnosis = DiagnosisWorker(database, desk, prober, clock, on_end=self._probed, on_page=self._release)
        self._triage = TriageWorker(database, desk, clock, on_effects=self._follow, room=self._diagnosis.room)
        self._couriers = {
            name: DeliveryWorker(database, lane, desk, deliverer, clock, chance, on_free=partial(self._sent, name))
            for name, lane in lanes(desk().channels).items()
        }
        self._triaging = Loop("triage", BatchedStep(self._triage.step, clock).step, on_fatal)
        self._diagnosing = Loop("diagnosis", BatchedStep(self._diagnosis.step, clock).step, on_fatal)
        self._sending = {name: Loop("courier", courier.step, on_fatal) for name, courier in self._couriers.items()}
        ledger = IncidentWriter(database, clock, on_effects=self._follow, room=self._diagnosis.room)
        self._timing = [
            Loop(f"timer {name}", ScheduledJob(job, database, clock).step, on_fatal)
            for name, job in jobs(ledger).items()
        ]
        listener = database.listener(self._hear)
        self._hearing = [Loop("listener", listener.step, on_fatal)] if listener else []
        self._watching = Loop("clock", ClockSkewWatcher(database, clock, lambda: desk().pagers).step, on_fatal)

    def start(self) -> None:
        """Begin."""
        for loop in self._loops():
            loop.start()

    def wake(self) -> None:
        """A delivery was kept."""
        self._triaging.wake()

    def reload(self) -> None:
        """Read the rule files now."""
        self.rules.ask()
        self._reading.wake()

    @property
    def alive(self) -> bool:
        """Whether every loop runs."""
        return all(loop.alive for loop in self._loops())

    def stop(self, patience: float) -> None:
        """Drain within ``patience`` seconds: end the steps at hand, finish the sends, let go of the diagnoses."""
        for loop in self._loops():
            loop.stop(patience / 8)
        try:
            self._diagnosis.close()
        except StoreError as error:
            _log.warning("engine.cannot_release", reason=str(error))
        for courier in self._couriers.values():
            courier.close(patience / 4)
        self._prober.close()

    def _loops(self) -> list[Loop]:
        serving = [self._triaging, self._diagnosing, *self._sending.values()]
        return [*serving, *self._timing, *self._hearing, self._watching, self._reading]

    def _follow(self, started: list[DiagnosisJob], told: Collection[str]) -> None:
        """Triage or a job has committed: begin its studies, and send what is due."""
        self._diagnosis.begin(started)
        self._send(told)

    def _hear(self, topic: str) -> None:
        """Another process has committed work that any process may take."""
        concerned = {notifications.DELIVERIES: [self._triaging], notifications.STUDIES: [self._diagnosing]}
        for loop in concerned.get(topic, self._sending.values()):
            loop.wake()

    def _probed(self) -> None:
        """The probes of a study have ended: diagnosis commits their findings."""
        self._diagnosing.wake()

    def _sent(self, name: str) -> None:
        """An attempt on a channel has ended: its courier marks it and may claim the next message."""
        self._sending[name].wake()

    def _release(self, told: Collection[str]) -> None:
        """Pages got their findings: their couriers claim them without looking for them first."""
        for name in told:
            if name in self._couriers:
                self._couriers[name].expect()
        self._send(told)

    def _send(self, told: Collection[str]) -> None:
        for name, loop in self._sending.items():
            if name in told:
                loop.wake()


def lanes(channels: Iterable[str]) -> dict[str, ChannelQueue]:
    """One lane a channel, and one without a name for messages of channels that are not configured any more."""
    names = tuple(channels)
    return {**{name: ChannelQueue((name,)) for name in names}, "": ChannelQueue(names, rest=True, grace=GRACE)}


def working(opening: Loop, engine: Engine | None) -> Callable[[], bool]:
    """A check that is true while every loop of this process runs, ``opening`` included; a receiver has no engine."""
    return lambda: opening.alive and (engine is None or engine.alive)
