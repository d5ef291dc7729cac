"""A loop never dies quietly."""

from __future__ import annotations

import threading
from collections.abc import Mapping, MutableMapping
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from responder.bootstrap import SystemClock
from responder.engine.workers.loop import Loop
from responder.engine.workers.loop_failures import LoopFailures
from responder.store.database import StoreError


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_unforeseen_error_ends_the_process_and_not_just_the_thread() -> None:
    """A worker without its engine would accept alerts and never page."""
    ended = threading.Event()

    def step() -> float:
        raise KeyError("unforeseen")

    loop = Loop("triage", step, ended.set, LoopFailures(SystemClock()))
    loop.start()
    assert ended.wait(5)
    loop.stop(5)
    assert not loop.alive


def test_a_database_that_refuses_is_tried_again() -> None:
    """An outage of the database ends by itself."""
    tried = threading.Semaphore(0)
    outcomes = iter([StoreError("locked")])

    def step() -> float:
        tried.release()
        if error := next(outcomes, None):
            raise error
        return 0.01

    loop = Loop("courier", step, lambda: None, LoopFailures(SystemClock()))
    loop.start()
    assert all(tried.acquire(timeout=5) for _ in range(3))
    loop.stop(5)


def test_an_outage_of_the_database_does_not_fill_the_disk_with_its_log() -> None:
    """A long outage is logged once, with each other reason and its end: not at every attempt."""
    refusals = iter([StoreError("gone"), StoreError("gone"), StoreError("starting"), StoreError("starting")])
    over = threading.Event()

    def step() -> float:
        if error := next(refusals, None):
            raise error
        over.set()
        return 3600.0

    loop = Loop("courier", step, lambda: None, LoopFailures(SystemClock()))
    with capture_logs() as told:
        loop.start()
        assert over.wait(5)
        loop.stop(5)
    assert [(each["event"], each.get("reason")) for each in told] == [
        ("engine.store_failed", "gone"),
        ("engine.store_failed", "starting"),
        ("engine.store_recovered", None),
    ]


def test_waking_cuts_the_rest_short() -> None:
    """A stored notification is decided now and not at the next poll."""
    steps = threading.Semaphore(0)

    def step() -> float:
        steps.release()
        return 3600.0

    loop = Loop("triage", step, lambda: None, LoopFailures(SystemClock()))
    loop.start()
    assert steps.acquire(timeout=5)
    loop.wake()
    assert steps.acquire(timeout=5)
    loop.stop(5)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_log_that_raises_does_not_keep_a_dead_loop_alive() -> None:
    """The process ends although even the line that says why cannot be written."""
    ended = threading.Event()

    def fails(_logger: object, _method: str, _event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        raise OSError(32, "Broken pipe")

    def step() -> float:
        raise KeyError("unforeseen")

    before = structlog.get_config()
    structlog.configure(processors=[fails])
    try:
        loop = Loop("triage", step, ended.set, LoopFailures(SystemClock()))
        loop.start()
        assert ended.wait(5)
        loop.stop(5)
    finally:
        structlog.configure(**before)
