"""Real programs on loopback, started and ended; ``responder serve`` is one."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import not_
from pathlib import Path

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from responder.outgoing import UnreachableError
from responder.standins import loopback

START_SECONDS = 60.0
STOP_SECONDS = 15.0
_POLL = 0.05
_SHOWN_LINES = 30


class DidNotStart(Exception):
    """A program ended, or was not ready in time; the text holds the last lines it wrote."""


@dataclass(frozen=True, slots=True)
class Program:
    """A running program that leads a process group of its own. ``log`` holds its standard output and error."""

    name: str
    url: str
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def running(self) -> bool:
        """True while the process runs."""
        return self.process.poll() is None

    def last_output(self, lines: int = _SHOWN_LINES) -> str:
        """The last lines it wrote."""
        text = self.log.read_text("utf-8", "replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def terminate(self) -> None:
        """Ask its first process to end (SIGTERM), as an operator or Kubernetes does."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()

    def stop(self, timeout: float = STOP_SECONDS) -> int:
        """End it with SIGTERM, after ``timeout`` seconds with SIGKILL. Returns its exit status."""
        self.terminate()
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return self.kill()
        self._kill_group()  # what a dead leader may have left behind
        return self.process.returncode

    def kill(self) -> int:
        """SIGKILL the whole group at once. Returns the exit status."""
        self._kill_group()
        return self.process.wait()

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


def free_port() -> int:
    """Return a free loopback port, below those of outgoing connections."""
    while True:
        port = random.SystemRandom().randrange(10_000, 32_000)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            # As the programs bind: a port that only waits out an old connection is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


@contextlib.contextmanager
def started(
    name: str,
    command: Sequence[str],
    *,
    url: str,
    ready: str,
    folder: Path,
    env: Mapping[str, str] | None = None,
    seconds: float = START_SECONDS,
) -> Iterator[Program]:
    """Run ``command`` in ``folder`` until the block ends. Raises DidNotStart unless ``url + ready`` soon answers 200.

    What it writes goes to ``<name>.log`` in ``folder``, after what an earlier one of that name wrote.
    """
    log = folder / f"{name}.log"
    with log.open("ab") as sink:
        process = subprocess.Popen(  # noqa: S603 - fixed command lines, no shell
            command,
            cwd=folder,
            env=dict(os.environ if env is None else env),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    program = Program(name, url, log, process)
    try:
        _await(program, url + ready, seconds)
        yield program
    finally:
        program.stop()


def _await(program: Program, url: str, seconds: float) -> None:
    def ready() -> bool:
        if not program.running:
            raise DidNotStart(
                f"{program.name} ended with status {program.process.returncode}. It said:\n{program.last_output()}"
            )
        return _answers(url)

    try:
        Retrying(retry=retry_if_result(not_), stop=stop_after_delay(seconds), wait=wait_fixed(_POLL))(ready)
    except RetryError:
        message = f"{program.name} was not ready within {seconds:g} s. It said:\n{program.last_output()}"
        raise DidNotStart(message) from None


def _answers(url: str) -> bool:
    try:
        return loopback.get(url, 1.0).status == 200
    except UnreachableError:
        return False


@contextlib.contextmanager
def responder_serve(
    settings: Mapping[str, str],
    folder: Path,
    *,
    program: Sequence[str] = ("-m", "responder"),
) -> Iterator[Program]:
    """``responder serve`` with these settings and no others; it listens on RESPONDER_LISTEN. Raises DidNotStart.

    ``program`` is what Python is to run, where it is not the package itself.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RESPONDER_")}
    command = [sys.executable, *program, "serve"]
    url = f"http://{settings['RESPONDER_LISTEN']}"
    env = inherited | dict(settings)
    with started("responder", command, url=url, ready="/readyz", folder=folder, env=env) as running:
        yield running
