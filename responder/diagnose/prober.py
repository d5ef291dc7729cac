"""Runs probes in parallel and returns by the deadline, whatever any of them does."""

import itertools
import queue
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import structlog

from responder.counters import COUNTERS
from responder.diagnose.contract import ProbeKind, ProbeQuestion, ProbeTools
from responder.diagnose.make_finding import answer, skipped, span
from responder.model.clock import Deadline
from responder.model.finding import Finding, Verdict

_log = structlog.get_logger()

# A probe knows its deadline and names the reason itself; only one that overruns it by this much is given up.
_GRACE = 0.1

OnEach = Callable[[Finding], None]


#: The findings of one question: one, or several of an investigation.
Findings = tuple[Finding, ...]

_News = queue.SimpleQueue[tuple[int, Findings | None]]


@dataclass(slots=True)
class _Job:
    """A check of a run. ``news`` is the run's: (number, None) when a job starts, (number, findings) when it ends.

    ``deadline`` is the run's until the job starts, then its own. ``followers`` have the same query: they get the
    same answer, and have no thread of their own.
    """

    number: int
    ask: ProbeQuestion
    deadline: Deadline
    news: _News
    began: float = 0.0
    started: bool = False
    abandoned: bool = False
    leads: bool = True
    followers: "list[_Job]" = field(default_factory=list)

    def start(self, now: float) -> None:
        """Mark the check as started. The run may have to wake up earlier than planned."""
        self.began, self.started = now, True
        self.deadline = self.deadline.earlier(self.ask.timeout, now)
        self.news.put((self.number, None))


#: A job in its order: by priority, then as they came. The number decides between equals, so that no jobs are compared.
_Place = tuple[int, int, "_Job | None"]
#: Priority of the request to a thread to end.
_LAST = 9


class Prober:
    """Asks questions on a bounded number of daemon threads. Safe to share between threads.

    The threads are not those of concurrent.futures, which are joined when the interpreter exits, so that one probe that
    hangs would keep the process from ending.
    """

    def __init__(self, kinds: Mapping[str, ProbeKind[Any]], tools: ProbeTools, threads: int = 32) -> None:
        self._kinds = kinds
        self._tools = tools
        self._limit = threads
        self._jobs: queue.PriorityQueue[_Place] = queue.PriorityQueue()
        self._places = itertools.count()
        self._idle = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._threads = 0
        self._memory = AnswerCache()
        self._breaker = CircuitBreaker()
        self._asked: dict[Hashable, _Job] = {}

    def aside(self, threads: int) -> "Prober":
        """Return a prober of the same kinds with threads of its own, for what pages must not wait for."""
        return Prober(self._kinds, self._tools, threads)

    def run(
        self, questions: Sequence[ProbeQuestion], deadline: Deadline, on_each: OnEach | None = None
    ) -> tuple[Finding, ...]:
        """The findings of every question, in their order, at ``deadline`` (and a tenth of a second) at the latest.

        ``on_each`` is called in this thread with every finding as it comes. A question without an answer in time is
        unknown; so is one that got no thread, because others hang. A query that ran a moment ago, or is running, is
        not repeated; nor is a server queried that has timed out several times.
        """
        answers: dict[int, Findings] = {}

        def keep(number: int, findings: Findings) -> None:
            answers[number] = findings
            for finding in findings:
                if finding.verdict is not Verdict.SKIPPED:
                    labels = (finding.probe, finding.verdict.value)
                    COUNTERS.add("responder_probe_duration_seconds", *labels, value=finding.duration)
                if on_each is not None:
                    on_each(finding)

        began = self._tools.clock.monotonic()
        news: _News = queue.SimpleQueue()
        known = {number: self._without_running(question, began) for number, question in enumerate(questions)}
        jobs = {number: _Job(number, questions[number], deadline, news, began) for number in known if not known[number]}
        for job in jobs.values():
            self._submit(job)
        for number, findings in known.items():
            if findings is not None:
                keep(number, findings)
        self._gather(jobs, news, keep)
        return tuple(finding for number in range(len(questions)) for finding in answers[number])

    def close(self) -> None:
        """Let idle threads end. What still runs is left behind: its threads are daemons."""
        with self._lock:
            threads = self._threads
        for _ in range(threads):
            self._jobs.put((_LAST, next(self._places), None))
        if self._tools.cluster is not None:
            self._tools.cluster.close()

    def _without_running(self, question: ProbeQuestion, now: float) -> Findings | None:
        """Return the findings of a check that need not, or should not, run."""
        if question.skip:
            return (skipped(question),)
        if recalled := self._memory.cached(question, now):
            return recalled
        times, wait = self._breaker.permit(_endpoint(question), now)
        if not wait:
            return None
        again = self._tools.clock.now() + timedelta(seconds=wait)
        fact = f"not checked: no answer {times} times in a row, next attempt at {again:%H:%M:%S} UTC"
        return (answer(question, Verdict.UNKNOWN, fact),)

    def _gather(self, pending: dict[int, _Job], news: _News, keep: Callable[[int, Findings], None]) -> None:
        """Wait for each pending job until it ends or its time is up."""
        while pending:
            now = self._tools.clock.monotonic()
            late = [job for job in pending.values() if job.deadline.at + _GRACE <= now]
            for job in late:
                del pending[job.number]
                job.abandoned = True
                if job.started and job.leads and now - job.began >= SLOW:
                    self._breaker.note(_endpoint(job.ask), answered=False, now=now)
                keep(job.number, (self._given_up(job, now),))
            if not pending:
                return
            wait = min(job.deadline.at for job in pending.values()) + _GRACE - now
            try:
                number, findings = news.get(timeout=max(0.001, wait))
            except queue.Empty:
                continue
            if findings is not None and pending.pop(number, None) is not None:
                keep(number, findings)

    def _given_up(self, job: _Job, now: float) -> Finding:
        question, took = job.ask, now - job.began
        allowed = f"{max(0.0, job.deadline.at - job.began):.1f} s"
        _log.warning(
            "probe given up", probe=question.probe, kind=question.kind, target=question.target, started=job.started
        )
        if job.started:
            return answer(question, Verdict.UNKNOWN, f"no answer within {allowed}", duration=took)
        fact = f"not started within {allowed}: all {self._limit} probe threads are busy"
        return answer(question, Verdict.UNKNOWN, fact, duration=took)

    def _submit(self, job: _Job) -> None:
        if self._follows(job):
            return
        self._jobs.put((job.ask.priority, next(self._places), job))
        if self._idle.acquire(blocking=False):
            return
        with self._lock:
            if self._threads >= self._limit:
                return
            self._threads += 1
            name = f"probe-{self._threads}"
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def _follows(self, job: _Job) -> bool:
        """Return True if the same query is running with about the same deadline: the job then shares its answer."""
        now = self._tools.clock.monotonic()
        with self._lock:
            leader = self._asked.get(cache_key(job.ask))
            until = job.deadline.earlier(job.ask.timeout, now).at
            behind = leader is not None and not leader.started and leader.ask.priority > job.ask.priority
            if leader is None or behind or leader.deadline.at + SLOW < until:
                self._asked[cache_key(job.ask)] = job
                return False
            job.leads = False
            leader.followers.append(job)
            if leader.started:
                job.start(now)
        return True

    def _work(self) -> None:
        while (job := self._jobs.get()[2]) is not None:
            self._answer(job)
            self._idle.release()

    def _answer(self, job: _Job) -> None:
        now = self._tools.clock.monotonic()
        with self._lock:
            waiting = [each for each in (job, *job.followers) if not each.abandoned]
            if not waiting:
                self._forget(job)
                return
            for each in waiting:
                each.start(now)
            job.started = True
        findings = self._look(job, max(each.deadline.at for each in waiting))
        with self._lock:
            self._forget(job)
        self._remember(job, findings)
        for each in (job, *job.followers):
            each.news.put((each.number, findings if each is job else repeated(findings, each.ask)))

    def _forget(self, job: _Job) -> None:
        """Let no other job follow this one. The caller holds the lock."""
        if self._asked.get(cache_key(job.ask)) is job:
            del self._asked[cache_key(job.ask)]

    def _remember(self, job: _Job, findings: Findings) -> None:
        now = self._tools.clock.monotonic()
        self._memory.keep(job.ask, findings, now)
        unknown = all(finding.verdict is Verdict.UNKNOWN for finding in findings)
        silent = unknown and now - job.began >= SLOW
        if not (silent and job.abandoned):  # then it was counted when it was given up
            self._breaker.note(_endpoint(job.ask), answered=not silent, now=now)

    def _look(self, job: _Job, until: float) -> Findings:
        question = job.ask
        try:
            return self._kinds[question.kind].findings(question, Deadline(until), self._tools)
        except Exception as error:  # noqa: BLE001 - a plug-in's bug costs its own finding, never the page
            took = self._tools.clock.monotonic() - job.began
            _log.exception("probe.failed", probe=question.probe, kind=question.kind, target=question.target)
            fact = f"the probe itself failed after {span(took)}: {type(error).__name__}"
            return (answer(question, Verdict.UNKNOWN, fact, duration=took),)


def _endpoint(question: ProbeQuestion) -> str:
    """Return the circuit breaker's key."""
    return f"{question.kind} {question.endpoint or question.target}"


#: Consecutive timeouts after which the circuit opens.
TIMES = 3
#: Seconds until one check is let through again.
PAUSE = 30.0
#: Seconds of waiting from which a failure counts. An immediate refusal costs nothing to try again.
SLOW = 1.0


@dataclass(frozen=True, slots=True)
class BreakerState:
    """Consecutive timeouts of a server, and the monotonic time of the next attempt."""

    failures: int = 0
    retry_at: float = 0.0

    @property
    def is_open(self) -> bool:
        """True if the circuit is open."""
        return self.failures >= TIMES


def permit(breaker: BreakerState, now: float) -> tuple[BreakerState, float]:
    """Return the new state and the seconds to wait, 0 for none. An open circuit lets one check a pause through."""
    if not breaker.is_open:
        return breaker, 0.0
    if now < breaker.retry_at:
        return breaker, breaker.retry_at - now
    return replace(breaker, retry_at=now + PAUSE), 0.0


def after_check(breaker: BreakerState, *, answered: bool, now: float) -> BreakerState:
    """Return the state after a check succeeded or timed out."""
    return BreakerState() if answered else BreakerState(breaker.failures + 1, now + PAUSE)


class CircuitBreaker:
    """Circuit breakers of one process. Safe to share between threads."""

    def __init__(self) -> None:
        self._breakers: dict[str, BreakerState] = {}
        self._guard = threading.Lock()

    def permit(self, endpoint: str, now: float) -> tuple[int, float]:
        """Return the consecutive timeouts of ``endpoint`` and the seconds until the next attempt, 0 for now."""
        with self._guard:
            breaker, wait = permit(self._breakers.get(endpoint, BreakerState()), now)
            if breaker.failures:
                self._breakers[endpoint] = breaker
        return breaker.failures, wait

    def note(self, endpoint: str, *, answered: bool, now: float) -> None:
        """Record the result of a check of ``endpoint``."""
        with self._guard:
            breaker = after_check(self._breakers.get(endpoint, BreakerState()), answered=answered, now=now)
            if breaker.failures:
                self._breakers[endpoint] = breaker
            else:
                self._breakers.pop(endpoint, None)


#: Seconds for which an answer is reused. It is as good as a new one, so its age is not shown.
FRESH = 10.0


def cache_key(question: ProbeQuestion) -> Hashable:
    """Return the cache key: everything except the probe's name and its timeout."""
    return question.kind, question.target, question.query, repr(question.wire)


def repeated(findings: Findings, question: ProbeQuestion) -> Findings:
    """Return the findings for another probe with the same query."""
    return tuple(replace(each, probe=question.probe, link=question.link, duration=0.0) for each in findings)


class AnswerCache:
    """The answers of the last seconds of one process. Safe to share between threads.

    Only ok and bad are kept: an unknown result does not keep others from trying.
    """

    def __init__(self) -> None:
        self._answers: dict[Hashable, tuple[float, Findings]] = {}
        self._guard = threading.Lock()

    def cached(self, question: ProbeQuestion, now: float) -> Findings | None:
        """The answer to the same question, where it is fresh."""
        with self._guard:
            at, findings = self._answers.get(cache_key(question), (0.0, None))
        return repeated(findings, question) if findings and now - at <= FRESH else None

    def keep(self, question: ProbeQuestion, findings: Findings, now: float) -> None:
        """Remember an answer, and forget those that are not fresh any more."""
        if not any(finding.verdict in {Verdict.OK, Verdict.BAD} for finding in findings):
            return
        with self._guard:
            self._answers = {key: each for key, each in self._answers.items() if now - each[0] <= FRESH}
            self._answers[cache_key(question)] = now, findings
