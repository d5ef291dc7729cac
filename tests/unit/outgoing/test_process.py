"""Programs that are started: environment, limits, deadline and output."""

import json
import os
import sys
import time

import pytest

from responder.bootstrap import SystemClock
from responder.model.clock import Deadline
from responder.outgoing.process import GRACE_SECONDS, Ended, Launch, launch

CLOCK = SystemClock()
CAP = 1000


def python(text: str, seconds: float = 10.0) -> Ended:
    """Run a statement of Python as a step."""
    return launch(Launch((sys.executable, "-I", "-c", text)), (), Deadline(CLOCK.monotonic() + seconds), CLOCK, CAP)


def test_a_program_gets_nothing_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its environment has no variable of responder, its folder is empty, its input is closed, its memory limited."""
    monkeypatch.setenv("RESPONDER_WEBHOOK_TOKEN", "hunter2")
    done = python(
        "import json, os, resource, sys, time; time.sleep(0.1);"
        "print(json.dumps([sorted(os.environ), os.listdir('.'), sys.stdin.read(), os.getpgid(0) == os.getpid(),"
        " resource.getrlimit(resource.RLIMIT_AS)[1]]))"
    )
    variables, files, given, leads, memory = json.loads(done.output)
    assert set(variables) <= {"PATH", "HOME", "LANG", "LC_CTYPE"}
    assert (files, given, leads, memory) == ([], "", True, 2 * 1024**3)


def test_output_and_exit_status_are_returned() -> None:
    """Standard output and error are read together."""
    done = python("import sys; print('out', flush=True); print('err', file=sys.stderr); sys.exit(3)")
    assert (done.output, done.status, done.cut, done.problem) == (b"out\nerr\n", 3, False, "")


def test_endless_output_is_cut() -> None:
    """No more than the cap is read, and the program is ended."""
    began = time.monotonic()
    done = python("while True: print('y' * 100)")
    assert (len(done.output), done.cut, done.problem) == (CAP, True, "")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("ignores", [False, True])
def test_a_program_that_hangs_is_ended_with_its_children(ignores: bool) -> None:
    """After the deadline the whole process group is ended, whether or not it heeds SIGTERM."""
    heed = "signal.signal(signal.SIGTERM, signal.SIG_IGN);" if ignores else ""
    began = time.monotonic()
    ended = launch(
        Launch(
            (
                sys.executable,
                "-I",
                "-c",
                f"import os, signal, time; {heed} print(os.fork(), flush=True); time.sleep(60)",
            )
        ),
        (),
        Deadline(CLOCK.monotonic() + 0.7),
        CLOCK,
        CAP,
    )
    assert "no answer within" in ended.problem
    assert time.monotonic() - began < 0.7 + GRACE_SECONDS + 2


def test_what_is_left_in_the_background_is_ended() -> None:
    """A child that outlives its parent, without its output, does not outlive the step."""
    child = "import os, time; os.close(1); os.close(2); time.sleep(60)"
    closed = "stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL"
    text = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-I', '-c', {child!r}], {closed}).pid)"
    done = python(text)
    pid, end = int(done.output), time.monotonic() + 5
    while time.monotonic() < end and _runs(pid):
        time.sleep(0.05)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    """Return True if a process runs; one that ended and was not waited for does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:  # noqa: PTH123 - a file of the kernel
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_missing_program_is_named() -> None:
    """A program that cannot be started is a problem, not an exception."""
    done = launch(Launch(("/nowhere/promtool",)), (), Deadline(CLOCK.monotonic() + 1), CLOCK, CAP)
    assert "cannot be started" in done.problem
    assert os.strerror(2) in done.problem
