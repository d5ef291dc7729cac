"""The prober is back in time with a finding for every question, whatever the probes do."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from responder.bootstrap import SystemClock
from responder.diagnose.contract import ProbeKind, ProbeQuestion, ProbeTools
from responder.diagnose.prober import SLOW, TIMES, Prober
from responder.model.clock import Deadline
from responder.model.finding import Finding, Verdict
from responder.outgoing import Outgoing
from tests.support.builders import a_finding

CLOCK = SystemClock()
TOOLS = ProbeTools(outgoing=Outgoing(CLOCK), clock=CLOCK)


def a_kind(name: str, look: Callable[[ProbeQuestion, Deadline, ProbeTools], Finding]) -> ProbeKind[Any]:
    """A kind that looks with the function given."""
    return ProbeKind(name=name, spec=object, check=lambda _: (), questions=lambda *_: (), run=look, opening=b"")


def an_ask(kind: str, name: str = "", timeout: float = 5.0, skip: str = "") -> ProbeQuestion:
    """A question to that kind."""
    name = name or kind
    return ProbeQuestion(probe=name, kind=kind, target="plato", query=f"{name}?", timeout=timeout, skip=skip)


def quick(question: ProbeQuestion, _deadline: Deadline, _tools: ProbeTools) -> Finding:
    """Answers at once."""
    return a_finding(Verdict.OK, probe=question.probe)


def broken(_ask: ProbeQuestion, _deadline: Deadline, _tools: ProbeTools) -> Finding:
    """Has a bug."""
    raise ZeroDivisionError("with\x1b[31m a secret token=hunter2")


def hanging(_ask: ProbeQuestion, _deadline: Deadline, _tools: ProbeTools) -> Finding:
    """Never answers."""
    threading.Event().wait()
    raise AssertionError


KINDS = {kind.name: kind for kind in (a_kind("quick", quick), a_kind("broken", broken), a_kind("hanging", hanging))}


def run(
    questions: list[ProbeQuestion], seconds: float, threads: int = 8
) -> tuple[tuple[Finding, ...], float, list[Finding]]:
    """Findings, how long it took, and the findings as they came."""
    prober = Prober(KINDS, TOOLS, threads)
    came: list[Finding] = []
    began = time.monotonic()
    found = prober.run(questions, Deadline(began + seconds), came.append)
    took = time.monotonic() - began
    prober.close()
    return found, took, came


def test_findings_come_in_the_order_of_the_questions() -> None:
    """Every question has its finding, at its own place."""
    names = [f"probe-{number}" for number in range(20)]
    found, took, came = run([an_ask("quick", name) for name in names], 5)
    assert [finding.probe for finding in found] == names
    assert sorted(finding.probe for finding in came) == sorted(names)
    assert took < 2


def test_all_probes_hang_and_the_page_does_not() -> None:
    """If no target responds, the run ends at its deadline and each finding has the time waited."""
    found, took, _ = run([an_ask("hanging", str(number)) for number in range(4)], 0.3)
    assert took < 0.3 + 0.5
    assert {finding.verdict for finding in found} == {Verdict.UNKNOWN}
    assert {finding.headline for finding in found} == {"plato: no answer within 0.3 s"}


def test_each_probe_has_its_own_limit() -> None:
    """A probe that hangs is given up after its own time, and the run need not wait for the total."""
    found, took, _ = run([an_ask("hanging", timeout=0.2), an_ask("quick")], 10)
    assert took < 2
    assert found[0].headline == "plato: no answer within 0.2 s"
    assert found[1].verdict is Verdict.OK


def test_a_probe_that_never_got_a_thread_says_so() -> None:
    """If hanging probes hold all threads, the others are unknown for that reason."""
    found, took, _ = run([*(an_ask("hanging", str(number)) for number in range(2)), an_ask("quick")], 0.3, threads=2)
    assert took < 0.3 + 0.5
    assert found[2].verdict is Verdict.UNKNOWN
    assert found[2].headline == "plato: not started within 0.3 s: all 2 probe threads are busy"


def test_threads_are_used_again() -> None:
    """One thread runs many probes, one after the other."""
    found, _, _ = run([an_ask("quick", str(number)) for number in range(50)], 5, threads=1)
    assert {finding.verdict for finding in found} == {Verdict.OK}


def test_a_bug_in_a_probe_costs_its_own_finding_only() -> None:
    """A probe that crashes is unknown, by the name of its error, and the others stand."""
    found, _, _ = run([an_ask("broken"), an_ask("quick"), an_ask("no-such-kind")], 5)
    assert [finding.verdict for finding in found] == [Verdict.UNKNOWN, Verdict.OK, Verdict.UNKNOWN]
    assert found[0].headline.endswith("ms: ZeroDivisionError")
    assert "hunter2" not in found[0].headline + found[0].detail


def test_what_cannot_be_asked_is_not_asked() -> None:
    """A skipped question costs nothing and says why."""
    found, _, came = run([an_ask("hanging", skip="no TLS on http://")], 5)
    assert found[0].verdict is Verdict.SKIPPED
    assert found[0].headline == "plato: skipped: no TLS on http://"
    assert came == list(found)
    assert run([], 5)[0] == ()


def test_two_runs_share_the_threads() -> None:
    """Runs at the same time do not mix up their findings."""
    prober = Prober(KINDS, TOOLS, 4)
    results: dict[str, tuple[Finding, ...]] = {}

    def one(name: str) -> None:
        questions = [an_ask("quick", f"{name}-{number}") for number in range(30)]
        results[name] = prober.run(questions, Deadline(time.monotonic() + 5))

    threads = [threading.Thread(target=one, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    prober.close()
    for name, found in results.items():
        assert [finding.probe for finding in found] == [f"{name}-{number}" for number in range(30)]


class Counter:
    """A probe that counts its runs. It returns when allowed, or not at all."""

    def __init__(self, verdict: Verdict = Verdict.OK) -> None:
        self.asked = 0
        self.may = threading.Event()
        self.begun = threading.Event()
        self.verdict = verdict
        self.prober = Prober({"counted": a_kind("counted", self.look)}, TOOLS)

    def look(self, question: ProbeQuestion, deadline: Deadline, tools: ProbeTools) -> Finding:
        """Another probe."""
        self.asked += 1
        self.begun.set()
        if not self.may.wait(deadline.left(tools.clock.monotonic())):
            return a_finding(Verdict.UNKNOWN, probe=question.probe)
        return a_finding(self.verdict, probe=question.probe)

    def run(self, name: str, seconds: float = 5.0, query: str = "up?") -> Finding:
        """The finding of one run with one question."""
        question = replace(an_ask("counted", name), query=query)
        return self.prober.run([question], Deadline(time.monotonic() + seconds))[0]


def test_the_same_question_is_asked_once() -> None:
    """Ten incidents about one service at the same moment cost it one request, and each has the answer as its own."""
    probe = Counter()
    found: dict[str, Finding] = {}
    threads = [
        threading.Thread(target=lambda name=name: found.update({name: probe.run(name)})) for name in "abcdefghij"
    ]
    for thread in threads:
        thread.start()
    assert probe.begun.wait(5)
    probe.may.set()
    for thread in threads:
        thread.join()
    assert probe.asked == 1
    assert {name: finding.probe for name, finding in found.items()} == {name: name for name in "abcdefghij"}
    assert {finding.verdict for finding in found.values()} == {Verdict.OK}
    assert probe.run("other", query="well?").probe == "other"
    assert probe.asked == 2


def test_who_has_less_time_does_not_decide_for_the_others() -> None:
    """A page that is due sooner gives up by itself; the other one still gets its answer."""
    probe = Counter()
    found: list[Finding] = []
    patient = threading.Thread(target=lambda: found.append(probe.run("patient")))
    patient.start()
    assert probe.begun.wait(5)
    assert probe.run("hasty", 0.1).verdict is Verdict.UNKNOWN
    probe.may.set()
    patient.join()
    assert found[0].verdict is Verdict.OK
    assert probe.asked == 1


def test_an_unknown_is_not_given_again() -> None:
    """A failing probe does not keep others from running."""
    probe = Counter()
    assert probe.run("first", 0.1).verdict is Verdict.UNKNOWN
    probe.may.set()
    assert probe.run("second").verdict is Verdict.OK
    assert probe.asked == 2


def test_a_place_that_does_not_answer_is_left_alone() -> None:
    """After three timeouts the target is not probed until the pause is over, and the finding says so."""
    probe = Counter()
    for number in range(TIMES):
        assert "not checked" not in probe.run("health", SLOW + 0.05, f"{number}?").headline
    began = time.monotonic()
    finding = probe.run("health")
    assert time.monotonic() - began < SLOW
    assert probe.asked == TIMES
    assert finding.verdict is Verdict.UNKNOWN
    assert finding.headline.startswith("plato: not checked: no answer 3 times in a row, next attempt at ")


@pytest.mark.timeout(60)
def test_a_hanging_probe_does_not_keep_the_process() -> None:
    """A worker that is stopped ends, even while probes hang."""
    script = (
        "import time\n"
        "from tests.unit.diagnose.test_prober import an_ask, run\n"
        "print(run([an_ask('hanging')], 0.2)[0][0].verdict)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.splitlines()[-1] == "unknown"


def test_further_members_of_a_group_wait_for_the_subjects_of_other_incidents() -> None:
    """While all threads are busy, a check of a subject overtakes those of further members that came before."""
    gate, blocked, order = threading.Event(), threading.Event(), list[str]()

    def look(question: ProbeQuestion, _deadline: Deadline, _tools: ProbeTools) -> Finding:
        blocked.set()
        gate.wait(5)
        order.append(question.probe)
        return a_finding(Verdict.OK, probe=question.probe)

    prober = Prober({"slow": a_kind("slow", look)}, TOOLS, threads=1)
    storm = [an_ask("slow", "first"), *(replace(an_ask("slow", f"member-{n}"), priority=1) for n in range(3))]
    until = Deadline(CLOCK.monotonic() + 5)
    stormy = threading.Thread(target=prober.run, args=(storm, until))
    stormy.start()
    assert blocked.wait(5)
    other = threading.Thread(target=prober.run, args=([an_ask("slow", "other")], until))
    other.start()
    while prober._jobs.qsize() < 4:
        time.sleep(0.005)
    gate.set()
    for each in (stormy, other):
        each.join(5)
    prober.close()
    assert order == ["first", "other", "member-0", "member-1", "member-2"]
