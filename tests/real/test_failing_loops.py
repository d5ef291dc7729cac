"""`responder serve` whose engine loops fail again and again."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from responder.standins.stage import Stage
from tests.faults.strikes import _BREAK_SQLITE
from tests.real.conftest import example, until
from tests.real.test_files import readiness

pytestmark = pytest.mark.real


def test_loops_that_fail_again_and_again_are_paged_and_unready(stage: Stage) -> None:
    """If the database refuses every change of a message, on-call is paged past it, and webhooks are still accepted."""
    with stage.serve() as program:
        with contextlib.closing(sqlite3.connect(stage.database)) as connection:
            connection.execute(*_BREAK_SQLITE)
        assert stage.post(example("service-down")).status == 202
        until(lambda: stage.pagerduty.events, 40)
        [event] = stage.pagerduty.events
        assert event.dedup_key.startswith("responder-loops/")
        assert event.body["payload"]["severity"] == "critical"
        assert "sender" in str(event.body)
        until(lambda: readiness(stage)[1].startswith("engine loops fail repeatedly: sender"))
        until(lambda: stage.post(example("connection-pool")).status == 202)
        with contextlib.closing(sqlite3.connect(stage.database)) as connection:
            connection.execute("DROP TRIGGER fault")
        until(lambda: len(stage.pagerduty.events) >= 3, 60)
        assert program.running
