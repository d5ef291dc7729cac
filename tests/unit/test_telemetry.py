"""A log that cannot be written costs log lines only."""

from __future__ import annotations

import contextlib
import io
import os
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
