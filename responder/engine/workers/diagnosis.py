"""The diagnosis worker: runs the probes that triage chose, and adds their findings to the pages.

Outside investigators are asked about diagnosed incidents; their answers follow in the thread, and no page waits.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from responder.diagnose.contract import ProbeQuestion
from responder.diagnose.prober import Prober
from responder.engine import pipeline
from responder.engine.effects.context import DecisionContext
from responder.engine.effects.page import counts, messages_for
from responder.engine.pipeline import late_note, revise
from responder.engine.workers.triage import LEASE, LOCK_RETRY_SECONDS
from responder.model.clock import Clock, Deadline
from responder.model.delivery import DiagnosisJob, DiagnosisRequest, DiagnosisResult
from responder.model.finding import Verdict
from responder.model.report import NO_FACTS, MessageFacts, MessageKind
from responder.notify.render.chart import chart_of
from responder.notify.report.content import HISTORY_DAYS, MOST_ALIKE, elsewhere
from responder.store.database import Database, StoreError
from responder.store.incidents import incidents
from responder.store.outbox import outbox

_log = structlog.get_logger()

#: Seconds between renewals of the leases.
RENEW_SECONDS = 1.0
#: Seconds after a page got its findings until the next claim, so that the page is sent first.
LATER = 0.2
#: How long before the page is due the probes must end, finished or not.
MARGIN = timedelta(milliseconds=200)
#: Incidents that one worker diagnoses at a time. The others wait in the table, where any worker finds them.
AT_ONCE = 8
#: Deadline, in seconds, of a diagnosis whose page is already sent.
LATE_SECONDS = 10.0
#: Opinions that one process waits for at a time. A further incident gets none: in a flood they would come too late.
OPINIONS_AT_ONCE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedDiagnosis:
    """A diagnosis whose probes have ended."""

    job: DiagnosisJob
    diagnosed: DiagnosisResult


class DiagnosisWorker:
    """Runs the probes of committed diagnoses, a few incidents at a time. No page waits for it beyond its budget."""

    def __init__(
        self,
        database: Database,
        context: Callable[[], DecisionContext],
        prober: Prober,
        clock: Clock,
        *,
        on_end: Callable[[], None],
        on_page: Callable[[Collection[str]], None],
        on_diagnosed: Callable[[DiagnosisRequest], None] = lambda _work: None,
    ) -> None:
        """``on_end`` is called when the probes of one diagnosis have ended, in the thread that ran them.

        ``on_page`` is called with the channels whose pages got their findings and may be sent now, ``on_diagnosed``
        with each diagnosis whose findings are committed.
        """
        self._database = database
        self._context = context
        self._prober = prober
        self._clock = clock
        self._on_end = on_end
        self._on_page = on_page
        self._on_diagnosed = on_diagnosed
        self._renewed = self._looked = clock.monotonic()
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="diagnosis")
        self._held: dict[int, DiagnosisJob] = {}
        self._ended: list[FinishedDiagnosis] = []
        self._finished: list[DiagnosisRequest] = []
        self._guard = threading.Lock()

    def begin(self, started: Sequence[DiagnosisJob]) -> None:
        """Run diagnoses that this process holds the lease of."""
        for job in started:
            with self._guard:
                self._held[job.id] = job
            self._pool.submit(self._run, job)

    def free_slots(self) -> int:
        """Return how many more diagnoses may start."""
        with self._guard:
            return max(0, AT_ONCE - len(self._held))

    def step(self) -> float:
        """Commit findings, renew the leases and start waiting diagnoses. Returns the seconds to rest."""
        with self._guard:
            ended, full = bool(self._ended), len(self._held) >= AT_ONCE
        rest = self._keep()
        self._renew()
        if ended and not full and self._clock.monotonic() - self._looked < RENEW_SECONDS:
            return min(rest, LATER)
        if self.free_slots():
            self._take_waiting()
        return rest

    def _keep(self) -> float:
        """Commit ended diagnoses. Only those that change a severity wait for the triage lock."""
        with self._guard:
            ended = list(self._ended)
        self._finished.clear()  # of a transaction that failed
        calm = [each for each in ended if each.diagnosed.adjusted is None]
        if calm:
            with self._database.transaction() as connection:
                notified = [self._improve(connection, each) for each in calm]
            self._done(calm, notified)
        if len(calm) == len(ended):
            return RENEW_SECONDS
        adjusted = [each for each in ended if each.diagnosed.adjusted is not None]
        with self._database.alone("triage") as lock:
            if lock is None:
                return LOCK_RETRY_SECONDS
            with lock.transaction() as connection:
                notified = [self._revise(connection, each) for each in adjusted]
        self._done(adjusted, notified)
        return RENEW_SECONDS

    def _done(self, ended: Sequence[FinishedDiagnosis], notified: Iterable[Collection[str]]) -> None:
        with self._guard:
            for each in ended:
                self._ended.remove(each)
                self._held.pop(each.job.id, None)
        self._on_page({name for names in notified for name in names})
        while self._finished:
            self._on_diagnosed(self._finished.pop())

    def _improve(self, connection: Connection, ended: FinishedDiagnosis) -> Collection[str]:
        """Save the findings, release the pages, and follow up those already sent. Returns the channels to wake."""
        work, context, now = ended.job.request, self._context(), self._clock.now()
        channels = context.channels
        if not self._finish(connection, ended, now):
            return ()
        reached = outbox.release(connection, work.incident, now)
        self._illustrate(connection, ended, work.channels, now)
        missed = [name for name in work.channels if name not in reached and name in channels]
        if not missed or not ended.diagnosed.findings:
            return work.channels
        incident = incidents.find(connection, work.incident)
        if not context.pagers.isdisjoint(missed) and not incidents.still_open(connection, work.incident):
            # PagerDuty would open a new incident that no event ever resolves.
            missed = [name for name in missed if name not in context.pagers]
        facts = replace(counts(incident) if incident else NO_FACTS, update=late_note(work, now))
        notified = [*(channels[name] for name in missed), *context.companions(missed)]
        messages = messages_for(
            (work.incident, work.ordering_key), MessageKind.LATE, facts, notified, priority=work.priority, due_at=now
        )
        outbox.write(connection, messages, now)
        return work.channels

    def _illustrate(
        self, connection: Connection, ended: FinishedDiagnosis, channels: Iterable[str], now: datetime
    ) -> None:
        """Write the pictures of the range behind the alert, which follow the page."""
        work, pictures = ended.job.request, self._context().pictures(channels)
        if pictures and any(chart_of(each) for each in ended.diagnosed.findings):
            stream = work.incident, work.ordering_key
            messages = messages_for(
                stream, MessageKind.LATE, NO_FACTS, pictures, priority=work.priority + 1, due_at=now
            )
            outbox.write(connection, messages, now)

    def _finish(self, connection: Connection, ended: FinishedDiagnosis, now: datetime) -> bool:
        """Save the findings with the incident. Returns False if another worker has taken the diagnosis over."""
        if not incidents.finish_diagnosis(connection, ended.job, now):
            return False
        work, found = ended.job.request, ended.diagnosed
        self._finished.append(work)
        if not found.findings:
            return True
        since = now - timedelta(days=HISTORY_DAYS)
        alike = incidents.with_signature(connection, found.conclusion.signature, work.incident, since, MOST_ALIKE)
        conclusion = replace(found.conclusion, before=elsewhere(alike, now))
        incidents.save_findings(connection, work.incident, found.findings, conclusion, now)
        return True

    def _revise(self, connection: Connection, ended: FinishedDiagnosis) -> Collection[str]:
        """Save findings that change the severity and the channels, unless the incident has changed meanwhile."""
        work, context, now = ended.job.request, self._context(), self._clock.now()
        incident = incidents.find(connection, work.incident)
        content = incidents.content_of(connection, work.incident)
        waiting = outbox.untouched(connection, work.incident)
        revision = revise(incident, content, work, ended.diagnosed, waiting, context, now)
        adjusted = ended.diagnosed.adjusted
        if revision is None or adjusted is None:
            return self._improve(connection, ended)
        if not self._finish(connection, ended, now):
            return ()
        outbox.withdraw(connection, work.incident, revision.withdrawn, adjusted.reason, now)
        outbox.release(connection, work.incident, now, revision.priority)
        incidents.save_contents(connection, [revision.content], (), now)
        outbox.write(connection, revision.messages, now)
        self._illustrate(connection, ended, revision.incident.channels, now)
        incidents.save(connection, (), (revision.incident,))
        return revision.incident.channels

    def _renew(self) -> None:
        with self._guard:
            held = list(self._held.values())
        ticks = self._clock.monotonic()
        if held and ticks - self._renewed >= RENEW_SECONDS:
            with self._database.transaction() as connection:
                incidents.renew_diagnoses(connection, held, self._clock.now() + LEASE)
            self._renewed = ticks

    def _take_waiting(self) -> None:
        now, self._looked = self._clock.now(), self._clock.monotonic()
        with self._database.read() as connection:
            if not incidents.any_free_diagnosis(connection, now):
                return
        with self._database.transaction() as connection:
            started = incidents.claim_diagnoses(connection, now, now + LEASE, self.free_slots())
        self.begin(started)

    def close(self) -> None:
        """Release unfinished diagnoses, so that another worker starts them at once."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._keep()
        with self._guard:
            held = list(self._held.values())
        if held:
            with self._database.transaction() as connection:
                incidents.release_diagnoses(connection, held)

    def _run(self, job: DiagnosisJob) -> None:
        try:
            ended = self._diagnose(job)
        except Exception:
            _log.exception("diagnosis.failed", incident=job.request.incident)
            with self._guard:
                self._held.pop(job.id, None)
            raise
        with self._guard:
            self._ended.append(ended)
        self._on_end()

    def _diagnose(self, job: DiagnosisJob) -> FinishedDiagnosis:
        work = job.request
        context = self._context()
        questions = context.questions(work.probes, work.subject, work.began, work.also, work.runbook)
        findings = self._prober.run(questions, self._deadline(job))
        return FinishedDiagnosis(job=job, diagnosed=pipeline.diagnose(work, findings, context))

    def _deadline(self, job: DiagnosisJob) -> Deadline:
        left = (job.due_at - MARGIN - self._clock.now()).total_seconds()
        return Deadline(self._clock.monotonic() + (left if left > 0 else LATE_SECONDS))


class OpinionWorker:
    """Waits for opinions in threads of its own. An opinion that a stopped process waited for is lost."""

    def __init__(
        self,
        database: Database,
        context: Callable[[], DecisionContext],
        prober: Prober,
        clock: Clock,
        on_written: Callable[[Collection[str]], None],
    ) -> None:
        """``prober`` is not the one of pages. ``on_written`` is called with the channels that get an opinion."""
        self._database = database
        self._context = context
        self._prober = prober
        self._clock = clock
        self._on_written = on_written
        self._slots = threading.BoundedSemaphore(OPINIONS_AT_ONCE)

    def ask(self, work: DiagnosisRequest) -> None:
        """Start to ask about an incident whose findings are committed, if its rule names an investigator."""
        for question in self._context().late_questions(work.probes, work.subject, work.began, work.runbook):
            if not self._slots.acquire(blocking=False):
                _log.warning(
                    "opinion.skipped", incident=work.incident, reason=f"{OPINIONS_AT_ONCE} others are under way"
                )
                continue
            threading.Thread(target=self._ask, args=(work, question), name="opinion", daemon=True).start()

    def _ask(self, work: DiagnosisRequest, question: ProbeQuestion) -> None:
        try:
            if opinion := self._opinion(work, question):
                self._write(work, opinion)
        except StoreError as error:
            _log.warning("opinion.lost", incident=work.incident, reason=str(error))
        finally:
            self._slots.release()

    def _opinion(self, work: DiagnosisRequest, question: ProbeQuestion) -> str:
        """Return the answer of the investigator; empty if there is none in time."""
        with self._database.read() as connection:
            content = incidents.content_of(connection, work.incident)
        about = self._context().probe_kinds[question.kind].about
        if content is None or about is None:
            return ""
        deadline = Deadline(self._clock.monotonic() + question.timeout)
        (finding,) = self._prober.run([about(question, content)], deadline)
        if finding.verdict is not Verdict.OK:
            _log.warning("opinion.missing", incident=work.incident, reason=finding.headline)
            return ""
        return finding.detail

    def _write(self, work: DiagnosisRequest, opinion: str) -> None:
        context, now = self._context(), self._clock.now()
        messages = messages_for(
            (work.incident, work.ordering_key),
            MessageKind.OPINION,
            MessageFacts(update=opinion),
            context.configured(work.channels),
            priority=work.priority + 1,  # after every page
            due_at=now,
        )
        with self._database.transaction() as connection:
            outbox.write(connection, messages, now)
        self._on_written({message.channel for message in messages})
