"""Answers of vendors that pages depend on: pauses, refusals that end, slowness, resolves that nothing needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from responder.engine.workers.delivery import QUICK_ATTEMPTS, SEND_SECONDS, SLOW_SEND_SECONDS
from responder.model.clock import Deadline
from responder.model.message import Request, Response
from responder.model.report import MessageKind
from responder.outgoing import UnreachableError
from responder.store.database import Database
from responder.store.incidents import incidents
from responder.store.outbox import claims
from tests.conftest import HandClock
from tests.support.builders import an_incident
from tests.unit.engine.test_pipeline import a_desk
from tests.unit.engine.workers.test_delivery import Office, Wire

REFUSAL = Response(400, b'{"status": "invalid event", "message": "invalid routing key", "errors": []}')
ACCEPTED = Response(202, b'{"status": "success"}')
HOUR = Response(429, b"", {"Retry-After": "3600"})


@pytest.fixture
def wire() -> Wire:
    """PagerDuty."""
    return Wire()


@pytest.fixture
def pager(database: Database, clock: HandClock, wire: Wire) -> Iterator[Office]:
    """A sender for PagerDuty alone."""
    found = Office(database, clock, wire, a_desk(), claims.ChannelQueue(("pagerduty",)))
    yield found
    found.close()


def actions(wire: Wire, since: int = 0) -> list[tuple[object, object]]:
    """Action and key of each event that was sent."""
    return [(event["event_action"], event["dedup_key"]) for event in wire.sent[since:]]


def opened(pager: Office, incident: str, key: str, *, is_open: bool = True) -> None:
    """Store an incident and write its page."""
    with pager.database.write() as connection:
        incidents.save(connection, [replace(an_incident(), id=incident, dedup_key=key, open=is_open)], [])
    pager.write(incident=incident, ordering_key=key)


@pytest.mark.parametrize("pause", [HOUR, Response(503, b"", {"Retry-After": "3600"})], ids=["429", "503"])
def test_a_pager_that_asks_for_a_long_pause_gets_one_attempt_a_minute(
    pager: Office, wire: Wire, pause: Response
) -> None:
    """Pages never wait an hour, and the one attempt of each minute is for the worst severity."""
    wire.usual = pause
    for number in range(8):
        pager.write(ordering_key=f"s{number}", incident=f"INC-{number}", priority=2)
    pager.step()
    pager.write(ordering_key="worst", incident="INC-P1", priority=1)
    at_once = len(wire.sent)
    for _second in range(5 * 60):
        pager.clock.move(1)
        pager.step()
    assert actions(wire, at_once) == [("trigger", "worst")] * len(wire.sent[at_once:])
    assert 4 <= len(wire.sent[at_once:]) <= 5
    wire.usual = ACCEPTED
    for _second in range(90):
        pager.clock.move(1)
        pager.step()
    assert pager.states() == {("pagerduty", "sent"): 9}


def test_a_resolve_goes_only_to_a_pager_that_accepted_the_page(pager: Office, wire: Wire) -> None:
    """PagerDuty gets no resolve for a key it does not know, and the refused resolve is no dead letter."""
    wire.answers = [REFUSAL, REFUSAL]
    pager.write()
    pager.step()
    pager.write("resolve", kind=MessageKind.RESOLUTION)
    pager.write(incident="INC-2", ordering_key="other")
    pager.write("resolve", incident="INC-2", ordering_key="other", kind=MessageKind.RESOLUTION)
    pager.step()
    assert ("resolve", "key") not in actions(wire)
    assert ("resolve", "other") in actions(wire)
    assert pager.states() == {("pagerduty", "dead"): 1, ("pagerduty", "withdrawn"): 1, ("pagerduty", "sent"): 2}


def test_a_refused_page_is_sent_anew_when_its_pager_accepts_messages_again(pager: Office, wire: Wire) -> None:
    """A key that was revoked and restored: what still fires pages, and what has resolved meanwhile does not."""
    wire.usual = REFUSAL
    opened(pager, "INC-1", "key")
    opened(pager, "INC-2", "over", is_open=False)
    pager.step()
    assert pager.states() == {("pagerduty", "dead"): 2}
    wire.usual, before = ACCEPTED, len(wire.sent)
    pager.write(incident="INC-3", ordering_key="other")
    pager.step()
    assert actions(wire, before) == [("trigger", "other"), ("trigger", "key")]
    pager.write("resolve", incident="INC-1", ordering_key="key", kind=MessageKind.RESOLUTION)
    pager.step()
    assert actions(wire)[-1] == ("resolve", "key")


def test_a_page_that_is_always_refused_is_sent_anew_ever_less_often(pager: Office, wire: Wire) -> None:
    """A page that PagerDuty refuses for its own sake does not follow each message that it accepts."""
    wire.answers = [REFUSAL, REFUSAL]
    opened(pager, "INC-1", "key")
    pager.step()
    for number in range(120):
        wire.answers = [ACCEPTED, REFUSAL, REFUSAL]
        pager.write(incident=f"INC-{number + 2}", ordering_key=f"s{number}")
        pager.step()
        wire.answers = []
        pager.clock.move(60)
    tried = actions(wire).count(("trigger", "key"))
    assert 10 <= tried <= 40


class Slow(Wire):
    """A vendor that answers after a while, if the deadline lets it."""

    def __init__(self, clock: HandClock, seconds: float) -> None:
        super().__init__()
        self.clock, self.seconds = clock, seconds
        self.granted: list[float] = []

    def send(self, request: Request, deadline: Deadline, cap: int = 0) -> Response:
        """The usual answer, or none within the deadline."""
        left = deadline.left(self.clock.monotonic())
        self.granted.append(round(left, 3))
        if left < self.seconds:
            raise UnreachableError("no response in time")
        return super().send(request, deadline, cap)


def test_a_vendor_slower_than_the_deadline_gets_a_longer_one(database: Database, clock: HandClock) -> None:
    """After three attempts a vendor that takes eight seconds accepts the page, and then its resolve."""
    wire = Slow(clock, 8.0)
    pager = Office(database, clock, wire, a_desk(), claims.ChannelQueue(("pagerduty",)))
    pager.write()
    pager.write("resolve", kind=MessageKind.RESOLUTION)
    for _second in range(20):
        pager.step()
        clock.move(1)
    assert wire.granted[: QUICK_ATTEMPTS + 1] == [SEND_SECONDS] * QUICK_ATTEMPTS + [SLOW_SEND_SECONDS]
    assert pager.states() == {("pagerduty", "sent"): 2}
    pager.close()
