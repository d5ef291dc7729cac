"""One attempt: any network failure becomes an outcome, without a secret in it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from responder.model.clock import Deadline
from responder.model.message import ClaimedMessage, Request, Response
from responder.model.outcome import Delivered, Refused, TryLater
from responder.model.report import MessageKind
from responder.model.secret import Secret
from responder.notify.channels.log import Log
from responder.notify.channels.pagerduty import PagerDuty
from responder.notify.channels.slack import Slack
from responder.notify.channels.slack_webhook import SlackWebhook
from responder.notify.delivery.deliver import Deliverer
from responder.outgoing import Outgoing
from responder.standins import server
from responder.standins.pagerduty import PagerDutyStandIn
from responder.standins.slack import SlackStandIn
from tests.support.builders import NOW, a_letter, a_report

KEY = Secret("0123456789abcdef0123456789abcdef")
TOKEN = Secret("xoxb-111111111111-example-token")


class RealClock:
    """Deadlines on the wire are real."""

    def now(self) -> datetime:
        """A time that stands still."""
        return NOW

    def monotonic(self) -> float:
        """Real seconds."""
        return time.monotonic()


class Wire:
    """A deliverer with everything it needs."""

    def __init__(self) -> None:
        clock = RealClock()
        self.printed: list[str] = []
        self.outgoing = Outgoing(clock)
        self.deliverer = Deliverer(self.outgoing, clock, self.printed.append, (KEY, TOKEN))

    @staticmethod
    def deadline(seconds: float = 10.0) -> Deadline:
        """Return a time this many seconds from now."""
        return Deadline(time.monotonic() + seconds)


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A deliverer on the real network stack."""
    held = Wire()
    yield held
    held.outgoing.close()


def test_pagerduty_opens_and_resolves_one_incident(wire: Wire) -> None:
    """A page opens one incident, its update joins it, its resolution closes it."""
    with PagerDutyStandIn() as pager:
        channel = PagerDuty(KEY, pager.url)
        for step in ("trigger", "trigger", "resolve"):
            outcome = wire.deliverer.deliver(channel, a_letter(step=step), wire.deadline())
            assert outcome == Delivered({"dedup_key": a_report().dedup_key})
        assert [(each.state, len(each.log)) for each in pager.incidents] == [("resolved", 3)]
        assert pager.incidents[0].title == a_report().title


def test_slack_threads_and_edits(wire: Wire) -> None:
    """The incident is one message that changes in place; details and changes stand in its thread."""
    with SlackStandIn(token=TOKEN.reveal()) as slack:
        channel = Slack(TOKEN, "#incidents", slack.url)
        first = wire.deliverer.deliver(channel, a_letter(channel="slack", step="post"), wire.deadline())
        assert isinstance(first, Delivered)
        for moment, step in (
            (MessageKind.START, "details"),
            (MessageKind.UPDATE, "edit"),
            (MessageKind.UPDATE, "reply"),
        ):
            message = a_letter(a_report(kind=moment, update="1 more"), channel="slack", step=step, previous=first.ref)
            assert isinstance(wire.deliverer.deliver(channel, message, wire.deadline()), Delivered)
        parent, *replies = slack.messages
        assert len(parent.edits) == 1
        assert any("Update ·" in line for line in parent.lines)
        assert [reply.thread_ts for reply in replies] == [parent.ts, parent.ts]


def test_an_edit_of_a_vanished_message_is_posted_anew(wire: Wire) -> None:
    """If the parent message is gone, Slack refuses the edit, and the plain retry is a message of its own."""
    with SlackStandIn() as slack:
        channel = Slack(TOKEN, "#incidents", slack.url)
        message = a_letter(channel="slack", step="edit", previous={"channel": "C1", "ts": "1.2"})
        assert wire.deliverer.deliver(channel, message, wire.deadline()) == Refused("Slack: message_not_found")
        plain = a_letter(channel="slack", step="edit", previous={"channel": "C1", "ts": "1.2"}, minimal=True)
        assert isinstance(wire.deliverer.deliver(channel, plain, wire.deadline()), Delivered)
        assert len(slack.messages) == 1


def test_a_webhook_gets_a_message(wire: Wire) -> None:
    """Without a bot an incoming webhook gets each message as one of its own."""
    with SlackStandIn() as slack:
        channel = SlackWebhook(Secret(slack.webhook_url))
        assert wire.deliverer.deliver(channel, a_letter(step="post"), wire.deadline()) == Delivered()
        assert len(slack.messages) == 1


def test_without_any_key_the_page_is_printed(wire: Wire) -> None:
    """With no channel configured the log shows the whole page."""
    assert wire.deliverer.deliver(Log(), a_letter(step="print"), wire.deadline()) == Delivered()
    assert a_report().title in wire.printed[0]
    assert all(len(line) <= 100 or "http" in line for line in wire.printed[0].splitlines())


@pytest.mark.parametrize(
    "fault",
    [server.reset(), server.swallow(), server.hang(5.0), server.drip(0.5), server.status(503), server.status(302)],
)
def test_trouble_on_the_wire_is_tried_later(wire: Wire, fault: server.Fault) -> None:
    """A vendor that resets, dies, hangs or drips costs one attempt, within its deadline."""
    with PagerDutyStandIn() as pager:
        pager.faults.append(fault)
        began = time.monotonic()
        outcome = wire.deliverer.deliver(PagerDuty(KEY, pager.url), a_letter(), wire.deadline(0.6))
        assert isinstance(outcome, TryLater), outcome
        assert outcome.reason
        assert time.monotonic() - began < 3.0


def test_retry_after_arrives(wire: Wire) -> None:
    """The delay that the vendor requests reaches the outbox."""
    with SlackStandIn() as slack:
        slack.faults.append(server.status(429, Retry_After="17"))
        message = a_letter(channel="slack", step="post")
        assert wire.deliverer.deliver(Slack(TOKEN, "#x", slack.url), message, wire.deadline()) == TryLater(
            "HTTP 429", 17.0, limited=True
        )


def test_nobody_there_is_tried_later_without_telling_the_address(wire: Wire) -> None:
    """An address that is itself a secret does not show in the reason."""
    with SlackStandIn() as slack:
        secret = Secret(f"{slack.url}/services/T0/B0/exampleexample")
    deliverer = Deliverer(wire.outgoing, RealClock(), wire.printed.append, (secret,))
    outcome = deliverer.deliver(SlackWebhook(secret), a_letter(step="post"), wire.deadline(2.0))
    assert isinstance(outcome, TryLater)
    assert "exampleexample" not in outcome.reason


def test_every_secret_is_scrubbed_from_every_reason(wire: Wire) -> None:
    """Even another channel's key, echoed by a confused vendor, is not logged."""
    with PagerDutyStandIn() as pager:
        pager.faults.append(
            server.status(400, f'{{"status":"invalid event","message":"bad {TOKEN.reveal()}"}}'.encode())
        )
        outcome = wire.deliverer.deliver(PagerDuty(KEY, pager.url), a_letter(), wire.deadline())
        assert isinstance(outcome, Refused)
        assert TOKEN.reveal() not in outcome.reason


def test_nothing_is_sent_after_the_deadline(wire: Wire) -> None:
    """An attempt that is already late leaves the wire alone."""
    with PagerDutyStandIn() as pager:
        outcome = wire.deliverer.deliver(PagerDuty(KEY, pager.url), a_letter(), Deadline(0.0))
        assert isinstance(outcome, TryLater)
        assert pager.calls == []


def test_a_request_shows_no_secret() -> None:
    """A request that ends in a traceback or a log shows neither address nor headers."""
    request: Request = Slack(TOKEN, "#x").render(_letter())
    assert TOKEN.reveal() not in repr(request)
    assert repr(Response(200, b"ok"))


def _letter() -> ClaimedMessage:
    return a_letter(channel="slack", step="post")
