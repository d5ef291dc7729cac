"""Socket Mode against the stand-in of Slack: connections, their ends, and what is acknowledged."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from responder.bootstrap import SystemClock
from responder.bootstrap.worker_lock import WorkerLock
from responder.converse.slack.api import SlackApi
from responder.converse.slack.entry import NOT_STORED, SlackEntry
from responder.converse.slack.payloads import BODY_BYTES, Button
from responder.converse.slack.socket_mode import SocketMode
from responder.engine.workers.loop import Loop
from responder.engine.workers.loop_failures import LoopFailures
from responder.model.secret import Secret
from responder.outgoing import Outgoing
from responder.outgoing.silences import Silences
from responder.standins import server
from responder.standins.slack import SlackStandIn
from responder.standins.slack_payloads import ANN
from responder.store.database import Database
from responder.store.incidents import actions, incidents
from responder.web.multiprocess import CounterFiles
from tests.support.builders import an_incident
from tests.unit.converse.conftest import refused

BUTTON = {"type": "button", "action_id": Button.ACKNOWLEDGE.value, "value": "INC-118"}


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"did not happen within {seconds:g} s"
        threading.Event().wait(0.01)


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    """A workspace."""
    with SlackStandIn() as found:
        yield found


class Bench:
    """A connected worker over a database with an open incident. ``died`` is set by an unexpected error."""

    def __init__(self, slack: SlackStandIn, database: Database, *, token: str = "", patience: float = 10.0) -> None:
        self.slack, self.database, self.died = slack, database, threading.Event()
        clock = SystemClock()
        outgoing = Outgoing(clock)
        api = SlackApi(outgoing, clock, Secret("xoxb-1"), slack.url)
        silences = Silences(outgoing, clock, {})
        entry = SlackEntry(database, api, clock, api.workspace, lambda: None, silences, lambda now: now)
        token = token or slack.app_token
        limits = {"open_seconds": patience, "ping_seconds": patience}
        self.mode = SocketMode(entry, api, outgoing, clock, Secret(token), lambda: self.held, **limits)
        self.held = True
        self.loop = Loop("slack", self.mode.step, self.died.set, LoopFailures(SystemClock()))
        with database.transaction() as connection:
            incidents.save(connection, [an_incident(id="INC-118", opened_at=datetime.now(UTC))], [])

    def stored(self) -> list[str]:
        """The kinds of the stored actions."""
        with self.database.read() as connection:
            return [each.action.kind.value for each in actions.of_incident(connection, "INC-118")]


@pytest.fixture
def bench(slack: SlackStandIn, database: Database) -> Iterator[Bench]:
    """A worker that becomes connected."""
    yield from running(Bench(slack, database))


def running(found: Bench) -> Iterator[Bench]:
    """Run the loop of a worker during a test; it must not die."""
    found.loop.start()
    yield found
    found.loop.stop(12)
    found.mode.close(5)
    assert not found.died.is_set()


def test_a_press_is_acknowledged_after_it_is_stored(bench: Bench) -> None:
    """The person sees no warning, and the action is in the database."""
    until(lambda: bench.slack.sockets.connections == 1)
    assert bench.slack.people.press(BUTTON).ok
    assert bench.stored() == ["acknowledge"]


def test_a_command_is_answered_within_the_acknowledgement(bench: Bench) -> None:
    """``/responder`` lists the open incidents to the person alone."""
    until(lambda: bench.slack.sockets.connections == 1)
    answer = bench.slack.people.command()
    assert answer.ok
    assert answer.body is not None
    assert answer.body["text"] == "1 open incident"


def test_a_dialog_is_opened_and_its_problems_are_shown(bench: Bench) -> None:
    """A dialog takes the same way as over HTTP, with its answer in the acknowledgement."""
    until(lambda: bench.slack.sockets.connections == 1)
    assert bench.slack.people.press(BUTTON | {"action_id": Button.NOTE.value}).ok
    [view] = bench.slack.people.views
    words = {"text": {"text": {"type": "plain_text_input", "value": "disk replaced"}}}
    assert bench.slack.people.submit(view, words).body is None
    assert bench.stored() == ["note"]


def test_a_press_that_is_not_stored_is_answered_to_the_person(bench: Bench) -> None:
    """Nobody believes that an incident is acknowledged when it is not."""
    until(lambda: bench.slack.sockets.connections == 1)
    bench.database.refuse("the disk is full")
    assert bench.slack.people.press(BUTTON).ok
    assert [each["text"] for each in bench.slack.people.answers] == [NOT_STORED]


def test_a_press_that_can_be_neither_stored_nor_answered_is_not_acknowledged(bench: Bench) -> None:
    """Slack shows its own warning then."""
    until(lambda: bench.slack.sockets.connections == 1)
    bench.database.refuse("the disk is full")
    bench.slack.faults.append(server.reset())
    assert not bench.slack.people.press(BUTTON).ok


@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
def test_an_announced_end_leaves_no_gap(bench: Bench, reason: str) -> None:
    """The next connection is open before the old one ends, and both deliver."""
    sockets = bench.slack.sockets
    until(lambda: sockets.connections == 1)
    sockets.announce(reason)
    until(lambda: sockets.connections == 2)
    assert bench.slack.people.press(BUTTON).ok
    sockets.close_oldest()
    until(lambda: sockets.connections == 1)
    assert bench.slack.people.press(BUTTON).ok


@pytest.mark.parametrize("end", ["close", "drop"])
def test_a_lost_connection_is_replaced(bench: Bench, end: str) -> None:
    """With or without a closing handshake, presses arrive again after a moment."""
    sockets = bench.slack.sockets
    until(lambda: sockets.connections == 1)
    getattr(sockets, end)()
    until(lambda: sockets.opened == 2 and sockets.connections == 1)
    assert bench.slack.people.press(BUTTON).ok


def test_a_silent_connection_is_replaced(slack: SlackStandIn, database: Database) -> None:
    """Pings that nobody answers end a connection that would never say that it is dead."""
    for bench in running(Bench(slack, database, patience=0.5)):
        until(lambda: slack.sockets.connections == 1)
        slack.sockets.mute()
        until(lambda: slack.sockets.opened == 2 and slack.sockets.connections >= 1)
        assert bench.slack.people.press(BUTTON).ok


def test_a_connection_without_hello_is_replaced(slack: SlackStandIn, database: Database) -> None:
    """Slack delivers nothing to such a connection."""
    slack.sockets.hello = False
    for _ in running(Bench(slack, database, patience=0.5)):
        until(lambda: slack.sockets.opened == 1)
        slack.sockets.hello = True
        until(lambda: slack.sockets.connections == 1)


def _attempts(slack: SlackStandIn) -> int:
    return len([each for each in slack.calls if each.path.endswith("apps.connections.open")])


def test_a_rate_limit_is_waited_for(slack: SlackStandIn, database: Database) -> None:
    """Slack says how long to wait."""
    slack.limits["apps.connections.open"] = 0
    for bench in running(Bench(slack, database)):
        until(lambda: _attempts(slack))
        threading.Event().wait(1.5)
        assert _attempts(slack) == 1
        assert bench.loop.alive


def test_a_wrong_token_is_tried_again_more_and_more_rarely(slack: SlackStandIn, database: Database) -> None:
    """The pause doubles with each failure, and the loop lives."""
    for bench in running(Bench(slack, database, token="xapp-wrong")):
        threading.Event().wait(2.5)
        assert _attempts(slack) == 2
        assert bench.loop.alive


def test_one_worker_is_connected_and_another_takes_over(slack: SlackStandIn, database: Database) -> None:
    """A worker that does not hold the lock waits, and connects once it does."""
    bench = Bench(slack, database)
    bench.held = False
    for _ in running(bench):
        threading.Event().wait(0.5)
        assert slack.sockets.opened == 0
        bench.held = True
        until(lambda: slack.sockets.connections == 1)


def test_the_lock_is_of_one_process_and_ends_with_it() -> None:
    """Forked processes inherit the descriptor and not the lock."""
    lock = WorkerLock("test")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, b"1" if lock.hold() and lock.hold() else b"0")
        threading.Event().wait(60)
        os._exit(0)
    assert os.read(reader, 1) == b"1"
    assert not lock.hold()
    os.kill(child, 9)
    os.waitpid(child, 0)
    assert lock.hold()


@pytest.mark.parametrize(
    "changes",
    [{"user": {}}, {"user": {**ANN, "team_id": "T0OTHER"}}, {"padding": "x" * BODY_BYTES}, {"actions": 7}],
    ids=["nobody", "foreign", "oversized", "malformed"],
)
def test_what_may_not_act_is_refused_and_the_connection_lives(
    counted: CounterFiles, bench: Bench, changes: dict[str, Any]
) -> None:
    """A hostile payload costs itself, and is counted."""
    until(lambda: bench.slack.sockets.connections == 1)
    payload = {"type": "block_actions", "user": ANN, "actions": [BUTTON | {"action_ts": "1.1"}]} | changes
    bench.slack.people.deliver(payload | {"response_url": bench.slack.people.response_url()})
    assert (bench.stored(), refused(counted)) == ([], 1)
    assert bench.slack.people.press(BUTTON).ok
    assert bench.slack.sockets.opened == 1


def test_the_address_of_a_connection_is_one_of_slack() -> None:
    """An answer that names another host is not followed."""

    class Elsewhere(server.StandIn):
        url_given = "wss://evil.example.com/link"

        def answer(self, call: server.Call) -> server.Reply:
            return server.as_json(200, {"ok": True, "url": self.url_given})

    clock = SystemClock()
    with Elsewhere() as slack, contextlib.closing(Outgoing(clock)) as outgoing:
        api = SlackApi(outgoing, clock, Secret("x"), slack.url)
        for url in ("wss://evil.example.com/", "ws://wss-primary.slack.com/", "wss://evilslack.com/", "wss://[/", "7"):
            slack.url_given = url
            found = api.socket_address(Secret("xapp-1"))
            assert (found.url, bool(found.problem)) == ("", True)
        slack.url_given = "wss://wss-primary.slack.com/link/?ticket=1"
        assert api.socket_address(Secret("xapp-1")).problem == ""
