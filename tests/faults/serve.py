"""``responder serve`` whose wall clock can be moved while it runs: the file FAULTS_CLOCK says by how many seconds.

The program reads the wall clock in one place, ``bootstrap.SystemClock``, and nowhere else (ruff forbids it). So that
place is what is replaced here. Debian's libfaketime was tried first: it cannot leave the monotonic clock alone without
breaking ``time.sleep`` of Python 3.11, and a monotonic clock that jumps does not exist.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from datetime import datetime, timedelta
from pathlib import Path

from responder import bootstrap
from responder.cli import main
from responder.engine.workers.delivery import DeliveryWorker

#: Set to "dead" or "hung" for a log that cannot be written: a pipe without a reader, or one that is never read.
_LOG = os.environ.get("FAULTS_LOG", "")
_MOVED = Path(os.environ["FAULTS_CLOCK"])


class MovedClock(bootstrap.SystemClock):
    """The machine's clocks, the wall clock so many seconds ahead."""

    def now(self) -> datetime:
        """UTC. A sender that reads it before its request stops its process if the file ``pause`` asks for it."""
        if sys._getframe(1).f_code is DeliveryWorker._send.__code__:
            _pause_if_asked()
        return super().now() + timedelta(seconds=int(_MOVED.read_text() or "0"))


def _pause_if_asked() -> None:
    """Renaming the file chooses one process of the replica, and says which."""
    with contextlib.suppress(FileNotFoundError):
        (_MOVED.parent / "pause").rename(_MOVED.parent / f"paused-{os.getpid()}")
        os.kill(os.getpid(), signal.SIGSTOP)


def lose_the_log() -> None:
    """Make standard error a pipe that raises at each write, or that blocks once it is full."""
    reading, writing = os.pipe()
    if _LOG == "dead":
        os.close(reading)
    else:
        os.set_blocking(writing, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writing, b" " * 4096)
        os.set_blocking(writing, True)
        os.set_inheritable(reading, True)
    os.dup2(writing, 2)


if __name__ == "__main__":
    if _LOG:
        lose_the_log()
    vars(bootstrap)["SystemClock"] = MovedClock
    main()
