"""Programs that are started: an argument vector, an empty environment, limits, and a deadline that is enforced."""

import contextlib
import os
import resource
import selectors
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from responder.model.clock import Clock, Deadline

#: Seconds between SIGTERM and SIGKILL.
GRACE_SECONDS = 1.0
#: Bytes of one read of a program's output.
_READ_BYTES = 16384
#: Limits of a program: seconds of CPU, bytes of memory, of a file it writes, open files, core dumps.
_LIMITS: Mapping[int, int] = {
    resource.RLIMIT_CPU: 10,
    resource.RLIMIT_AS: 2 * 1024**3,
    resource.RLIMIT_FSIZE: 1024**2,
    resource.RLIMIT_NOFILE: 256,
    resource.RLIMIT_CORE: 0,
}


@dataclass(frozen=True, slots=True)
class Launch:
    """Start of a program: its path and first arguments, its environment, and its working directory.

    Without ``folder`` it is started in an empty one, which is also its HOME.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """A program that ended: its output and exit status. ``problem`` says why it was not started, or was stopped."""

    output: bytes = b""
    status: int = 0
    cut: bool = False
    problem: str = ""


def launch(program: Launch, arguments: Sequence[str], deadline: Deadline, clock: Clock, cap: int) -> Ended:
    """Run a program to its end, or to the deadline: its process group then gets SIGTERM, and SIGKILL later.

    Its standard output and error are read together, at most ``cap`` bytes; standard input is closed.
    """
    began = clock.monotonic()
    with tempfile.TemporaryDirectory(prefix="responder-step-") as empty:
        home = program.folder or empty
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": home, "LANG": "C.UTF-8", **program.environment}
        try:
            process = subprocess.Popen(  # noqa: S603 - an argument vector of listed programs, without a shell
                [*program.command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=home,
                env=environment,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return Ended(problem=f"cannot be started: {error}")
        with process:
            _limit(process.pid)
            output, late = _read(process, deadline, clock, cap)
            cut = len(output) > cap
            if late or cut:
                _signal_group(process, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_SECONDS)
            _signal_group(process, signal.SIGKILL)  # also what it left behind in the background
            status = process.wait()
    if late:
        return Ended(problem=f"no answer within {clock.monotonic() - began:.1f} s")
    return Ended(bytes(output[:cap]), 0 if cut else status, cut)


def _limit(pid: int) -> None:
    """Set the limits of a process that was just started: a function between fork and exec is not safe with threads."""
    for kind, most in _LIMITS.items():
        try:
            resource.prlimit(pid, kind, (most, most))
        except (OSError, ValueError):  # it has ended, or has a lower limit
            return


def _read(process: "subprocess.Popen[bytes]", deadline: Deadline, clock: Clock, cap: int) -> tuple[bytearray, bool]:
    """Return the output, and True if the deadline passed before its end."""
    stream: IO[bytes] | None = process.stdout
    output = bytearray()
    if stream is None:
        return output, False
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while len(output) <= cap:
            if not selector.select(deadline.left(clock.monotonic())):
                return output, True
            piece = os.read(stream.fileno(), _READ_BYTES)
            if not piece:
                break
            output += piece
    if len(output) > cap:
        return output, False
    try:
        process.wait(deadline.left(clock.monotonic()))
    except subprocess.TimeoutExpired:
        return output, True
    return output, False


def _signal_group(process: "subprocess.Popen[bytes]", sign: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, sign)
