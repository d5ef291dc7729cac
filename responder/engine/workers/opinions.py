"""Asks outside investigators about diagnosed incidents; their answers follow in the thread, and no page waits."""

import threading
from collections.abc import Callable, Collection

import structlog

from responder.diagnose.contract import ProbeQuestion
from responder.diagnose.prober import Prober
from responder.engine.effects.context import DecisionContext
from responder.engine.effects.page import messages_for
from responder.model.clock import Clock, Deadline
from responder.model.content import MessageFacts
from responder.model.delivery import DiagnosisRequest
from responder.model.finding import Verdict
from responder.model.report import MessageKind
from responder.store.database import Database, StoreError
from responder.store.incidents import incidents
from responder.store.outbox import outbox

_log = structlog.get_logger()

#: Opinions that one process waits for at a time. A further incident gets none: in a flood they would come too late.
AT_ONCE = 4


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
        self._slots = threading.BoundedSemaphore(AT_ONCE)

    def ask(self, work: DiagnosisRequest) -> None:
        """Start to ask about an incident whose findings are committed, if its rule names an investigator."""
        for question in self._context().late_questions(work.probes, work.subject, work.began, work.runbook):
            if not self._slots.acquire(blocking=False):
                _log.warning("opinion.skipped", incident=work.incident, reason=f"{AT_ONCE} others are under way")
                continue
            threading.Thread(target=self._ask, args=(work, question), name="opinion", daemon=True).start()

    def _ask(self, work: DiagnosisRequest, question: ProbeQuestion) -> None:
        try:
            said = self._opinion(work, question)
            if said:
                self._write(work, said)
        except StoreError as error:
            _log.warning("opinion.lost", incident=work.incident, reason=str(error))
        finally:
            self._slots.release()

    def _opinion(self, work: DiagnosisRequest, question: ProbeQuestion) -> str:
        """Return what the investigator says; empty if it does not answer in time."""
        with self._database.read() as connection:
            content = incidents.contents_of(connection, [work.incident]).get(work.incident)
        about = self._context().probe_kinds[question.kind].about
        if content is None or about is None:
            return ""
        deadline = Deadline(self._clock.monotonic() + question.timeout)
        (finding,) = self._prober.run([about(question, content)], deadline)
        if finding.verdict is not Verdict.OK:
            _log.warning("opinion.missing", incident=work.incident, reason=finding.headline)
            return ""
        return finding.detail

    def _write(self, work: DiagnosisRequest, said: str) -> None:
        context, now = self._context(), self._clock.now()
        messages = messages_for(
            (work.incident, work.ordering_key),
            MessageKind.OPINION,
            MessageFacts(update=said),
            context.configured(work.channels),
            priority=work.priority + 1,  # after every page
            due_at=now,
        )
        with self._database.transaction() as connection:
            outbox.write(connection, messages, now)
        self._on_written({message.channel for message in messages})
