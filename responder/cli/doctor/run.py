"""Parallel run of the checks, each in a daemon thread that is abandoned at the deadline."""

import queue
import threading
from collections.abc import Mapping

from responder.cli.doctor.context import Check, DoctorContext
from responder.model.check import Result, bad

#: Seconds after the deadline in which a check can still report its timeout.
_GRACE = 0.5


def run(checks: Mapping[str, Check], context: DoctorContext) -> tuple[Result, ...]:
    """Run the checks and return their results, in order. A check that exceeds the deadline is bad."""
    done: queue.SimpleQueue[tuple[str, tuple[Result, ...]]] = queue.SimpleQueue()

    def work(name: str, check: Check) -> None:
        done.put((name, check(context)))

    for name, check in checks.items():
        threading.Thread(target=work, args=(name, check), name=f"doctor-{name}", daemon=True).start()
    found: dict[str, tuple[Result, ...]] = {}
    while len(found) < len(checks):
        try:
            name, results = done.get(timeout=max(0.001, context.deadline.left(context.clock.monotonic()) + _GRACE))
        except queue.Empty:
            break
        found[name] = results
    return tuple(result for name in checks for result in (found[name] if name in found else (_late(name),)))


def _late(name: str) -> Result:
    return bad(name, "timed out", "check the network, or raise --timeout")
