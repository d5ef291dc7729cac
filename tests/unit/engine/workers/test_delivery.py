"""The sender: sends due messages, marks them afterwards, and never gives up by itself."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from responder.engine.effects.context import DecisionContext
from responder.engine.workers.delivery import AT_ONCE, LEASE, RENEW_SECONDS, DeliveryWorker
from responder.engine.workers.senders import SenderThreads, channel_queues
from responder.model.clock import Deadline
from responder.model.message import ClaimedMessage, OutboxRow, Request, Response
from responder.model.report import MessageFacts, MessageKind
from responder.notify.channels.slack import Slack
from responder.notify.delivery.deliver import Deliverer
from responder.outgoing import UnreachableError
from responder.store.database import Database
from responder.store.incidents import incidents
from responder.store.outbox import claims, outbox
from tests.conftest import HandClock
from tests.support.builders import NOW, a_content, a_draft
from tests.support.outbox_messages import message_counts
from tests.unit.engine.test_pipeline import a_desk

LANE = claims.ChannelQueue((), rest=True)


class Wire:
    """A fake transport: gives the set response and records requests."""

    def __init__(self) -> None:
        self.answers: list[Response | UnreachableError] = []
        self.usual = Response(202, b'{"status": "success"}')
        self.sent: list[dict[str, object]] = []
        self._guard = threading.Lock()

    def send(self, request: Request, _deadline: Deadline, _cap: int = 0) -> Response:
        """The next answer, or the usual one."""
        with self._guard:
            self.sent.append(json.loads(request.body))
            answer = self.answers.pop(0) if self.answers else self.usual
        if isinstance(answer, UnreachableError):
            raise answer
        return answer


class Stuck(Wire):
    """The other side, which says nothing until it is freed."""

    def __init__(self) -> None:
        super().__init__()
        self.freed = threading.Event()

    def send(self, request: Request, deadline: Deadline, cap: int = 0) -> Response:
        """202, in the end."""
        assert self.freed.wait(20)
        return super().send(request, deadline, cap)


@pytest.fixture
def wire() -> Wire:
    """The other side."""
    return Wire()


class Office:
    """A sender whose steps a test runs one by one."""

    def __init__(
        self,
        database: Database,
        clock: HandClock,
        wire: Wire,
        context: DecisionContext,
        queue: claims.ChannelQueue = LANE,
    ) -> None:
        self.database = database
        self.clock = clock
        self.idle = threading.Semaphore(0)
        deliverer = Deliverer(wire, clock, print_page=lambda _page: None)
        self.threads = SenderThreads(2 * AT_ONCE)
        self.courier = DeliveryWorker(
            database,
            queue,
            lambda: context,
            deliverer,
            clock,
            chance=lambda: 0.5,
            free=lambda: self.threads.free("vendor"),
            submit=lambda send: self.threads.submit("vendor", send),
            on_free=self.idle.release,
        )

    def write(
        self, step: str = "trigger", channel: str = "pagerduty", title: str = "[P1] plato is down", **changes: Any
    ) -> None:
        """Put a message into the outbox, and the content of its incident beside it."""
        usual = a_draft(incident="INC-1", ordering_key="key", channel=channel, step=step, due_at=self.clock.now())
        message = replace(usual, **changes)
        with self.database.write() as connection:
            incidents.save_contents(
                connection, [replace(a_content(title=title), incident=message.incident)], (), self.clock.now()
            )
            outbox.write(connection, [message], self.clock.now())

    def step(self) -> int:
        """Let the sender send all due messages; returns their number."""
        sent = 0
        while self.courier.step() == 0.0 or self.courier._busy:
            while self.courier._busy:
                assert self.idle.acquire(timeout=10)
                sent += 1
        while self.idle.acquire(blocking=False):
            sent += 1
        self.courier.step()
        return sent

    def close(self) -> None:
        """Let running attempts end, and record their results."""
        self.threads.close(5)
        self.courier.close()

    def states(self) -> dict[tuple[str, str], int]:
        """Messages by channel and state."""
        with self.database.read() as connection:
            return message_counts(connection)


@pytest.fixture
def office(database: Database, clock: HandClock, wire: Wire) -> Iterator[Office]:
    """A sender with PagerDuty and Slack."""
    found = Office(database, clock, wire, a_desk())
    yield found
    found.close()


def test_what_is_accepted_is_marked_and_not_sent_again(office: Office, wire: Wire) -> None:
    """Each message goes out once."""
    office.write()
    assert office.step() == 1
    assert office.states() == {("pagerduty", "sent"): 1}
    office.clock.move(3600)
    assert office.step() == 0
    assert len(wire.sent) == 1


def test_what_was_just_released_is_not_looked_for(database: Database, clock: HandClock, wire: Wire) -> None:
    """A page whose diagnosis has ended leaves with the first look at the outbox, not with the second."""
    office = Office(database, clock, wire, a_desk())
    office.write()
    office.courier.expecting = True
    database.read = lambda: pytest.fail("it was looked for")  # type: ignore[method-assign]
    database.has_row = lambda _any: pytest.fail("it was looked for")  # type: ignore[method-assign, assignment]
    assert office.courier.step() == 0.0
    assert office.idle.acquire(timeout=10)
    office.close()
    assert len(wire.sent) == 1


@pytest.mark.parametrize(
    ("queue", "seconds"),
    [(claims.ChannelQueue(("pagerduty",)), 0.2), (claims.ChannelQueue(("pagerduty",), rest=True), 1.0)],
)
def test_idle_couriers_look_seldom_where_no_page_can_come(
    database: Database, clock: HandClock, wire: Wire, queue: claims.ChannelQueue, seconds: float
) -> None:
    """A page left by a dead process waits a fifth of a second; nothing new comes for a channel configured away."""
    office = Office(database, clock, wire, a_desk(), queue)
    assert office.courier.step() == seconds
    office.close()


def test_a_process_that_does_not_know_a_channel_leaves_its_pages_to_one_that_does(
    database: Database, clock: HandClock, wire: Wire
) -> None:
    """While a new channel is rolled out replica by replica, no old one gives up the pages of the new ones."""
    old = Office(database, clock, wire, replace(a_desk(), channels={}), channel_queues(())[0])
    old.write()
    assert old.step() == 0
    clock.move(29)
    assert old.step() == 0
    new = Office(database, clock, wire, a_desk(), channel_queues(("pagerduty",))[0])
    assert new.step() == 1
    assert old.states() == {("pagerduty", "sent"): 1}
    old.write()
    clock.move(31)
    assert old.step() == 1
    for office in (old, new):
        office.close()


def test_what_falls_due_while_another_is_marked_leaves_in_time(office: Office) -> None:
    """Nothing that is due in a moment waits for the next look, a fifth of a second later."""
    office.write()
    office.write(ordering_key="other", due_at=office.clock.now() + timedelta(seconds=0.05))
    assert office.courier.step() == 0.0
    assert office.idle.acquire(timeout=10)
    assert office.courier.step() == 0.0
    assert office.courier.step() == pytest.approx(0.05, abs=0.001)


@pytest.mark.parametrize("answer", [Response(500, b""), Response(429, b""), UnreachableError("connection refused")])
def test_what_fails_is_tried_until_it_is_accepted(
    office: Office, wire: Wire, answer: Response | UnreachableError
) -> None:
    """An outage of PagerDuty delays a page and never loses it."""
    wire.answers = [answer] * 20
    office.write()
    for _ in range(400):
        office.step()
        office.clock.move(10)
    assert len(wire.sent) == 21
    assert office.states() == {("pagerduty", "sent"): 1}


def test_what_waits_leaves_as_soon_as_the_channel_takes_messages_again(
    database: Database, clock: HandClock, wire: Wire
) -> None:
    """After a long outage the first page that gets through takes the others along, whatever their pauses."""
    office = Office(database, clock, wire, a_desk(), claims.ChannelQueue(("pagerduty",)))
    wire.answers = [Response(500, b"")] * 20
    office.write()
    while wire.answers:
        office.step()
        clock.move(60)
    assert office.states() == {("pagerduty", "waiting"): 1}
    clock.move(-59)
    assert office.step() == 0
    office.write(ordering_key="another")
    assert office.step() == 2
    assert office.states() == {("pagerduty", "sent"): 2}
    office.close()


def test_a_dead_senders_page_is_taken_over_within_a_second(database: Database, clock: HandClock, wire: Wire) -> None:
    """A worker that is killed while it sends a page delays it by a second, and one that lives is left alone."""
    queue, undelivered = claims.ChannelQueue(("pagerduty",)), Stuck()
    alive, other = Office(database, clock, undelivered, a_desk(), queue), Office(database, clock, wire, a_desk(), queue)
    alive.write()
    alive.courier.step()
    for _ in range(10):
        clock.move(RENEW_SECONDS)
        alive.courier.step()
        assert other.step() == 0
    clock.move(LEASE.total_seconds() + 0.1)
    assert other.step() == 1
    undelivered.freed.set()
    for each in (alive, other):
        each.close()


def test_the_wish_of_retry_after_is_honoured(office: Office, wire: Wire) -> None:
    """A requested pause is honoured."""
    wire.answers = [Response(429, b"", {"Retry-After": "30"})]
    office.write()
    office.step()
    office.clock.move(29)
    assert office.step() == 0
    office.clock.move(40)
    assert office.step() == 1


def test_a_refused_page_is_tried_plain_and_then_shown_as_dead(office: Office, wire: Wire) -> None:
    """A page that PagerDuty will not take as it is gets through in its simplest form; failing that, it is counted."""
    wire.answers = [Response(400, b'{"status": "invalid event", "message": "bad"}')] * 2
    office.write()
    assert office.step() == 2
    full, plain = wire.sent
    assert len(json.dumps(plain)) < len(json.dumps(full))
    assert office.states() == {("pagerduty", "dead"): 1}


def test_a_plain_page_that_is_accepted_is_a_sent_page(office: Office, wire: Wire) -> None:
    """Being refused once is not the end."""
    wire.answers = [Response(400, b'{"status": "invalid event"}')]
    office.write()
    office.step()
    assert office.states() == {("pagerduty", "sent"): 1}


def test_a_channel_that_was_configured_away_is_not_forgotten(office: Office) -> None:
    """A message for a removed channel is counted as a dead letter, not dropped."""
    office.write(channel="pigeon")
    office.step()
    assert office.states() == {("pigeon", "dead"): 1}


def test_a_page_nobody_can_build_is_refused_by_name(office: Office) -> None:
    """A bug in one rendering neither stops the sender nor repeats for ever."""

    class Broken:
        name = "slack"
        steps = Slack.steps

        def render(self, message: ClaimedMessage) -> Request:
            raise KeyError(message.step)

        def read(self, message: ClaimedMessage, response: Response) -> object:
            raise AssertionError

    office.courier._context = lambda: a_desk(channels={"slack": Broken()})  # type: ignore[dict-item]
    office.write(channel="slack", step="post")
    office.step()
    assert office.states() == {("slack", "dead"): 1}


def test_a_claim_left_by_a_dead_worker_is_taken_over(office: Office, wire: Wire) -> None:
    """A process that dies while it sends delays the message by some seconds at most."""
    office.write()
    now = office.clock.now()
    with office.database.write() as connection:
        claims.claim(connection, LANE, now, now + timedelta(seconds=6), 10)
    office.clock.move(5.9)
    assert office.step() == 0
    office.clock.move(0.2)
    assert office.step() == 1
    assert len(wire.sent) == 1
    assert office.clock.now() > NOW


@pytest.fixture
def slack(database: Database, clock: HandClock, wire: Wire) -> Iterator[Office]:
    """A sender for Slack alone, with Slack's limit."""
    wire.usual = Response(200, b'{"ok": true, "channel": "C1", "ts": "1.1"}')
    found = Office(database, clock, wire, a_desk(), claims.ChannelQueue(("slack",)))
    yield found
    found.close()


def test_a_flood_leaves_at_the_pace_the_vendor_allows(slack: Office, wire: Wire) -> None:
    """Slack gets its one message a second, whatever waits; nothing is dropped."""
    for number in range(30):
        slack.write("post", "slack", ordering_key=f"s{number}", incident=f"INC-{number}", priority=3)
    at_once = slack.step()
    assert at_once == 3
    for _ in range(27):
        slack.clock.move(60 / 54 + 0.001)
        assert slack.step() == 1
    assert len(wire.sent) == 30


def test_a_second_replica_shares_the_limit(database: Database, slack: Office, wire: Wire) -> None:
    """Two engines on one database send together what one may."""
    other = Office(database, slack.clock, wire, a_desk(), claims.ChannelQueue(("slack",)))
    for number in range(10):
        slack.write("post", "slack", ordering_key=f"s{number}", incident=f"INC-{number}", priority=3)
    assert slack.step() + other.step() == 3
    other.close()


def test_the_worst_page_passes_the_updates_that_wait(slack: Office, wire: Wire) -> None:
    """In a flood of P3 a P1 page leaves at once, before everything that came earlier."""
    for number in range(20):
        slack.write("post", "slack", ordering_key=f"s{number}", incident=f"INC-{number}", priority=3)
    slack.step()
    sent = len(wire.sent)
    slack.write("post", "slack", ordering_key="worst", incident="INC-P1", priority=1, title="[P1] all is down")
    assert slack.step() == 1
    assert "all is down" in str(wire.sent[sent])


def test_a_pause_that_was_asked_for_holds_for_the_whole_channel(slack: Office, wire: Wire) -> None:
    """After a 429 with Retry-After nothing more goes to that vendor until its time is up."""
    wire.answers = [Response(429, b"", {"Retry-After": "30"})]
    slack.write("post", "slack")
    slack.step()
    slack.write("post", "slack", ordering_key="other", incident="INC-2")
    slack.clock.move(29)
    assert slack.step() == 0
    slack.clock.move(31)
    assert slack.step() == 2


@pytest.fixture
def pager(database: Database, clock: HandClock, wire: Wire) -> Iterator[Office]:
    """A sender for PagerDuty alone, with PagerDuty's limit."""
    found = Office(database, clock, wire, a_desk(), claims.ChannelQueue(("pagerduty",)))
    yield found
    found.close()


def test_a_pager_over_its_limit_is_not_asked_by_every_message(pager: Office, wire: Wire) -> None:
    """PagerDuty says 429 and names no time: the lane probes with one message now and then, the worst one first."""
    wire.usual = Response(429, b"")
    for number in range(30):
        pager.write(ordering_key=f"s{number}", incident=f"INC-{number}", priority=2, title=f"P2 {number}")
    pager.step()
    at_once = len(wire.sent)
    assert at_once <= 4
    pager.write(ordering_key="worst", incident="INC-P1", title="[P1] all is down")
    for _ in range(60):
        pager.clock.move(1)
        pager.step()
    tries = wire.sent[at_once:]
    assert 6 <= len(tries) <= 12
    assert all("all is down" in str(each) for each in tries), "the worst page is what a free place is tried with"


def test_a_pager_that_takes_pages_again_gets_all_of_them_at_its_pace(pager: Office, wire: Wire) -> None:
    """After a minute over the limit nothing waits for a long pause of its own: the worst first, then the rest."""
    wire.usual = Response(429, b"")
    for number in range(30):
        pager.write(ordering_key=f"s{number}", incident=f"INC-{number}", priority=2)
    for _ in range(60):
        pager.step()
        pager.clock.move(1)
    wire.usual, tried = Response(202, b'{"status": "success"}'), len(wire.sent)
    pager.write(ordering_key="worst", incident="INC-P1", title="[P1] all is down")
    for _ in range(11):
        pager.step()
        pager.clock.move(1)
    assert "all is down" in str(wire.sent[tried])
    for _ in range(40):
        pager.step()
        pager.clock.move(1)
    assert pager.states() == {("pagerduty", "sent"): 31}


def test_a_wish_is_not_shortened_by_an_answer_that_names_none(slack: Office, wire: Wire) -> None:
    """Of messages in flight together the longest requested pause holds."""
    wire.answers = [Response(429, b"", {"Retry-After": "30"}), Response(429, b""), Response(429, b"")]
    for number in range(3):
        slack.write("post", "slack", ordering_key=f"s{number}", incident=f"INC-{number}")
    slack.step()
    assert len(wire.sent) == 3
    slack.clock.move(29)
    assert slack.step() == 0


def test_updates_that_wait_become_the_newest_one(slack: Office, wire: Wire) -> None:
    """Updates are merged into the newest; first message, resolve and their order are always sent."""
    slack.write("alarm", "slack", kind=MessageKind.FALLBACK, facts=MessageFacts(fallback_reason="began"))
    for number in range(3):
        for step in ("edit", "reply"):
            slack.write(step, "slack", kind=MessageKind.UPDATE, facts=MessageFacts(update=f"update {number}"))
    slack.write("edit", "slack", kind=MessageKind.RESOLUTION, facts=MessageFacts(update="ended", resolution="ended"))
    slack.write("reply", "slack", kind=MessageKind.RESOLUTION, facts=MessageFacts(update="ended", resolution="ended"))
    for _ in range(10):
        slack.step()
        slack.clock.move(5)
    told = [
        next(word for word in ("began", "update 2", "ended", "update") if word in str(body).lower())
        for body in wire.sent
    ]
    assert told == ["began", "update 2", "update 2", "ended", "ended"]
    assert slack.states() == {("slack", "sent"): 5, ("slack", "merged"): 4}
    with slack.database.read() as connection:
        kept = connection.execute(text("SELECT id, merged_into FROM messages WHERE state = 'merged' ORDER BY id")).all()
    assert [tuple(row) for row in kept] == [(2, 6), (3, 7), (4, 6), (5, 7)]


def test_a_worse_message_is_not_held_up_by_what_stands_before_it(slack: Office, wire: Wire) -> None:
    """Waiting messages of an incident that is raised to P1 are sent with that urgency, in order."""
    for number in range(20):
        slack.write("post", "slack", ordering_key=f"s{number}", incident=f"INC-{number}", priority=3)
    slack.write(
        "alarm",
        "slack",
        ordering_key="worse",
        incident="INC-W",
        priority=4,
        kind=MessageKind.FALLBACK,
        facts=MessageFacts(fallback_reason="as P4"),
    )
    slack.step()
    sent = len(wire.sent)
    slack.write(
        "alarm",
        "slack",
        ordering_key="worse",
        incident="INC-W",
        priority=1,
        kind=MessageKind.FALLBACK,
        facts=MessageFacts(fallback_reason="as P1"),
    )
    assert slack.step() == 2
    assert ["as P4" in str(wire.sent[sent]), "as P1" in str(wire.sent[sent + 1])] == [True, True]


def test_a_channel_that_refuses_one_message_is_not_down(slack: Office, wire: Wire) -> None:
    """Outages are not counted across messages: any response, also a rejection, ends an outage."""
    wire.answers = [Response(503, b""), Response(400, b""), Response(400, b"")]
    slack.write("post", "slack")
    slack.step()
    with slack.database.read() as connection:
        assert outbox.state_of(connection, "slack").failing_since == NOW.timestamp()
    slack.clock.move(5)
    slack.step()
    assert slack.states() == {("slack", "dead"): 1}
    with slack.database.read() as connection:
        assert outbox.state_of(connection, "slack").failing_since is None


def test_a_pager_that_asks_for_an_hour_is_tried_each_minute(pager: Office, wire: Wire) -> None:
    """A Retry-After of an hour delays no page by more than a minute, and the worst page is the one that is tried."""
    wire.usual = Response(429, b"", {"Retry-After": "3600"})
    pager.write(ordering_key="mild", incident="INC-2", priority=2, title="[P2] slow")
    pager.write(ordering_key="worst", incident="INC-P1", priority=1, title="[P1] all is down")
    pager.step()
    tried = len(wire.sent)
    pager.clock.move(61)
    wire.usual = Response(202, b'{"status": "success"}')
    pager.step()
    assert "all is down" in str(wire.sent[tried])


def test_an_attempt_whose_claim_may_have_expired_sends_nothing(pager: Office, wire: Wire) -> None:
    """A process that was paused between the claim and the attempt does not send: another may have, and resolved."""
    pager.write()
    carry, paused = pager.courier._attempt, queue.SimpleQueue[OutboxRow]()
    pager.courier._attempt = paused.put  # type: ignore[method-assign, assignment]
    pager.courier.step()
    row = paused.get(timeout=10)
    pager.clock.move(LEASE.total_seconds())
    carry(row)
    assert wire.sent == []
    pager.courier._attempt = carry  # type: ignore[method-assign]
    assert pager.step() == 2
    assert [event["event_action"] for event in wire.sent] == ["trigger"]
    assert pager.states() == {("pagerduty", "sent"): 1}


def test_a_renewal_after_another_sender_took_over_makes_no_attempt_valid(
    database: Database, clock: HandClock, wire: Wire
) -> None:
    """A paused process that goes on with its loop first does not take its lost claim for a renewed one."""
    late = Wire()
    slow = Office(database, clock, late, a_desk(), claims.ChannelQueue(("pagerduty",)))
    quick = Office(database, clock, wire, a_desk(), claims.ChannelQueue(("pagerduty",)))
    carry, paused = slow.courier._attempt, queue.SimpleQueue[OutboxRow]()
    slow.courier._attempt = paused.put  # type: ignore[method-assign, assignment]
    slow.write()
    slow.courier.step()
    row = paused.get(timeout=10)
    clock.move(LEASE.total_seconds())
    assert quick.step() == 1
    slow.courier.step()
    carry(row)
    assert late.sent == []
    for office in (slow, quick):
        office.close()


@pytest.mark.parametrize("late", [Response(202, b'{"status": "success"}'), UnreachableError("no response")])
def test_a_late_trigger_is_followed_by_the_resolve_again(
    database: Database, clock: HandClock, late: Response | UnreachableError
) -> None:
    """No alert stays open at PagerDuty because a paused sender's trigger came after another sender's resolve."""
    stuck, wire = Stuck(), Wire()
    stuck.answers = [late]
    slow = Office(database, clock, stuck, a_desk(), claims.ChannelQueue(("pagerduty",)))
    quick = Office(database, clock, wire, a_desk(), claims.ChannelQueue(("pagerduty",)))
    slow.write()
    slow.courier.step()
    slow.write("resolve", kind=MessageKind.RESOLUTION)
    clock.move(LEASE.total_seconds())
    assert quick.step() == 2
    assert [event["event_action"] for event in wire.sent] == ["trigger", "resolve"]
    stuck.freed.set()
    assert slow.idle.acquire(timeout=10)
    slow.courier.step()
    assert slow.step() + quick.step() >= 1
    assert [event["event_action"] for event in (*wire.sent, *stuck.sent)].count("resolve") == 2
    assert slow.states() == {("pagerduty", "sent"): 2}
    for office in (slow, quick):
        office.close()
