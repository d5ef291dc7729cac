"""The external switch is pinged only while responder can page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from responder.engine.jobs.outbound_heartbeat import HealthFacts, OutboundHeartbeat, doubts
from responder.model.clock import Deadline
from responder.model.heartbeat import HeartbeatState
from responder.model.message import Request, Response
from responder.model.rule import ExpectedHeartbeat
from responder.model.secret import Secret
from responder.outgoing import UnreachableError
from responder.store.database import Database
from responder.store.outbox import outbox
from responder.store.outbox.backlog import Backlog
from responder.store.outbox.outbox import ChannelState
from tests.conftest import Counted, HandClock
from tests.support.builders import NOW, a_rule
from tests.unit.engine.test_pipeline import a_desk

MINUTE = timedelta(minutes=1)
WELL = HealthFacts(
    oldest_notification=NOW - MINUTE,
    backlogs={"slack": Backlog(waiting=3, urgent=NOW - MINUTE), "gone": Backlog(waiting=1, urgent=NOW - 9 * MINUTE)},
    states_by_channel={"pagerduty": ChannelState(failed_at=100.0, accepted_at=101.0)},
    heartbeat_states={"prod": HeartbeatState(cluster="prod", seen_at=NOW - 5 * MINUTE, since=NOW, watched_at=NOW)},
    expected=(ExpectedHeartbeat(cluster="prod", max_gap=600.0, rule=a_rule()),),
    channels=("pagerduty", "slack"),
)
NEVER = HeartbeatState(cluster="prod", seen_at=None, since=NOW, watched_at=NOW)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ()),
        ({"oldest_notification": NOW - 3 * MINUTE}, ("notifications are waiting for triage",)),
        ({"backlogs": {"slack": Backlog(waiting=1, urgent=NOW - 3 * MINUTE)}}, ("messages to slack are overdue",)),
        (
            {"states_by_channel": {"pagerduty": ChannelState(failed_at=102.0, accepted_at=101.0)}},
            ("pagerduty did not accept the last message",),
        ),
        ({"heartbeat_states": {"prod": NEVER}}, ("no Watchdog from prod",)),
        ({"heartbeat_states": {}}, ("no Watchdog from prod",)),
        ({"heartbeat_states": {"prod": replace(NEVER, seen_at=NOW - 11 * MINUTE)}}, ("no Watchdog from prod",)),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, dict) else "",
)
def test_each_reason_withholds_the_ping(changes: dict[str, object], expected: tuple[str, ...]) -> None:
    """Every condition that prevents paging withholds the outbound heartbeat."""
    assert doubts(replace(WELL, **changes), NOW) == expected  # type: ignore[arg-type]


class Wire:
    """Remembers whom it was sent to."""

    def __init__(self, answer: Callable[[], Response]) -> None:
        self.asked: list[str] = []
        self._answer = answer

    def send(self, request: Request, _deadline: Deadline, _cap: int = 0) -> Response:
        """The answer of the other side."""
        self.asked.append(request.url)
        return self._answer()


def pinged(database: Database, clock: HandClock, *, alive: bool = True, status: int = 200) -> list[str]:
    """Run once; the requested URLs."""
    wire = Wire(lambda: Response(status, b"OK"))
    urls = {"url": Secret("https://ping/up"), "fail_url": Secret("https://ping/fail")}
    line = OutboundHeartbeat(database, a_desk, wire, clock, **urls, alive=lambda: alive)  # type: ignore[arg-type]
    line.run()
    return wire.asked


def test_it_is_pinged_while_all_is_well(database: Database, clock: HandClock, counted: Counted) -> None:
    """A service that could page says so, and the moment is a metric."""
    assert pinged(database, clock) == ["https://ping/up"]
    assert counted('responder_outbound_heartbeats_total{result="accepted"}') == 1
    assert counted("responder_outbound_heartbeat_last_success_timestamp_seconds") == NOW.timestamp()


def test_a_thread_that_has_ended_withholds_it(database: Database, clock: HandClock, counted: Counted) -> None:
    """The fail URL is called if there is one."""
    assert pinged(database, clock, alive=False) == ["https://ping/fail"]
    assert counted('responder_outbound_heartbeats_total{result="withheld"}') == 1


def test_a_refused_ping_is_no_success(database: Database, clock: HandClock, counted: Counted) -> None:
    """A wrong address shows in the metrics."""
    assert pinged(database, clock, status=404) == ["https://ping/up"]
    assert counted('responder_outbound_heartbeats_total{result="failed"}') == 1
    assert counted("responder_outbound_heartbeat_last_success_timestamp_seconds") is None


def test_a_channel_that_refused_its_last_message_withholds_it(database: Database, clock: HandClock) -> None:
    """The newest attempt of any replica counts: they share it through the database."""
    outbox.prepare_states(database, ["slack"])
    with database.transaction() as connection:
        outbox.record_attempts(connection, "slack", clock.now(), accepted=False, failed=True)
    assert pinged(database, clock) == ["https://ping/fail"]
    clock.move(1.0)
    with database.transaction() as connection:
        outbox.record_attempts(connection, "slack", clock.now(), accepted=True, failed=False)
    assert pinged(database, clock) == ["https://ping/up"]


def test_the_address_is_never_logged(database: Database, clock: HandClock) -> None:
    """The heartbeat URL is never shown, since its holder could silence the switch."""

    def fail() -> Response:
        raise UnreachableError("cannot reach https://ping/s3cret")

    line = OutboundHeartbeat(
        database,
        a_desk,
        Wire(fail),  # type: ignore[arg-type]
        clock,
        url=Secret("https://ping/s3cret"),
        fail_url=Secret(""),
        alive=lambda: True,
    )
    with capture_logs() as log:
        line.run()
    assert [line["event"] for line in log] == ["outbound_heartbeat.refused"]
    assert "s3cret" not in repr(log)
