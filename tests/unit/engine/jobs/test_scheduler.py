"""Timers: each job runs once per interval, in any process."""

from __future__ import annotations

from datetime import timedelta

from responder.engine.jobs.scheduler import SETTLE_SECONDS, Job, ScheduledJob
from responder.store.database import Database
from tests.conftest import HandClock


def two_timers(database: Database, clock: HandClock) -> tuple[list[str], ScheduledJob, ScheduledJob]:
    """Two processes with the same job, a turn a minute. They have just started, and let all else come first."""
    done: list[str] = []
    jobs = (
        Job(name="sweep", every=timedelta(minutes=1), run=lambda: done.append("first")),
        Job(name="sweep", every=timedelta(minutes=1), run=lambda: done.append("second")),
    )
    first, second = (ScheduledJob(job, database, clock) for job in jobs)
    assert [each.step() for each in (first, second)] == [SETTLE_SECONDS] * 2
    assert done == []
    return done, first, second


def test_of_two_processes_one_takes_the_turn(database: Database, clock: HandClock) -> None:
    """Two replicas do scheduled work once, not twice."""
    done, first, second = two_timers(database, clock)
    first.step()
    second.step()
    assert done == ["first"]


def test_when_one_process_is_gone_the_other_takes_the_next_turn(database: Database, clock: HandClock) -> None:
    """A replica that dies takes no scheduled work with it."""
    done, first, second = two_timers(database, clock)
    first.step()
    clock.move(60)
    second.step()
    assert done == ["first", "second"]


def test_a_clock_that_jumped_back_does_not_stop_the_timers(database: Database, clock: HandClock) -> None:
    """After a correction of the clock by an hour, scheduled work goes on at once and not in an hour."""
    done, first, _second = two_timers(database, clock)
    clock.move(3600)
    first.step()
    clock.move(-3600)
    first.step()
    assert done == ["first", "first"]


def test_a_process_that_read_its_clock_before_the_other_does_not_take_its_turn(
    database: Database, clock: HandClock
) -> None:
    """One reads its clock and waits for the database, while the other takes the turn: it is done once."""
    done, first, second = two_timers(database, clock)
    clock.move(1.5)
    first.step()
    clock.move(-1.5)
    second.step()
    assert done == ["first"]
