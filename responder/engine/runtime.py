"""The loops of one worker process and the calls by which they wake each other.

docs/architecture.md lists the loops with their work and polls: the database is the only queue between them, and a
wake-up only shortens a loop's sleep. Triage and the jobs write incidents under one lock (``Database.alone("triage")``)
and end in ``_follow``, which hands new diagnoses to the diagnosis loop, at most as many as it has room for, and wakes
the senders.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial

import structlog

from responder.diagnose.prober import Prober
from responder.engine.jobs.scheduler import Job, ScheduledJob
from responder.engine.workers.actions import ActionWorker
from responder.engine.workers.clock_skew import ClockSkewWatcher
from responder.engine.workers.diagnosis import AT_ONCE, DiagnosisWorker, OpinionWorker
from responder.engine.workers.failure_page import FailurePage
from responder.engine.workers.loop import BatchedStep, Loop
from responder.engine.workers.loop_failures import LoopFailures
from responder.engine.workers.rule_reloader import RuleReloader
from responder.engine.workers.senders import Senders
from responder.engine.workers.silences import SilenceWorker
from responder.engine.workers.triage import IncidentWriter, TriageWorker
from responder.model.clock import Clock
from responder.model.delivery import DiagnosisJob
from responder.notify.delivery.deliver import Deliverer
from responder.outgoing.silences import Silences
from responder.store.backends.prepared import NEW_ACTIONS, NEW_DIAGNOSES, NEW_NOTIFICATIONS
from responder.store.database import Database, StoreError

_log = structlog.get_logger()

#: Pause of a loop that waits for the rules, in seconds.
RULES_SECONDS = 0.1


class Engine:
    """Triage, diagnosis, delivery and scheduled jobs; one per process, several per database.

    ``jobs`` returns the scheduled jobs by name; it is given the incident writer. ``instance`` names the machine.
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
        jobs: Callable[[IncidentWriter], Mapping[str, Job]],
        failures: LoopFailures,
        instance: str,
        silences: Silences,
    ) -> None:
        context = rules.context
        self._prober = prober
        self.rules = rules
        loop = partial(Loop, on_fatal=on_fatal, failures=failures)
        self._reading = loop("rules", rules.step)
        opinions = OpinionWorker(database, context, prober.aside(AT_ONCE), clock, self._send)
        self._diagnosis = DiagnosisWorker(
            database,
            context,
            prober,
            clock,
            on_end=self._probed,
            on_page=self._release,
            on_diagnosed=opinions.ask,
        )
        writer = IncidentWriter(database, clock, on_effects=self._follow, free_slots=self._diagnosis.free_slots)
        self._triage = TriageWorker(writer, context)
        self._senders = Senders(database, context, deliverer, clock, chance, on_free=self._sent)
        self._triaging = loop("triage", self._ready(BatchedStep(self._triage.step, clock).step))
        self._diagnosing = loop("diagnosis", self._ready(BatchedStep(self._diagnosis.step, clock).step))
        self._sending = loop("sender", self._senders.step)
        self._acting = loop("actions", self._ready(ActionWorker(database, writer, context, clock).step))
        self._silencing = loop("silences", self._ready(SilenceWorker(database, writer, context, clock, silences).step))
        self._timing = [
            loop(f"timer {name}", self._ready(ScheduledJob(job, database, clock).step))
            for name, job in jobs(writer).items()
        ]
        self._listener = database.listener(self._on_notify)
        self._listening = [loop("listener", self._listener.step)] if self._listener else []
        self._watching = loop("clock", ClockSkewWatcher(database, clock, lambda: context().pagers).step)
        self._reporting = loop("failure page", FailurePage(failures, context, deliverer, clock, instance).step)

    def start(self) -> None:
        """Start every loop."""
        for loop in self._loops():
            loop.start()

    def _ready(self, step: Callable[[], float]) -> Callable[[], float]:
        """Return a step that waits until this process has read the rule files: what decides must not use old ones."""
        return lambda: step() if self.rules.ready else RULES_SECONDS

    def wake(self) -> None:
        """Wake triage: a notification was stored."""
        self._triaging.wake()

    def act(self) -> None:
        """Apply actions: an entry point stored one."""
        self._acting.wake()
        self._silencing.wake()

    def reload(self) -> None:
        """Read the rule files now."""
        self.rules.request_reload()
        self._reading.wake()

    @property
    def alive(self) -> bool:
        """True if every loop runs."""
        return all(loop.alive for loop in self._loops())

    def stop(self, seconds: float) -> None:
        """Drain within ``seconds`` seconds: end the current steps, finish the sends, release the diagnoses."""
        for loop in self._loops():
            loop.stop(seconds / 8)
        if self._listener is not None:
            self._listener.close()
        try:
            self._diagnosis.close()
        except StoreError as error:
            _log.warning("engine.release_failed", reason=str(error))
        self._senders.close(seconds / 4)
        self._prober.close()

    def _loops(self) -> list[Loop]:
        serving = [self._triaging, self._diagnosing, self._sending, self._acting, self._silencing]
        return [*serving, *self._timing, *self._listening, self._reporting, self._watching, self._reading]

    def _follow(self, started: list[DiagnosisJob], notified: Collection[str]) -> None:
        """Begin the new diagnoses and send due messages after a commit of triage or of a job."""
        self._diagnosis.begin(started)
        self._send(notified)

    def _on_notify(self, topic: str) -> None:
        """Wake the loops that may take work which another process committed."""
        concerned = {
            NEW_NOTIFICATIONS: [self._triaging],
            NEW_DIAGNOSES: [self._diagnosing],
            NEW_ACTIONS: [self._acting, self._silencing],
        }
        for loop in concerned.get(topic, [self._sending]):
            loop.wake()

    def _probed(self) -> None:
        """Wake diagnosis to commit findings: the probes of one diagnosis have ended."""
        self._diagnosing.wake()

    def _sent(self) -> None:
        """Wake the senders, to mark an ended attempt and claim the next message."""
        self._sending.wake()

    def _release(self, notified: Collection[str]) -> None:
        """Wake the senders of pages that got their findings; they claim without polling first."""
        self._senders.expect(notified)
        self._send(notified)

    def _send(self, notified: Collection[str]) -> None:
        if notified:
            self._sending.wake()


def working(loops: Iterable[Loop], engine: Engine | None) -> Callable[[], bool]:
    """Return a check that is True while ``loops`` and those of the engine run; a receiver has no engine."""
    return lambda: all(loop.alive for loop in loops) and (engine is None or engine.alive)
