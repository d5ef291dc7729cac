"""Clocks that are put back, on PostgreSQL."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from responder.engine.workers.clock_skew import LOOK_SECONDS, SOON, ClockSkewWatcher
from responder.store.database import Database
from responder.store.schema.tables import messages
from tests.conftest import HandClock
from tests.unit.engine.workers.test_clock_skew import *  # noqa: F403 - the same tests; only the database is another
from tests.unit.engine.workers.test_clock_skew import HOUR, due_in, write

pytestmark = pytest.mark.real


def test_setting_the_clock_right_waits_for_nobody(
    database: Database, clock: HandClock, watch: ClockSkewWatcher
) -> None:
    """The repair after a clock jump and the senders never wait for each other: no page is late."""
    write(database, clock, due_in=8)
    write(database, clock, due_in=8, channel="slack")
    clock.put_back(HOUR)
    with database.transaction() as sending:
        sending.execute(select(messages.c.id).where(messages.c.channel == "slack").with_for_update())
        assert watch.step() == SOON
        assert due_in(database, clock, "pagerduty") == 0
        assert due_in(database, clock, "slack") > HOUR
    assert watch.step() == LOOK_SECONDS
    assert due_in(database, clock, "slack") == 0
