"""One replica of ``responder serve``: started, killed, started again, with a clock that can be moved."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from responder.standins.processes import DidNotStart, Program, responder_serve
from tests.faults.timeline import Timeline

_STARTS = 20
#: Seconds between two starts: without its database the program exits with an error.
_BETWEEN = 0.5
_PROGRAM = Path(__file__).with_name("serve.py")


class Replica:
    """A process group of its own. ``clock_moved`` says whether its wall clock has been."""

    def __init__(self, name: str, settings: Mapping[str, str], folder: Path, timeline: Timeline) -> None:
        self.name = name
        self.address = settings["RESPONDER_LISTEN"]
        self.clock_moved = False
        self._clock = folder / "clock"
        self._settings = {**settings, "FAULTS_CLOCK": str(self._clock)}
        self._folder = folder
        self._timeline = timeline
        self._running = contextlib.ExitStack()
        self._program: Program | None = None
        self._changing = threading.Lock()
        folder.mkdir()
        self._clock.write_text("+0")

    def start(self, *, log: str = "") -> None:
        """Start it and wait until it is ready, again and again as systemd or Kubernetes does. Raises DidNotStart.

        ``log`` is "dead" or "hung" for a log that cannot be written; see serve.py.
        """
        with self._changing:
            for left in reversed(range(_STARTS)):
                serving = responder_serve(self._settings | {"FAULTS_LOG": log}, self._folder, program=[str(_PROGRAM)])
                try:
                    self._program = self._running.enter_context(serving)
                except DidNotStart:
                    self._timeline.note(f"{self.name} did not start")
                    if not left:
                        raise
                    time.sleep(_BETWEEN)
                else:
                    break
        self._timeline.note(f"{self.name} is ready")

    def workers(self) -> list[int]:
        """The processes that its first one has forked."""
        pid = self._program.process.pid if self._program else 0
        with contextlib.suppress(OSError):
            return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return []

    def processes(self) -> list[int]:
        """All its processes."""
        return [self._program.process.pid, *self.workers()] if self._program else []

    def set_clock(self, ahead: int) -> None:
        """Let its wall clock be so many seconds ahead of the machine's."""
        self._clock.write_text(f"{ahead:+}")
        self.clock_moved = True

    def kill(self) -> None:
        """SIGKILL all of it at once."""
        with self._changing:
            if self._program is not None:
                self._program.kill()
        self._timeline.note(f"SIGKILL {self.name}")

    def kill_worker(self, number: int) -> None:
        """SIGKILL one of its workers."""
        workers = self.workers()
        if workers:
            self.kill_process(workers[number % len(workers)])

    def kill_process(self, pid: int) -> None:
        """SIGKILL one of its workers, unless it is gone already."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        self._timeline.note(f"SIGKILL worker {pid} of {self.name}")

    def pause(self) -> None:
        """Stop all its processes (SIGSTOP)."""
        if self._program is not None:
            _signal(-self._program.process.pid, signal.SIGSTOP)
        self._timeline.note(f"SIGSTOP {self.name}")

    def pause_at_next_message(self, seconds: float) -> int:
        """Let one worker stop itself before its next request, within ``seconds``. Returns its id, 0 if none sent."""
        wish, until = self._folder / "pause", time.monotonic() + seconds
        wish.touch()
        while wish.exists() and time.monotonic() < until:
            time.sleep(0.02)
        wish.unlink(missing_ok=True)
        for taken in self._folder.glob("paused-*"):
            taken.unlink()
            pid = int(taken.name.removeprefix("paused-"))
            self._timeline.note(f"SIGSTOP worker {pid} of {self.name}")
            return pid
        return 0

    def go_on(self, pid: int = 0) -> None:
        """Let a paused worker, or all paused processes, run again (SIGCONT)."""
        if self._program is not None:
            _signal(pid or -self._program.process.pid, signal.SIGCONT)
        self._timeline.note(f"SIGCONT {self.name}")

    def close(self) -> None:
        """End it as an operator would."""
        self._running.close()


def _signal(pid: int, number: signal.Signals) -> None:
    """Signal a process, or a group of processes by its negative id, unless it is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
