"""gunicorn's threaded worker, but for one thing: connections are shared out among the workers."""

from __future__ import annotations

from threading import Event
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

STEP = 0.00025
LONGEST = 0.002
"""Seconds; how much later a new connection may be answered where every worker has many."""


def patience(connections: int, workers: int) -> float:
    """Seconds for which one of ``workers`` that has so many open connections leaves the next one to the others."""
    return min(connections * STEP, LONGEST) if workers > 1 else 0.0


class BalancedThreadWorker(ThreadWorker):
    """Whoever has more connections lets the others go first.

    A new connection wakes all workers, and the first one takes it. In a burst that is always the one which runs
    already, so that one processor took all of Alertmanager's connections and the others none. They stay for as long as
    Alertmanager keeps them open.
    """

    def accept(self, listener: Any) -> None:
        """Take a new connection, if it is still there."""
        if wait := patience(self.nr_conns, self.cfg.workers):
            Event().wait(wait)
        super().accept(listener)
