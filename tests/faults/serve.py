"""``responder serve`` whose wall clock can be moved while it runs: the file FAULTS_CLOCK says by how many seconds.

The program reads the wall clock in one place, ``bootstrap.SystemClock``, and nowhere else (ruff forbids it). So that
place is what is replaced here. Debian's libfaketime was tried first: it cannot leave the monotonic clock alone without
breaking ``time.sleep`` of Python 3.11, and a monotonic clock that jumps does not exist.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

from responder import bootstrap
from responder.cli import main

_MOVED = Path(os.environ["FAULTS_CLOCK"])


class MovedClock(bootstrap.SystemClock):
    """The machine's clocks, the wall clock so many seconds ahead."""

    def now(self) -> datetime:
        """UTC."""
        return super().now() + timedelta(seconds=int(_MOVED.read_text() or "0"))


if __name__ == "__main__":
    vars(bootstrap)["SystemClock"] = MovedClock
    main()
