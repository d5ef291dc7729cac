"""The clock: putting it back makes no page late."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from responder.engine.workers.clock_skew import LOOK_SECONDS, SOON, ClockSkewWatcher
from responder.engine.workers.delivery import CLAIM, LEASE
from responder.notify.delivery.route import pagers
from responder.store.database import Database
from responder.store.outbox import outbox
from responder.store.schema.tables import messages
from tests.conftest import HandClock
from tests.support.builders import a_draft

HOUR = 3600.0


@pytest.fixture(name="watch")
def a_watch(database: Database, clock: HandClock) -> ClockSkewWatcher:
    """A clock watch that has run once."""
    watch = ClockSkewWatcher(database, clock, lambda: pagers({}))
    assert watch.step() == LOOK_SECONDS
    return watch


def write(database: Database, clock: HandClock, due_in: float, channel: str = "pagerduty") -> None:
    """Put a page into the outbox."""
    message = a_draft(channel=channel, due_at=clock.now() + timedelta(seconds=due_in))
    with database.transaction() as connection:
        outbox.write(connection, [message], clock.now())


def due_in(database: Database, clock: HandClock, channel: str = "pagerduty") -> float:
    """Seconds until the page is due."""
    due = select(messages.c.due_at).where(messages.c.channel == channel)
    with database.read() as connection:
        return float(connection.execute(due).scalar_one()) - clock.now().timestamp()


def test_a_page_leaves_at_once_when_the_clock_is_put_back(
    database: Database, clock: HandClock, watch: ClockSkewWatcher
) -> None:
    """A page due in 8 seconds does not wait for an hour because the clock was corrected by an hour."""
    write(database, clock, due_in=8)
    clock.move(1)
    watch.step()
    assert due_in(database, clock) == 7
    clock.put_back(HOUR)
    watch.step()
    assert due_in(database, clock) == 0


class InterruptedClock(HandClock):
    """A clock whose process is paused for ``pause`` seconds after each reading of the wall clock."""

    pause = 0.0

    def now(self) -> datetime:
        """The time before the pause."""
        found = super().now()
        self.move(self.pause)
        return found


def test_a_process_that_was_paused_takes_no_pause_for_a_step_back(database: Database, clock: HandClock) -> None:
    """A page waits for its findings although the process was stopped between two readings of its clocks."""
    paused = InterruptedClock(clock.now())
    watch = ClockSkewWatcher(database, paused, lambda: pagers({}))
    watch.step()
    write(database, clock, due_in=60)
    paused.pause = 5.0
    watch.step()
    assert due_in(database, clock) == 60


class PausedInTheMiddle(HandClock):
    """A clock whose process is paused for ``pause`` seconds after the second reading of the wall clock."""

    pause = 5.0
    readings = 0

    def now(self) -> datetime:
        """The time before the pause."""
        found = super().now()
        self.readings += 1
        if self.readings == 2:
            self.move(self.pause)
        return found


def test_a_page_of_another_replica_is_not_from_the_future(database: Database, clock: HandClock) -> None:
    """A process that is paused while it starts does not send, without findings, what another wrote in the meantime."""
    paused = PausedInTheMiddle(clock.now())
    clock.move(paused.pause)
    write(database, clock, due_in=60)
    watch = ClockSkewWatcher(database, paused, lambda: pagers({}))
    assert [watch.step(), watch.step()] == [SOON, LOOK_SECONDS]
    assert due_in(database, clock) == 60


def test_what_was_being_written_when_the_clock_was_put_back_is_set_right_too(
    database: Database, clock: HandClock, watch: ClockSkewWatcher
) -> None:
    """A page whose time was measured before the jump, and that is committed after it, is not an hour late."""
    before = HandClock(clock.now())
    clock.put_back(HOUR)
    watch.step()
    write(database, before, due_in=8)
    assert due_in(database, clock) > HOUR
    clock.move(LOOK_SECONDS)
    watch.step()
    assert due_in(database, clock) == 0


def test_a_page_that_is_written_after_the_jump_waits_for_its_findings(
    database: Database, clock: HandClock, watch: ClockSkewWatcher
) -> None:
    """The clock is right again: what is timed by it keeps its time."""
    clock.put_back(HOUR)
    watch.step()
    write(database, clock, due_in=8)
    clock.move(LOOK_SECONDS)
    watch.step()
    assert due_in(database, clock) == pytest.approx(8 - LOOK_SECONDS)


def test_the_wait_after_a_failure_ends_too(database: Database, clock: HandClock, watch: ClockSkewWatcher) -> None:
    """A page that PagerDuty refused for the moment is tried again, and not an hour later."""
    write(database, clock, due_in=0)
    with database.transaction() as connection:
        connection.execute(update(messages).values(due_at=clock.now().timestamp() + 30))
    clock.put_back(HOUR)
    watch.step()
    assert due_in(database, clock) == 0


def test_a_dead_workers_claim_ends_in_time(database: Database, clock: HandClock, watch: ClockSkewWatcher) -> None:
    """A message that a killed worker had claimed is free after seconds, a page after one, whatever its clock said."""
    write(database, clock, due_in=0)
    write(database, clock, due_in=0, channel="slack")
    with database.transaction() as connection:
        connection.execute(update(messages).values(claimed_until=(clock.now() + CLAIM).timestamp()))
    clock.put_back(HOUR)
    watch.step()
    with database.read() as connection:
        claimed = dict(connection.execute(select(messages.c.channel, messages.c.claimed_until)).all())
    assert claimed == {
        "pagerduty": (clock.now() + LEASE).timestamp(),
        "slack": (clock.now() + CLAIM).timestamp(),
    }


@pytest.mark.parametrize("seconds", [5.0, 300.0, HOUR])
def test_a_jump_while_nobody_ran_is_noticed_at_the_start(database: Database, clock: HandClock, seconds: float) -> None:
    """A process that starts after the clock was put back finds the pages of the one before it, and sends them."""
    write(database, clock, due_in=8)
    clock.put_back(seconds)
    ClockSkewWatcher(database, clock, lambda: pagers({})).step()
    assert due_in(database, clock) == 0


def test_a_start_leaves_honest_waits_alone(database: Database, clock: HandClock) -> None:
    """A page that waits for its findings still does when another worker starts."""
    write(database, clock, due_in=8)
    ClockSkewWatcher(database, clock, lambda: pagers({})).step()
    assert due_in(database, clock) == 8


def test_small_corrections_and_jumps_ahead_change_nothing(
    database: Database, clock: HandClock, watch: ClockSkewWatcher
) -> None:
    """NTP moves the clock by milliseconds all day."""
    write(database, clock, due_in=8)
    clock.put_back(1)
    watch.step()
    assert due_in(database, clock) == 9
    clock.put_back(-HOUR)
    watch.step()
    assert due_in(database, clock) == 9 - HOUR


def paused(database: Database, clock: HandClock) -> outbox.ChannelState:
    """Slack requests a pause of a second, as for its rate limit."""
    outbox.prepare_states(database, ["slack"])
    with database.transaction() as connection:
        outbox.record_failing(connection, "slack", clock.now())
        outbox.pause_channel(connection, "slack", clock.now().timestamp() + 1.0, 0.0)
        return outbox.state_of(connection, "slack")


def test_a_vendors_pause_of_a_second_does_not_become_an_hour(
    database: Database, clock: HandClock, watch: ClockSkewWatcher
) -> None:
    """A short pause of a channel ends soon after the clock was corrected."""
    paused(database, clock)
    clock.put_back(HOUR)
    watch.step()
    with database.read() as connection:
        standing = outbox.state_of(connection, "slack")
    assert (standing.paused_until, standing.failing_since) == (0.0, clock.now().timestamp())


def test_a_pause_from_before_the_start_that_no_vendor_asked_for_ends(database: Database, clock: HandClock) -> None:
    """A process that starts after the clock was corrected does not inherit the pause."""
    paused(database, clock)
    clock.put_back(HOUR / 2)
    ClockSkewWatcher(database, clock, lambda: pagers({})).step()
    with database.read() as connection:
        assert outbox.state_of(connection, "slack").paused_until == 0.0


def test_a_pause_that_a_vendor_asked_for_goes_on(database: Database, clock: HandClock) -> None:
    """A restart keeps the pause that Slack requested."""
    before = paused(database, clock)
    ClockSkewWatcher(database, clock, lambda: pagers({})).step()
    with database.read() as connection:
        assert outbox.state_of(connection, "slack") == before
