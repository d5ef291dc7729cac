"""Logs as events with fields: readable lines on a terminal, one JSON object a line in a pipe."""

from __future__ import annotations

import atexit
import os
import queue
import sys
import threading
from collections.abc import Iterable, MutableMapping
from typing import Any, TextIO

import structlog

from responder.model.secret import Secret
from responder.model.text import clean

#: Log lines that may wait for a slow log. Those beyond it are dropped and counted.
MOST_LINES = 10_000
#: Seconds that the end of the process waits for lines that are not written yet.
FLUSH_SECONDS = 1.0


class LogStream:
    """A text stream that neither raises nor waits: a thread writes to ``target``, so a dead log costs log lines only.

    A closed terminal, a pipe that is not read and a full disk make ``write`` of a plain stream raise or hang. While
    ``MOST_LINES`` lines wait, further ones are dropped; the next line that can be written says how many.
    """

    def __init__(self, target: TextIO) -> None:
        self._target = target
        self._guard = threading.Lock()
        self._writing = False
        self._begin()

    def write(self, text: str) -> int:
        """Take a line. Returns its length, written or not."""
        with self._guard:
            if self._process != os.getpid():  # threads do not survive a fork
                self._begin()
            if not self._writing:
                self._writing = True
                threading.Thread(target=self._write, name="log", daemon=True).start()
        try:
            self._lines.put_nowait(text)
        except queue.Full:
            self._dropped += 1
        return len(text)

    def flush(self) -> None:
        """Return at once: the thread flushes."""

    def drain(self, seconds: float = FLUSH_SECONDS) -> None:
        """Wait until all lines are written, for at most ``seconds``."""
        if self._process != os.getpid() or not self._writing:
            return
        with self._lines.all_tasks_done:
            self._lines.all_tasks_done.wait_for(lambda: not self._lines.unfinished_tasks, seconds)

    def _begin(self) -> None:
        self._process = os.getpid()
        self._lines: queue.Queue[str] = queue.Queue(MOST_LINES)
        self._dropped = 0
        self._writing = False

    def _write(self) -> None:
        while True:
            line = self._lines.get()
            dropped, self._dropped = self._dropped, 0
            try:
                if dropped:
                    self._target.write(f"{dropped} log lines were dropped: the log could not be written\n")
                self._target.write(line)
                self._target.flush()
            except (OSError, ValueError):  # ValueError: the stream is closed
                self._dropped += dropped + 1
            finally:
                self._lines.task_done()


def configure(log_format: str, secrets: Iterable[Secret] = (), *, for_good: bool = True) -> LogStream:
    """Send events to standard error. Returns the LogStream that takes them ``for_good``; a command writes them itself.

    ``secrets`` are replaced by their mask wherever they would appear.

    ``for_good`` makes each logger keep this, which is faster, and then it cannot be changed any more.
    """
    hidden = [secret.reveal() for secret in secrets]
    as_text = log_format == "text" or (log_format == "auto" and sys.stderr.isatty())
    stream = LogStream(sys.stderr)
    atexit.register(stream.drain)
    renderer = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if as_text else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _scrubber(hidden),
            renderer,
        ],
        logger_factory=structlog.WriteLoggerFactory(stream if for_good else sys.stderr),  # type: ignore[arg-type]
        cache_logger_on_first_use=for_good,
    )
    return stream


def _scrubber(hidden: list[str]) -> Any:
    def scrub(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        for key, value in event.items():
            if isinstance(value, str):
                text = clean(value)
                for secret in hidden:
                    text = text.replace(secret, "***")
                event[key] = text
        return event

    return scrub
