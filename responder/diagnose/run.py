"""All probes at once, and back by the deadline, whatever any of them does."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from responder.diagnose.answer import answer, skipped
from responder.diagnose.contract import Ask, ProbeKind, Tools
from responder.diagnose.figures import span
from responder.model.clock import Deadline
from responder.model.finding import Finding, Verdict

_log = structlog.get_logger()

# A probe knows its deadline and names the reason itself; only one that overruns it by this much is given up.
_GRACE = 0.1

OnEach = Callable[[Finding], None]


@dataclass(slots=True)
class _Job:
    """One question of one run. ``news`` is the run's: (number, None) when it starts, (number, finding) when it ends."""

    number: int
    ask: Ask
    deadline: Deadline
    news: queue.SimpleQueue[tuple[int, Finding | None]]
    abandoned: bool = False


class Prober:
    """Asks questions on a bounded number of daemon threads. Safe to share between threads.

    The threads are our own: those of concurrent.futures are joined when the interpreter exits, so one probe that hangs
    would keep the process from ending.
    """

    def __init__(self, kinds: Mapping[str, ProbeKind], tools: Tools, threads: int = 32) -> None:
        self._kinds = kinds
        self._tools = tools
        self._limit = threads
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._waiting = 0

    def run(self, asks: Sequence[Ask], deadline: Deadline, on_each: OnEach | None = None) -> tuple[Finding, ...]:
        """A finding for every ask, in their order, at ``deadline`` (and a tenth of a second) at the latest.

        ``on_each`` is called in this thread with every finding as it comes. A question without an answer in time is
        unknown; so is one that got no thread, because others hang.
        """
        findings: dict[int, Finding] = {}

        def keep(number: int, finding: Finding) -> None:
            findings[number] = finding
            if on_each is not None:
                on_each(finding)

        news: queue.SimpleQueue[tuple[int, Finding | None]] = queue.SimpleQueue()
        jobs = {
            number: _Job(number, ask, deadline, news) for number, ask in enumerate(asks) if not ask.skip
        }
        for job in jobs.values():
            self._submit(job)
        for number, ask in enumerate(asks):
            if ask.skip:
                keep(number, skipped(ask))
        self._gather(jobs, deadline, news, keep)
        return tuple(findings[number] for number in range(len(asks)))

    def close(self) -> None:
        """Let idle threads end. What still runs is left behind."""
        with self._lock:
            threads = self._threads
        for _ in range(threads):
            self._jobs.put(None)

    def _gather(
        self,
        pending: dict[int, _Job],
        deadline: Deadline,
        news: queue.SimpleQueue[tuple[int, Finding | None]],
        keep: Callable[[int, Finding], None],
    ) -> None:
        """Wait for each pending job until it ends or its time is up."""
        began = self._tools.clock.monotonic()
        ends: dict[int, float] = {}
        while pending:
            now = self._tools.clock.monotonic()
            for number in [each for each in pending if ends.get(each, deadline.at) + _GRACE <= now]:
                job = pending.pop(number)
                job.abandoned = True
                keep(number, _given_up(job, now - began, started=number in ends))
            if not pending:
                return
            wait = min(ends.get(number, deadline.at) for number in pending) + _GRACE - now
            try:
                number, finding = news.get(timeout=max(0.001, wait))
            except queue.Empty:
                continue
            if number not in pending:
                continue
            if finding is None:
                ends[number] = pending[number].deadline.at
            else:
                del pending[number]
                keep(number, finding)

    def _submit(self, job: _Job) -> None:
        with self._lock:
            self._waiting += 1
            grow = self._threads < self._limit and self._waiting > self._idle()
            self._threads += grow
            number = self._threads
        self._jobs.put(job)
        if grow:
            threading.Thread(target=self._work, name=f"probe-{number}", daemon=True).start()
