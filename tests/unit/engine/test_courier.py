"""The courier: sends what is due, marks it afterwards, and never gives up by itself."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from responder.engine.courier import Courier
from responder.engine.desk import Desk
from responder.model.clock import Deadline
from responder.model.message import Draft, Letter, Request, Response
from responder.notify.channels.slack import Slack
from responder.notify.deliver import Deliverer
from responder.outgoing import CouldNotReach
from responder.standins.builders import NOW, a_report
from responder.store import outbox
from responder.store.database import Database
from tests.conftest import HandClock
from tests.unit.engine.test_process import a_desk

LANE = outbox.Lane((), rest=True)


class Wire:
    """What the deliverer sends through: answers as told, remembers what was sent."""

    def __init__(self) -> None:
        self.answers: list[Response | CouldNotReach] = []
        self.sent: list[dict[str, object]] = []
        self._guard = threading.Lock()

    def send(self, request: Request, _deadline: Deadline, _cap: int = 0) -> Response:
        """The next answer, or 202."""
        with self._guard:
            self.sent.append(json.loads(request.body))
            answer = self.answers.pop(0) if self.answers else Response(202, b'{"status": "success"}')
        if isinstance(answer, CouldNotReach):
            raise answer
        return answer


@pytest.fixture
def wire() -> Wire:
    """The other side."""
    return Wire()


class Office:
    """A courier whose steps a test takes by hand."""

    def __init__(self, database: Database, clock: HandClock, wire: Wire, desk: Desk) -> None:
        self.database = database
        self.clock = clock
        self.idle = threading.Semaphore(0)
        deliverer = Deliverer(wire, clock, print_page=lambda _page: None)  # type: ignore[arg-type]
        self.courier = Courier(database, LANE, lambda: desk, deliverer, clock, chance=lambda: 0.5)
        self.courier.on_free = self.idle.release

    def write(self, step: str = "trigger", channel: str = "pagerduty", **changes: Any) -> None:
        """Put a message into the outbox."""
        draft = Draft(
            incident="INC-1",
            stream="key",
            channel=channel,
            step=step,
            rank=1,
            due_at=self.clock.now(),
            report=a_report(),
        )
        with self.database.write() as connection:
            outbox.write(connection, [replace(draft, **changes)], self.clock.now())

    def step(self) -> int:
        """Let the courier send what is due; how many messages that were."""
        sent = 0
        while self.courier.step() == 0.0:
            assert self.idle.acquire(timeout=10)
            sent += 1
        return sent

    def states(self) -> dict[tuple[str, str], int]:
        """Messages by channel and state."""
        with self.database.read() as connection:
            return outbox.counts(connection)


@pytest.fixture
def office(database: Database, clock: HandClock, wire: Wire) -> Iterator[Office]:
    """A courier with PagerDuty and Slack."""
    found = Office(database, clock, wire, a_desk())
    yield found
    found.courier.close(5)


def test_what_is_accepted_is_marked_and_not_sent_again(office: Office, wire: Wire) -> None:
    """Each message goes out once."""
    office.write()
    assert office.step() == 1
    assert office.states() == {("pagerduty", "sent"): 1}
    office.clock.move(3600)
    assert office.step() == 0
    assert len(wire.sent) == 1


@pytest.mark.parametrize("answer", [Response(500, b""), Response(429, b""), CouldNotReach("connection refused")])
def test_what_fails_is_tried_until_it_is_accepted(office: Office, wire: Wire, answer: Response | CouldNotReach) -> None:
    """An outage of PagerDuty delays a page and never loses it."""
    wire.answers = [answer] * 20
    office.write()
    for _ in range(400):
        office.step()
        office.clock.move(10)
    assert len(wire.sent) == 21
    assert office.states() == {("pagerduty", "sent"): 1}


def test_the_wish_of_retry_after_is_honoured(office: Office, wire: Wire) -> None:
    """A service that asks for a pause gets it."""
    wire.answers = [Response(429, b"", {"Retry-After": "30"})]
    office.write()
    office.step()
    office.clock.move(29)
    assert office.step() == 0
    office.clock.move(40)
    assert office.step() == 1


def test_a_refused_page_is_tried_plain_and_then_shown_as_dead(office: Office, wire: Wire) -> None:
    """A page that PagerDuty will not take as it is gets through in its simplest form; failing that, it is counted."""
    wire.answers = [Response(400, b'{"message": "bad"}')] * 2
    office.write()
    assert office.step() == 2
    full, plain = wire.sent
    assert len(json.dumps(plain)) < len(json.dumps(full))
    assert office.states() == {("pagerduty", "dead"): 1}


def test_a_plain_page_that_is_accepted_is_a_sent_page(office: Office, wire: Wire) -> None:
    """Being refused once is not the end."""
    wire.answers = [Response(400, b"")]
    office.write()
    office.step()
    assert office.states() == {("pagerduty", "sent"): 1}


def test_a_channel_that_was_configured_away_is_not_forgotten(office: Office) -> None:
    """A message for a channel nobody configured any more is counted as dead, not dropped."""
    office.write(channel="pigeon")
    office.step()
    assert office.states() == {("pigeon", "dead"): 1}


def test_a_page_nobody_can_build_is_refused_by_name(office: Office) -> None:
    """A bug in one rendering neither stops the courier nor repeats for ever."""

    class Broken:
        name = "slack"
        steps = Slack.steps

        def render(self, letter: Letter) -> Request:
            raise KeyError(letter.step)

        def read(self, letter: Letter, response: Response) -> object:
            raise AssertionError

    office.courier._desk = lambda: a_desk(channels={"slack": Broken()})  # type: ignore[dict-item]
    office.write(channel="slack", step="post")
    office.step()
    assert office.states() == {("slack", "dead"): 1}


def test_a_claim_left_by_a_dead_worker_is_taken_over(office: Office, wire: Wire) -> None:
    """A process that dies while it sends delays the message by some seconds at most."""
    office.write()
    now = office.clock.now()
    with office.database.write() as connection:
        outbox.claim(connection, LANE, now, now + timedelta(seconds=6), 10)
    office.clock.move(5.9)
    assert office.step() == 0
    office.clock.move(0.2)
    assert office.step() == 1
    assert len(wire.sent) == 1
    assert office.clock.now() > NOW
