"""All checks at once, each in a thread that may be left behind at the deadline."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping

from responder.cli.doctor.patient import Check, DoctorContext
from responder.model.check import Result, bad

_GRACE = 0.5
"""Seconds after the deadline: a check that keeps it still has to say so."""


def run(checks: Mapping[str, Check], patient: DoctorContext) -> tuple[Result, ...]:
    """What the checks say, in their order. One that does not end in time is bad by its name."""
    done: queue.SimpleQueue[tuple[str, tuple[Result, ...]]] = queue.SimpleQueue()

    def work(name: str, check: Check) -> None:
        done.put((name, check(patient)))

    for name, check in checks.items():
        threading.Thread(target=work, args=(name, check), name=f"doctor-{name}", daemon=True).start()
    found: dict[str, tuple[Result, ...]] = {}
    while len(found) < len(checks):
        try:
            name, results = done.get(timeout=max(0.001, patient.deadline.left(patient.clock.monotonic()) + _GRACE))
        except queue.Empty:
            break
        found[name] = results
    return tuple(result for name in checks for result in (found[name] if name in found else (_late(name),)))


def _late(name: str) -> Result:
    return bad(name, "no answer in time", "see what it waits for, or give it more --timeout")
