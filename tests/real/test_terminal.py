"""`responder serve` in a terminal: SIGHUP by hand reloads the rules, the end of the terminal ends it."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import sys
import threading
from collections.abc import Iterator

import pytest

from responder.outgoing import UnreachableError
from responder.standins import loopback
from responder.standins.stage import Stage
from tests.real.conftest import until

pytestmark = pytest.mark.real


class Terminal:
    """A program that leads a session of its own, with a pseudo-terminal as its controlling terminal."""

    def __init__(self, stage: Stage, *, nohup: bool) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RESPONDER_")}
        environment |= {**stage.settings, "RESPONDER_WORKERS": "1"}
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            # Set in both cases: the tests may run under nohup themselves.
            signal.signal(signal.SIGHUP, signal.SIG_IGN if nohup else signal.SIG_DFL)
            os.chdir(stage.folder)
            os.execve(sys.executable, [sys.executable, "-m", "responder", "serve"], environment)
        self.said = b""
        self._closing = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while not self._closing.is_set():
                self.said += os.read(self.descriptor, 65536)

    def hang_up(self) -> None:
        """Close the terminal, as its window does."""
        self._closing.set()
        os.kill(self.pid, signal.SIGHUP)  # makes it write a line, which ends the last read
        self._reader.join(10)
        os.close(self.descriptor)

    def ended(self) -> bool:
        """Return True if the program has ended."""
        return os.waitpid(self.pid, os.WNOHANG)[0] == self.pid


@contextlib.contextmanager
def in_terminal(stage: Stage, *, nohup: bool = False) -> Iterator[Terminal]:
    """Run `serve` in a terminal until the block ends."""
    terminal = Terminal(stage, nohup=nohup)
    try:
        until(lambda: ready(stage))
        yield terminal
    finally:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(terminal.pid, signal.SIGTERM)
            os.waitpid(terminal.pid, 0)


def ready(stage: Stage) -> bool:
    """Return True if it answers."""
    try:
        return loopback.get(f"{stage.url}/readyz", 1.0).status == 200
    except UnreachableError:
        return False


def test_the_end_of_the_terminal_ends_a_foreground_serve(stage: Stage) -> None:
    """Closing the window stops the service; a SIGHUP by hand before it reads the rules and stops nothing."""
    with in_terminal(stage) as terminal:
        for _ in range(3):
            os.kill(terminal.pid, signal.SIGHUP)
        with pytest.raises(pytest.fail.Exception):
            until(terminal.ended, 2)
        assert ready(stage)
        terminal.hang_up()
        until(terminal.ended, 15)
    assert not ready(stage)


def test_nohup_keeps_it_running(stage: Stage) -> None:
    """Under nohup `serve` ignores the end of the terminal."""
    with in_terminal(stage, nohup=True) as terminal:
        terminal.hang_up()
        with pytest.raises(pytest.fail.Exception):
            until(terminal.ended, 3)
        assert ready(stage)
