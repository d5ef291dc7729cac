"""A log that cannot be written costs log lines only."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import time

from responder.telemetry import MOST_LINES, LogStream


class Broken(io.StringIO):
    """A stream whose writes fail, as those to a closed terminal or a full disk do."""

    failing = True

    def write(self, text: str) -> int:
        """Fail, until it is repaired."""
        if self.failing:
            raise OSError(28, "No space left on device")
        return super().write(text)


def test_a_log_that_fails_raises_nothing_and_says_later_what_it_lost() -> None:
    """A full log disk stops no engine thread; when there is room again the log says how many lines are missing."""
    target = Broken()
    stream = LogStream(target)
    for number in range(3):
        stream.write(f"{number}\n")
    stream.drain(5)
    target.failing = False
    stream.write("after\n")
    stream.drain(5)
    assert target.getvalue() == "3 log lines were dropped: the log could not be written\nafter\n"


def test_a_log_that_hangs_is_not_waited_for() -> None:
    """A pipe that is not read blocks its writer for ever; the program goes on, and its memory stays bounded."""
    reading, writing = os.pipe()
    target = os.fdopen(writing, "w")
    stream = LogStream(target)
    begun = time.monotonic()
    for _ in range(MOST_LINES + 100):
        stream.write("x" * 4096)
    stream.drain(0.1)
    assert time.monotonic() - begun < 5
    os.close(reading)
    stream.drain(5)
    with contextlib.suppress(BrokenPipeError):
        target.close()


def test_a_closed_stream_raises_nothing() -> None:
    """A terminal that is gone is no reason to die."""
    target = io.StringIO()
    target.close()
    stream = LogStream(target)
    stream.write("lost\n")
    stream.drain(5)


_PROGRAM = """
import logging, sys, warnings
from responder import telemetry
from responder.model.secret import Secret
stream = telemetry.configure(sys.argv[1], [Secret("hunter2")])
import structlog
log = structlog.get_logger()
log.error("a.path", path="/a\\n{forged}\\x1b[31m", several=["hunter2", {"key": "b\\x1b"}], error=ValueError("hunter2"))
try:
    raise ValueError("first\\n{forged} hunter2")
except ValueError:
    logging.getLogger("werkzeug").exception("on %s", "/c\\n{forged}")
logging.getLogger("gunicorn.error").error("%d", "no number")
warnings.warn("be warned", stacklevel=1)
stream.drain()
"""


def logged(log_format: str) -> str:
    """Output of a program that logs hostile text in every way."""
    command = [sys.executable, "-c", _PROGRAM, log_format]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stderr


def test_everything_that_is_logged_is_an_event() -> None:
    """Log records of libraries and warnings of Python are JSON events like all others, without secrets."""
    text = logged("json")
    found = [json.loads(line) for line in text.splitlines()]
    assert [each["event"] for each in found] == ["a.path", *["library.logged"] * 3]
    assert [each["logger"] for each in found[1:]] == ["werkzeug", "gunicorn.error", "py.warnings"]
    assert found[0]["several"] == ["***", {"key": "b"}]
    assert "hunter2" not in text


def test_foreign_text_begins_no_line_of_the_log() -> None:
    """A path or an error with a line break cannot forge an event, and no control character reaches the terminal."""
    text = logged("text")
    assert "\x1b" not in text
    assert "hunter2" not in text
    assert [line for line in text.splitlines() if line.startswith("{forged}")] == []
    assert text.count("{forged}") == 3
