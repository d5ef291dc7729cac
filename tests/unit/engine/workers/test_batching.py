"""A steady stream of work is done in batches; a single item is done at once."""

from __future__ import annotations

from responder.engine.workers.loop import LULL, PAUSE, SUDDEN, BatchedStep
from tests.conftest import HandClock


def pauses(clock: HandClock, steps: int, apart: float, rest: float = 0.5) -> list[float]:
    """The pauses that so many steps take which follow each other after ``apart`` seconds."""
    found: list[float] = []
    gathering = BatchedStep(lambda: rest, clock, found.append)
    for _ in range(steps):
        gathering.step()
        clock.move(apart)
    return found


def test_a_single_alert_waits_for_nobody(clock: HandClock) -> None:
    """A single item now and then, or a handful at once, is decided on arrival."""
    assert pauses(clock, 100, 2 * LULL) == []
    assert pauses(clock, SUDDEN, LULL / 10) == []


def test_in_a_storm_alerts_gather(clock: HandClock) -> None:
    """While they keep coming there is a pause after each step, and none any more after a lull."""
    assert pauses(clock, SUDDEN + 10, LULL / 10) == [PAUSE] * 10


def test_a_backlog_is_worked_on_without_pauses(clock: HandClock) -> None:
    """If more items are already waiting, the loop does not pause."""
    assert pauses(clock, 100, 0.0, rest=0.0) == []
