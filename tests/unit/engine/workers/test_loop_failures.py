"""Loops that fail again and again rest before they restart, make the instance unready and are paged once."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from responder.engine.workers.failure_page import FailurePage
from responder.engine.workers.loop import Loop
from responder.engine.workers.loop_failures import MANY, LoopFailures
from responder.model.secret import Secret
from responder.notify.channels.pagerduty import PagerDuty
from responder.notify.channels.slack import Slack
from responder.notify.delivery.deliver import Deliverer
from responder.outgoing import Outgoing
from responder.standins.pagerduty import PagerDutyStandIn
from responder.standins.server import status
from responder.standins.slack import SlackStandIn
from tests.conftest import HandClock
from tests.unit.engine.test_pipeline import a_desk

KEY, TOKEN = Secret("k" * 32), Secret("xoxb-1")


def fail(failures: LoopFailures, clock: HandClock, times: int, name: str = "triage") -> list[float]:
    """Let a loop fail as soon as it may restart; return its rests."""
    rests = []
    for _ in range(times):
        clock.move(failures.rest(name) + 0.3)
        failures.add(name)
        rests.append(failures.rest(name))
    return rests


def test_a_loop_that_fails_again_and_again_rests_longer_each_time(clock: HandClock) -> None:
    """A single error costs no time; later ones leave the other loops time to work, and the rest ends at a minute."""
    failures = LoopFailures(clock)
    assert fail(failures, clock, 12) == pytest.approx([0, 0, 0, 0.5, 1, 2, 4, 8, 16, 32, 60, 60])
    assert failures.rest("diagnosis") == 0
    clock.move(400)
    assert fail(failures, clock, 1) == [0]


def test_the_same_error_in_several_workers_counts_once(clock: HandClock) -> None:
    """The number of workers does not make a loop rest."""
    failures = LoopFailures(clock)
    for _ in range(10):
        failures.add("triage")
    assert (failures.rest("triage"), failures.reason()) == (0, "")


def test_the_instance_is_unready_until_the_failures_end(clock: HandClock) -> None:
    """A sentence names the loops while they fail, and is gone some time after the last failure."""
    failures = LoopFailures(clock)
    fail(failures, clock, MANY - 1)
    assert failures.reason() == ""
    fail(failures, clock, 1)
    assert failures.reason().startswith(f"engine loops fail repeatedly: triage ({MANY} times in a row); ")
    clock.move(31)
    assert failures.reason() == ""


def test_a_new_worker_knows_of_the_failures_before_it(clock: HandClock) -> None:
    """Workers share the memory made before the fork: a failure ends the process that counts it."""
    failures = LoopFailures(clock)
    fail(failures, clock, 4)
    if (child := os.fork()) == 0:
        fail(failures, clock, 1)
        os._exit(0)
    os.waitpid(child, 0)
    assert list(failures.repeated().values()) == [5]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_loop_counts_its_failure_and_waits_before_it_starts(clock: HandClock) -> None:
    """The next loop of that name does nothing until its rest is over."""
    failures, ended, begun = LoopFailures(clock), threading.Event(), threading.Event()
    fail(failures, clock, 8)

    def step() -> float:
        begun.set()
        raise KeyError("unforeseen")

    waiting = Loop("triage", step, ended.set, failures)
    waiting.start()
    assert not begun.wait(0.2)
    waiting.stop(5)
    clock.move(60)
    loop = Loop("triage", step, ended.set, failures)
    loop.start()
    assert ended.wait(5)
    loop.stop(5)
    assert list(failures.repeated().values()) == [9]


class Vendors:
    """PagerDuty and Slack, and a worker that pages about failures on them."""

    def __init__(self, pagerduty: PagerDutyStandIn, slack: SlackStandIn, outgoing: Outgoing, clock: HandClock) -> None:
        self.pagerduty, self.slack = pagerduty, slack
        self.failures = LoopFailures(clock)
        channels = {"slack": Slack(TOKEN, "#incidents", slack.url), "pagerduty": PagerDuty(KEY, pagerduty.url)}
        desk = replace(a_desk(), channels=channels)
        deliverer = Deliverer(outgoing, clock, lambda _page: None)
        self.page = FailurePage(self.failures, lambda: desk, deliverer, clock, "node-1")


@pytest.fixture
def vendors(clock: HandClock) -> Iterator[Vendors]:
    """Both vendors, who accept everything."""
    outgoing = Outgoing(clock)
    with PagerDutyStandIn() as pagerduty, SlackStandIn(token=TOKEN.reveal()) as slack:
        yield Vendors(pagerduty, slack, outgoing, clock)
    outgoing.close()


def test_failing_loops_are_paged_once_and_resolved(vendors: Vendors, clock: HandClock) -> None:
    """On-call gets one page past the database, however often the loops fail, and its resolve when they work again."""
    vendors.page.step()
    assert vendors.pagerduty.events == []
    for _ in range(3):
        fail(vendors.failures, clock, MANY)
        vendors.page.step()
    [event] = vendors.pagerduty.events
    assert event.dedup_key == "responder-loops/node-1"
    assert "responder on node-1 may not page" in event.summary
    assert vendors.slack.messages == []
    clock.move(200)
    vendors.page.step()
    vendors.page.step()
    assert [each.body["event_action"] for each in vendors.pagerduty.events] == ["trigger", "resolve"]


def test_another_channel_gets_the_page_that_pagerduty_does_not_accept(vendors: Vendors, clock: HandClock) -> None:
    """The page goes to any channel that still works."""
    vendors.pagerduty.stop()
    fail(vendors.failures, clock, MANY)
    vendors.page.step()
    assert any("responder on node-1 may not page" in message.text for message in vendors.slack.messages)
    assert vendors.failures.page is not None
    assert vendors.failures.page.channel == "slack"


def test_the_page_is_tried_again_after_a_minute(vendors: Vendors, clock: HandClock) -> None:
    """While no channel accepts it, all are tried once a minute."""
    vendors.pagerduty.faults.append(status(500))
    vendors.slack.stop()
    for _ in range(3):
        fail(vendors.failures, clock, MANY)
        vendors.page.step()
        clock.move(61)
    assert len(vendors.pagerduty.events) == 1


def test_failures_in_quick_succession_are_repeated_failure(clock: HandClock) -> None:
    """On a fast machine a worker fails twenty times a second: that is repeated failure within seconds."""
    failures = LoopFailures(clock)
    for _ in range(100):
        clock.move(0.05)
        failures.add("triage")
    assert failures.reason().startswith("engine loops fail repeatedly: triage")
