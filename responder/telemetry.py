"""Logs as events with fields: readable lines on a terminal, one JSON object a line in a pipe."""

import atexit
import logging
import os
import queue
import sys
import threading
from collections.abc import Iterable, Mapping, MutableMapping
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

    ``for_good`` makes each logger keep this, which is faster, and then it cannot be changed any more. It also makes
    events of what libraries log.
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
    if for_good:
        logging.raiseExceptions = False
        logging.basicConfig(handlers=[_ToEvents()], level=logging.WARNING, force=True)
        logging.captureWarnings(capture=True)
    return stream


def _scrubber(hidden: list[str]) -> Any:
    """Clean and mask every value, since foreign text may stand anywhere. Renderers escape the line breaks of values.

    They do not escape those of a traceback: its lines are indented, so that none looks like an event.
    """

    def scrubbed(value: Any) -> Any:
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, Mapping):
            return {scrubbed(key): scrubbed(each) for key, each in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [scrubbed(each) for each in value]
        text = clean(value if isinstance(value, str) else repr(value))
        for secret in hidden:
            text = text.replace(secret, "***")
        return text

    def scrub(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        found = {key: scrubbed(value) for key, value in event.items()}
        if "exception" in found:
            found["exception"] = str(found["exception"]).replace("\n", "\n    ")
        return found

    return scrub


class _ToEvents(logging.Handler):
    """Makes events of what libraries write to the loggers of the standard library."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record as ``library.logged``."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):  # a library's arguments do not fit its text
            message = str(record.msg)
        log = structlog.get_logger()
        log.log(record.levelno, "library.logged", logger=record.name, reason=message.strip(), exc_info=record.exc_info)
