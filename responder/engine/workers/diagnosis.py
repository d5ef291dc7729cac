"""The shell of diagnosis: it runs the probes the story asks for, and puts what they found into the pages."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from responder.diagnose.prober import Prober
from responder.engine import pipeline
from responder.engine.effects.context import DecisionContext
from responder.engine.effects.page import counts, messages
from responder.engine.pipeline import late, revise
from responder.engine.workers.incident_writer import LEASE, TURN
from responder.model.clock import Clock, Deadline
from responder.model.content import NO_FACTS
from responder.model.delivery import DiagnosisJob, DiagnosisResult
from responder.model.report import MessageKind
from responder.store.database import Database
from responder.store.incidents import diagnoses, incidents
from responder.store.outbox import outbox

_log = structlog.get_logger()

RENEW_SECONDS = 1.0
"""Seconds between signs of life to those who wait for our claims to run out."""
LATER = 0.2
"""Seconds after a page got its findings until we look for other work: first the page leaves."""
MARGIN = timedelta(milliseconds=200)
"""How long before the page is due the findings are written into it, answered or not."""
AT_ONCE = 8
"""Incidents that one worker diagnoses at a time. The others wait in the table, where any worker finds them."""
LATE_SECONDS = 10.0
"""How long a diagnosis may take whose page has left already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedDiagnosis:
    """A diagnosis whose probes have answered."""

    study: DiagnosisJob
    diagnosed: DiagnosisResult


class DiagnosisWorker:
    """Runs the probes of committed studies, a few incidents at a time. The page does not wait for any of it."""

    def __init__(
        self,
        database: Database,
        desk: Callable[[], DecisionContext],
        prober: Prober,
        clock: Clock,
        *,
        on_end: Callable[[], None],
        on_page: Callable[[Collection[str]], None],
        at_once: int = AT_ONCE,
    ) -> None:
        """``on_end`` is called when the probes of one study have ended, in the thread that ran them.

        ``on_page`` is called with the channels whose pages got their findings and may be sent now.
        """
        self._database = database
        self._desk = desk
        self._prober = prober
        self._clock = clock
        self._on_end = on_end
        self._on_page = on_page
        self._renewed = self._looked = clock.monotonic()
        self._at_once = at_once
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="diagnosis")
        self._held: dict[int, DiagnosisJob] = {}
        self._ended: list[FinishedDiagnosis] = []
        self._guard = threading.Lock()

    def begin(self, started: Sequence[DiagnosisJob]) -> None:
        """Run studies that this process holds the claim of."""
        for study in started:
            with self._guard:
                self._held[study.id] = study
            self._pool.submit(self._run, study)

    def room(self) -> int:
        """How many more diagnoses may begin."""
        with self._guard:
            return max(0, self._at_once - len(self._held))

    def step(self) -> float:
        """Write what was found into the pages, renew our claims, begin what waits. Returns the seconds to rest."""
        with self._guard:
            ended, full = bool(self._ended), len(self._held) >= self._at_once
        rest = self._keep()
        self._renew()
        if ended and not full and self._clock.monotonic() - self._looked < RENEW_SECONDS:
            return min(rest, LATER)
        if self.room():
            self._take_waiting()
        return rest

    def _keep(self) -> float:
        """Commit what has ended. Findings that change a severity wait for the turn of triage; their page does not."""
        with self._guard:
            ended = list(self._ended)
        calm = [each for each in ended if each.diagnosed.turned is None]
        if calm:
            with self._database.work() as connection:
                told = [self._improve(connection, each) for each in calm]
            self._done(calm, told)
        if len(calm) == len(ended):
            return RENEW_SECONDS
        turned = [each for each in ended if each.diagnosed.turned is not None]
        with self._database.alone("triage") as turn:
            if turn is None:
                return TURN
            with turn.work() as connection:
                told = [self._revise(connection, each) for each in turned]
        self._done(turned, told)
        return RENEW_SECONDS

    def _done(self, ended: Sequence[FinishedDiagnosis], told: Iterable[Collection[str]]) -> None:
        with self._guard:
            for each in ended:
                self._ended.remove(each)
                self._held.pop(each.study.id, None)
        self._on_page({name for names in told for name in names})

    def _improve(self, connection: Connection, ended: FinishedDiagnosis) -> Collection[str]:
        """Keep the findings, release the pages, and follow those that have left. Returns the channels to wake."""
        work, desk, now = ended.study.work, self._desk(), self._clock.now()
        channels = desk.channels
        if not self._finish(connection, ended, now):
            return ()
        reached = outbox.release(connection, work.incident, now)
        missed = [name for name in work.channels if name not in reached and name in channels]
        if not missed:
            return work.channels
        incident = incidents.find(connection, work.incident)
        if not desk.pagers.isdisjoint(missed) and not incidents.still_open(connection, work.incident):
            # PagerDuty would open a new incident for it, which nobody ever resolves.
            missed = [name for name in missed if name not in desk.pagers]
        facts = replace(counts(incident) if incident else NO_FACTS, update=late(work, now))
        told = [channels[name] for name in missed]
        drafts = messages(work.incident, work.stream, MessageKind.LATE, facts, told, rank=work.rank, due_at=now)
        outbox.write(connection, drafts, now)
        return work.channels

    @staticmethod
    def _finish(connection: Connection, ended: FinishedDiagnosis, now: datetime) -> bool:
        """Write the findings with the incident; False where another worker has taken the diagnosis over."""
        if not diagnoses.finish(connection, ended.study, now):
            return False
        found = ended.diagnosed
        incidents.save_findings(connection, ended.study.work.incident, found.findings, found.conclusion, now)
        return True

    def _revise(self, connection: Connection, ended: FinishedDiagnosis) -> Collection[str]:
        """The same with another severity, for other channels, unless the incident has changed meanwhile."""
        work, desk, now = ended.study.work, self._desk(), self._clock.now()
        incident = incidents.find(connection, work.incident)
        content = incidents.contents_of(connection, [work.incident]).get(work.incident)
        waiting = outbox.untouched(connection, work.incident)
        revision = revise(incident, content, work, ended.diagnosed, waiting, desk, now)
        turned = ended.diagnosed.turned
        if revision is None or turned is None:
            return self._improve(connection, ended)
        if not self._finish(connection, ended, now):
            return ()
        outbox.withdraw(connection, work.incident, revision.withdrawn, turned.reason, now)
        outbox.release(connection, work.incident, now, revision.rank)
        incidents.save_contents(connection, [revision.content], (), now)
        outbox.write(connection, revision.drafts, now)
        incidents.save(connection, (), (revision.incident,))
        return revision.incident.channels

    def _renew(self) -> None:
        with self._guard:
            held = list(self._held.values())
        ticks = self._clock.monotonic()
        if held and ticks - self._renewed >= RENEW_SECONDS:
            with self._database.work() as connection:
                diagnoses.renew(connection, held, self._clock.now() + LEASE)
            self._renewed = ticks

    def _take_waiting(self) -> None:
        now, self._looked = self._clock.now(), self._clock.monotonic()
        with self._database.read() as connection:
            if not diagnoses.any_free(connection, now):
                return
        with self._database.work() as connection:
            started = diagnoses.claim(connection, now, now + LEASE, self.room())
        self.begin(started)

    def close(self) -> None:
        """Let go of what is not finished: another worker begins it at once."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._keep()
        with self._guard:
            held = list(self._held.values())
        if held:
            with self._database.work() as connection:
                diagnoses.release(connection, held)

    def _run(self, study: DiagnosisJob) -> None:
        try:
            ended = self._diagnose(study)
        except Exception:
            _log.exception("diagnosis.broken", incident=study.work.incident)
            with self._guard:
                self._held.pop(study.id, None)
            raise
        with self._guard:
            self._ended.append(ended)
        self._on_end()

    def _diagnose(self, study: DiagnosisJob) -> FinishedDiagnosis:
        work = study.work
        findings = self._prober.run(self._desk().asks(work.probes, work.subject), self._deadline(study))
        return FinishedDiagnosis(study=study, diagnosed=pipeline.diagnose(work, findings))

    def _deadline(self, study: DiagnosisJob) -> Deadline:
        left = (study.due_at - MARGIN - self._clock.now()).total_seconds()
        return Deadline(self._clock.monotonic() + (left if left > 0 else LATE_SECONDS))
