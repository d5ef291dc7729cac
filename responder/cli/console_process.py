"""The console that ``serve`` starts: a process of its own, started again after a pause when it ends."""

import os
import subprocess
import sys
from collections.abc import Mapping

import structlog

from responder.model.clock import Clock

_log = structlog.get_logger()
#: Seconds before the console is started again: at first, and at most; each failure doubles them.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
#: Seconds of running after which the next pause is the first one again.
STABLE_SECONDS = 60.0


class ConsoleProcess:
    """Starts ``responder console`` and restarts it. It ends by itself when this process does, however that ends."""

    def __init__(self, clock: Clock, environment: Mapping[str, str]) -> None:
        self._clock = clock
        self._environment = dict(environment)
        self._running: subprocess.Popen[bytes] | None = None
        self._due = self._began = float("-inf")
        self._pause = FIRST_PAUSE

    def tend(self) -> None:
        """Start it if it does not run and its pause is over. Never waits; gunicorn's master calls it each second."""
        now = self._clock.monotonic()
        if self._running is not None and self._running.poll() is not None:
            self._running = None
            if now - self._began > STABLE_SECONDS:
                self._pause = FIRST_PAUSE
            self._due, self._pause = now + self._pause, min(2 * self._pause, LONGEST_PAUSE)
            _log.error("console.ended", reason=f"the console ended; it is started again in {self._due - now:g} s")
        if self._running is None and now >= self._due:
            self._began = now
            try:
                self._running = subprocess.Popen(  # noqa: S603 - this Python, and fixed arguments
                    [sys.executable, "-P", "-m", "responder", "console", "--parent", str(os.getpid())],
                    stdin=subprocess.DEVNULL,
                    env=self._environment,
                )
            except OSError as error:
                self._due, self._pause = now + self._pause, min(2 * self._pause, LONGEST_PAUSE)
                _log.error("console.not_started", reason=f"the console could not be started: {error}")

    def stop(self) -> None:
        """Ask it to stop; it ends within its own time."""
        if self._running is not None and self._running.poll() is None:
            self._running.terminate()
