"""Refused requests over a real database: one incident about responder itself, which resolves by itself."""

from __future__ import annotations

from datetime import timedelta

import pytest

from responder.engine.jobs.own_incidents import EVERY, OUTSIDE_HOLD, SINGLE_PAGES, RefusedPayloads, quiet_period
from responder.engine.jobs.recheck import RecheckJob
from responder.engine.workers.triage import IncidentWriter
from responder.store.database import Database
from responder.store.inbox.inbox import Inbox
from responder.store.incidents import incidents
from tests.conftest import HandClock
from tests.support.jobs import RunJobs
from tests.unit.engine.test_pipeline import a_desk
from tests.unit.receive.test_alertmanager import a_body, to_bytes


class Refusing(RunJobs):
    """An inbox that refuses, and the jobs that look at it."""

    def __init__(self, database: Database, clock: HandClock) -> None:
        context, writer = a_desk(), IncidentWriter(database, clock)
        self.quiet_period = quiet_period(context)
        self.inbox = Inbox(database)
        jobs = (
            RefusedPayloads(database, writer, lambda: context, clock),
            RecheckJob(database, writer, lambda: context, clock),
        )
        super().__init__(database, clock, EVERY, jobs)

    def refuse(self, status: int = 400, remote: str = "10.0.0.1", body: bytes = b"{}") -> None:
        """Refuse one request now."""
        self.inbox.set_aside(body, len(body), remote, status, '$.version: is neither "4" nor "1"', self._clock.now())

    def titles(self) -> list[str]:
        """The titles of the open incidents."""
        with self._database.read() as connection:
            return [each.title for each in incidents.open_ones(connection)]


@pytest.fixture
def refusing(database: Database, clock: HandClock) -> Refusing:
    """A database in which nothing happened yet."""
    return Refusing(database, clock)


@pytest.mark.parametrize("status", [400, 413, 415])
def test_refused_payloads_page_once_after_a_minute_and_resolve(refusing: Refusing, status: int) -> None:
    """Refusals that go on are one page with sender, status and alert, resolved when none has come for a while."""
    body = to_bytes(a_body(version="5"))
    refusing.refuse(status, body=body)
    refusing.passes(timedelta(seconds=50))
    assert refusing.sent() == []
    refusing.passes(timedelta(seconds=20))
    (title,) = refusing.titles()
    assert "10.0.0.1" in title
    assert str(status) in title
    assert "HighLatency" in title
    for _ in range(3):
        refusing.refuse(status, body=body)
        refusing.passes(timedelta(minutes=5))
    assert [step for channel, step in refusing.sent() if channel == "pagerduty"] == ["trigger"]
    refusing.passes(refusing.quiet_period)
    assert refusing.titles() == []
    assert [step for channel, step in refusing.sent() if channel == "pagerduty"] == ["trigger", "resolve"]


def test_many_senders_share_a_page(refusing: Refusing) -> None:
    """A change that breaks every sender sends few pages."""
    for number in range(50):
        refusing.refuse(remote=f"10.0.1.{number}")
    refusing.passes(timedelta(minutes=2))
    assert len(refusing.titles()) == SINGLE_PAGES + 1


@pytest.mark.parametrize("status", [401, 404])
def test_requests_from_outside_page_nobody_while_valid_notifications_arrive(refusing: Refusing, status: int) -> None:
    """A scanner or one wrong sender is one message on a channel that does not page."""
    for _ in range(8):
        refusing.inbox.keep(b"{}", "", refusing._clock.now())
        refusing.refuse(status, body=b"")
        refusing.passes(timedelta(minutes=10))
    assert {channel for channel, _ in refusing.sent()} == {"slack"}
    assert len(refusing.titles()) == 1
    refusing.passes(OUTSIDE_HOLD)
    assert refusing.titles() == []


@pytest.mark.parametrize("status", [401, 404])
def test_requests_from_outside_page_if_nothing_valid_arrives_for_an_hour(refusing: Refusing, status: int) -> None:
    """A token that was changed on one side only is paged: no alert would be."""
    refusing.inbox.keep(b"{}", "", refusing._clock.now())
    for _ in range(15):
        refusing.passes(timedelta(minutes=5))
        refusing.refuse(status, body=b"")
    refusing.passes(timedelta(minutes=1))
    assert [step for channel, step in refusing.sent() if channel == "pagerduty"] == ["trigger"]


def test_one_request_from_outside_never_pages(refusing: Refusing) -> None:
    """A single stray request on a quiet day is a message."""
    refusing.refuse(401, body=b"")
    refusing.passes(timedelta(hours=3))
    assert {channel for channel, _ in refusing.sent()} == {"slack"}


def test_a_page_names_an_alert_that_the_newest_payload_does_not_name(refusing: Refusing) -> None:
    """The name of an alert is read from an earlier refused payload if the newest one has none."""
    refusing.refuse(body=to_bytes(a_body(version="5")))
    refusing.passes(timedelta(seconds=50))
    refusing.refuse(body=b"not json")
    refusing.passes(timedelta(seconds=20))
    (title,) = refusing.titles()
    assert "HighLatency" in title
