"""The senders of a process: channels come and go, share threads and vendors' limits, and do not delay each other."""

from __future__ import annotations

import contextlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, Pool, event, select

from responder.engine.effects.context import DecisionContext
from responder.engine.workers.senders import GRACE, LATER, Senders
from responder.model.clock import Deadline
from responder.model.message import Request, Response
from responder.model.secret import Secret
from responder.notify.channels.pagerduty import BURST, PagerDuty
from responder.notify.channels.slack import EDITS, Slack
from responder.notify.contract import Channel
from responder.notify.delivery.deliver import Deliverer
from responder.store.database import Database
from responder.store.incidents import incidents
from responder.store.outbox import outbox
from responder.store.schema.tables import messages
from tests.conftest import HandClock
from tests.support.builders import a_content, a_draft
from tests.support.outbox_messages import message_counts
from tests.unit.engine.test_pipeline import a_desk


def a_pager(name: str, key: str = "") -> PagerDuty:
    """A PagerDuty channel of a rule file, with the key of its name unless another is given."""
    return PagerDuty(routing_key=Secret((key or name).ljust(32, "0")), name=name)


def a_slack(name: str) -> Slack:
    """A Slack channel of a rule file."""
    return Slack(Secret("xoxb-1"), f"#{name}", name=name)


class Vendors:
    """PagerDuty and Slack: accept, count by key or channel, and hang or refuse where a test says so."""

    def __init__(self) -> None:
        self.taken = Counter[str]()
        self.hanging: set[str] = set()
        self.limited: set[str] = set()
        self.freed = threading.Event()

    def send(self, request: Request, _deadline: Deadline, _cap: int = 0) -> Response:
        """Answer as the vendor."""
        body = json.loads(request.body)
        whose = str(body.get("routing_key", body.get("channel", ""))).rstrip("0")
        if whose in self.hanging:
            self.freed.wait(20)
        if whose in self.limited:
            return Response(429, b'{"status": "throttle event"}')
        self.taken[whose] += 1
        if "routing_key" in body:
            return Response(202, b'{"status": "success"}')
        return Response(200, json.dumps({"ok": True, "channel": whose, "ts": "1.0"}).encode())


class House:
    """A process with its senders; several may share one database."""

    def __init__(self, database: Database, clock: HandClock, vendors: Vendors, *channels: Channel) -> None:
        self.database, self.clock = database, clock
        self.context: DecisionContext = a_desk()
        self.configure(*channels)
        self.ended = threading.Semaphore(0)
        deliverer = Deliverer(vendors, clock, print_page=lambda _page: None)
        self.senders = Senders(
            database, lambda: self.context, deliverer, clock, lambda: 0.5, on_free=self.ended.release
        )

    def configure(self, *channels: Channel) -> None:
        """Put other channels in force, as a reload of the rules does."""
        self.context = replace(self.context, channels={channel.name: channel for channel in channels})

    def write(self, channel: str, number: int, step: str = "trigger", priority: int = 1) -> None:
        """Put the message of an incident of its own into the outbox."""
        name = f"INC-{channel}-{number}"
        now = self.clock.now()
        with self.database.write() as connection:
            incidents.save_contents(connection, [replace(a_content(), incident=name)], (), now)
            draft = a_draft(incident=name, ordering_key=name, channel=channel, step=step, due_at=now, priority=priority)
            outbox.write(connection, [draft], now)

    def run(self, until: Callable[[], bool]) -> bool:
        """Take steps until a condition holds; False if it does not within two hundred steps without a result."""
        for _ in range(200):
            if until():
                return True
            if self.senders.step() > 0:
                self.ended.acquire(timeout=0.02)
        return until()

    def states(self) -> dict[tuple[str, str], int]:
        """Messages by channel and state."""
        with self.database.read() as connection:
            return message_counts(connection)


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    """The vendors."""
    found = Vendors()
    yield found
    found.freed.set()


def test_a_channel_that_hangs_delays_no_other_team(database: Database, clock: HandClock, vendors: Vendors) -> None:
    """Attempts of broken channels take no thread that another channel, or another vendor, needs."""
    broken = [a_pager(f"broken-{letter}") for letter in "abc"]
    house = House(database, clock, vendors, *broken, a_pager("payments"), a_slack("payments-slack"))
    vendors.hanging = {channel.name for channel in broken}
    for channel in broken:
        for number in range(10):
            house.write(channel.name, number)
    for number in range(3):
        house.write("payments", number)
        house.write("payments-slack", number, "post")
    assert house.run(lambda: vendors.taken == {"payments": 3, "#payments-slack": 3})
    vendors.freed.set()
    house.senders.close(5)


def test_a_vendor_that_hangs_leaves_threads_for_the_others(
    database: Database, clock: HandClock, vendors: Vendors
) -> None:
    """While all pagers of thirty teams hang, Slack still gets its messages."""
    pagers = [a_pager(f"team{number}") for number in range(1, 31)]
    house = House(database, clock, vendors, *pagers, a_slack("chat"))
    vendors.hanging = {channel.name for channel in pagers}
    for channel in pagers:
        house.write(channel.name, 1)
        house.write(channel.name, 2)
    house.write("chat", 1, "post")
    assert house.run(lambda: vendors.taken == {"#chat": 1})
    vendors.freed.set()
    house.senders.close(5)


def test_channels_come_and_go_with_the_rules(database: Database, clock: HandClock, vendors: Vendors) -> None:
    """A message of a new channel leaves at once, and one of a removed channel becomes a dead letter at once."""
    house = House(database, clock, vendors, a_pager("first"))
    house.write("first", 1)
    assert house.run(lambda: house.states() == {("first", "sent"): 1})
    house.configure(a_pager("second"))
    house.write("second", 1)
    house.write("first", 2)
    assert house.run(lambda: house.states().get(("second", "sent")) == 1)
    assert house.run(lambda: house.states().get(("first", "dead")) == 1)
    house.configure(a_pager("first"), a_pager("second"))
    house.write("first", 3)
    assert house.run(lambda: house.states()["first", "sent"] == 2)
    house.senders.close(5)


def test_a_channel_that_a_newer_process_may_know_is_left_to_it(
    database: Database, clock: HandClock, vendors: Vendors
) -> None:
    """During a rolling update a message of an unknown channel waits for a process that knows it."""
    house = House(database, clock, vendors, a_pager("second"))
    house.write("first", 1)
    assert not house.run(lambda: ("first", "waiting") not in house.states())
    for _ in range(2):  # the second time in its minimal form
        clock.move((GRACE + timedelta(seconds=1)).total_seconds())
        house.run(lambda: ("first", "waiting") not in house.states())
    assert house.states() == {("first", "dead"): 1}
    house.senders.close(5)


def test_channels_of_one_slack_token_share_the_limit_of_each_method_in_all_replicas(
    database: Database, clock: HandClock, vendors: Vendors
) -> None:
    """Edits of many channels keep the token's limit of chat.update, and posts still leave."""
    channels = [a_slack(f"c{number}") for number in range(8)]
    replicas = [House(database, clock, vendors, *channels) for _ in range(2)]
    for channel in channels:
        for each in range(4):
            replicas[0].write(channel.name, each, step="edit")
        replicas[0].write(channel.name, 10, step="post")
    rounds = 0
    while rounds < 100:
        rounds += 1
        for house in replicas:
            if house.senders.step() > 0:
                house.ended.acquire(timeout=0.01)
    sent = Counter[str]()
    with database.read() as connection:
        rows = connection.execute(select(messages.c.step).where(messages.c.state == "sent"))
        sent.update(rows.scalars())
    assert sent == {"edit": EDITS.burst, "post": len(channels)}
    for house in replicas:
        house.senders.close(5)


def test_channels_of_one_key_share_its_rate_limit_in_all_replicas(
    database: Database, clock: HandClock, vendors: Vendors
) -> None:
    """Two channels with one routing key send no more at once, in two processes, than one; another key is not slowed."""
    channels = a_pager("one", "shared"), a_pager("two", "shared"), a_pager("other")
    houses = [House(database, clock, vendors, *channels) for _ in range(2)]
    for number in range(BURST):
        for channel in channels:
            houses[0].write(channel.name, number)
    for _ in range(2 * BURST):
        for house in houses:
            house.run(lambda: False) if _ == 0 else house.senders.step()
    assert vendors.taken == {"shared": BURST, "other": BURST}
    for house in houses:
        house.senders.close(5)


def test_a_limit_of_the_vendor_pauses_every_channel_of_the_key(
    database: Database, clock: HandClock, vendors: Vendors
) -> None:
    """After a 429 no channel with the same key sends, and channels with another key go on."""
    house = House(database, clock, vendors, a_pager("one", "shared"), a_pager("two", "shared"), a_pager("other"))
    house.write("two", 0)
    vendors.limited = {"shared"}
    assert house.run(lambda: house.states().get(("two", "waiting")) == 1 and not house.run(lambda: False))
    vendors.limited = set()
    house.write("one", 1, priority=2)
    house.write("other", 1)
    assert house.run(lambda: vendors.taken["other"] == 1)
    assert vendors.taken == {"other": 1}
    clock.move(600)
    assert house.run(lambda: vendors.taken == {"other": 1, "shared": 2})
    house.senders.close(5)


def test_idle_channels_cost_no_query_and_no_thread(database: Database, clock: HandClock, vendors: Vendors) -> None:
    """A message costs as many queries and threads with fifty idle channels as with two."""
    found = {number: _cost(database, clock, vendors, number) for number in (2, 50)}
    assert found[50][0] <= found[2][0] + 5
    assert found[50][1] == found[2][1]


def test_a_released_page_is_claimed_with_five_statements(
    database: Database, clock: HandClock, vendors: Vendors
) -> None:
    """A page that got its findings is claimed by the next step with five statements, and not polled for first."""
    house = House(database, clock, vendors, a_pager("first"), a_pager("second"))
    house.write("first", 1)
    assert house.run(lambda: house.states().get(("first", "sent")) == 1)
    house.write("first", 2)
    house.senders.expect({"first"})
    with _statements() as statements:
        assert house.senders.step() == LATER
    assert len(statements) == 5, statements
    assert house.run(lambda: house.states()["first", "sent"] == 2)
    house.senders.close(5)


@contextlib.contextmanager
def _statements() -> Iterator[list[str]]:
    """Yield a list that gets the statements of the block: of SQLite those of the driver, which executes some itself."""
    statements, traced = list[str](), list[Any]()

    def note(statement: str) -> None:
        if not statement.startswith(("BEGIN", "COMMIT", "ROLLBACK", "PRAGMA")):
            statements.append(statement)

    def trace(connection: Any, *_given: Any) -> None:
        if hasattr(connection, "set_trace_callback"):
            connection.set_trace_callback(note)
            traced.append(connection)

    def note_other(connection: Connection, _cursor: object, statement: str, *_given: object) -> None:
        if connection.dialect.name != "sqlite":
            note(statement)

    event.listen(Pool, "checkout", trace)
    event.listen(Engine, "before_cursor_execute", note_other)
    try:
        yield statements
    finally:
        event.remove(Pool, "checkout", trace)
        event.remove(Engine, "before_cursor_execute", note_other)
        for connection in traced:
            connection.set_trace_callback(None)


def _cost(database: Database, clock: HandClock, vendors: Vendors, channels: int) -> tuple[int, int]:
    """Return the statements and threads that one message costs."""
    house = House(database, clock, vendors, *(a_pager(f"idle-{each}x") for each in range(channels)))
    house.senders.step()
    before = threading.active_count()
    with _statements() as statements:
        house.write("idle-0x", channels)
        for _ in range(3):
            house.senders.step()
            house.ended.acquire(timeout=1)
        threads = threading.active_count() - before
    house.senders.close(5)
    assert house.states()["idle-0x", "sent"] >= 1
    return len(statements), threads
