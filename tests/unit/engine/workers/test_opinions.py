"""Opinions of outside investigators follow in the thread; pages neither wait for them nor change."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from responder.diagnose.contract import ProbeTools, Sources
from responder.diagnose.prober import Prober
from responder.diagnose.probes import PROBES
from responder.diagnose.probes.investigator import InvestigatorSpec
from responder.engine.workers.diagnosis import OPINIONS_AT_ONCE, OpinionWorker
from responder.outgoing import Outgoing
from responder.standins.server import status
from responder.store.database import Database
from tests.conftest import HandClock
from tests.support.investigator import Investigator
from tests.unit.diagnose.conftest import a_probe
from tests.unit.engine.test_pipeline import EVERYTHING, TCP, a_desk
from tests.unit.engine.workers.test_triage import FIRING, Shop
from tests.unit.receive.test_alertmanager import a_body

#: Seconds within which an answer on loopback arrives.
SOON = 5.0


@pytest.fixture
def holmes() -> Iterator[Investigator]:
    """The stand-in."""
    with Investigator() as server:
        yield server
        server.free.set()


@pytest.fixture
def shop(database: Database, clock: HandClock, holmes: Investigator) -> Iterator[Shop]:
    """A shop whose rule names the investigator beside a probe."""
    found = Shop(database, clock)
    use(found, holmes, "tcp", "it")
    outgoing = Outgoing(clock)
    prober = Prober(PROBES, ProbeTools(outgoing=outgoing, clock=clock), OPINIONS_AT_ONCE)
    opinions = OpinionWorker(database, lambda: found.context, prober, clock, lambda _channels: None)
    found.on_diagnosed = opinions.ask
    yield found
    holmes.free.set()
    found.diagnosis.close()
    prober.close()
    outgoing.close()


def use(shop: Shop, holmes: Investigator | None, *probes: str) -> None:
    """Reload rules with these probes."""
    context = a_desk(dataclasses.replace(EVERYTHING, probes=probes))
    known = {"tcp": TCP, "it": a_probe("investigator", InvestigatorSpec())}
    sources = Sources(investigator=f"{holmes.url}/api/chat" if holmes else "")
    shop.context = dataclasses.replace(context, book=dataclasses.replace(context.book, probes=known), sources=sources)


def diagnosed(shop: Shop, number: int = 1) -> None:
    """An alert fires, and its diagnosis is committed."""
    shop.begun.clear()
    shop.deliver(a_body(alerts=[FIRING], groupKey=f"g{number}"))
    shop.diagnosis.begin(shop.begun)
    for _ in shop.begun:
        assert shop.ended.acquire(timeout=SOON)
    shop.diagnosis.step()


def sent(shop: Shop, kind: str) -> list[tuple[str, str]]:
    """Channel and step of the messages of a kind."""
    rows = shop.rows(f"SELECT channel, step FROM messages WHERE kind = '{kind}' ORDER BY id")
    return [(channel, step) for channel, step in rows]


def eventually(true: Callable[[], bool]) -> None:
    """Wait until something is true, for at most SOON."""
    until = time.monotonic() + SOON
    while not true() and time.monotonic() < until:
        time.sleep(0.01)
    assert true()


def opinion_threads() -> int:
    """Threads that wait for an opinion."""
    return sum(thread.name == "opinion" for thread in threading.enumerate())


def test_an_opinion_follows_in_the_thread_and_the_page_does_not_wait(shop: Shop, holmes: Investigator) -> None:
    """The page leaves with its findings while the investigator works; its answer is a reply under its own name."""
    holmes.free.clear()
    diagnosed(shop)
    assert {row[0] for row in shop.rows("SELECT enrich FROM messages")} == {0}, "the pages are released"
    findings = shop.rows("SELECT findings, conclusion FROM contents")
    assert sent(shop, "opinion") == []
    holmes.free.set()
    eventually(lambda: bool(sent(shop, "opinion")))
    assert sent(shop, "opinion") == [("slack", "reply")], "and nothing for the pager"
    assert shop.rows("SELECT findings, conclusion FROM contents") == findings
    ((facts,),) = shop.rows("SELECT facts FROM messages WHERE kind = 'opinion'")
    assert b"HolmesGPT (not verified): The database is out of connections." in facts
    assert "refused after 1 ms" in holmes.asked[0]
    assert all(question.kind != "investigator" for asked in shop.asked for question in asked)


def test_an_investigator_alone_delays_no_page(shop: Shop, holmes: Investigator) -> None:
    """A rule with no other probe pages at once, and sends no diagnosis that found nothing."""
    use(shop, holmes, "it")
    diagnosed(shop)
    assert {row[0] for row in shop.rows("SELECT due_at - written_at FROM messages WHERE kind = 'start'")} == {0.0}
    eventually(lambda: bool(sent(shop, "opinion")))
    assert sent(shop, "late") == []


def test_without_an_address_nobody_is_asked(shop: Shop, holmes: Investigator) -> None:
    """A rule may name an investigator before there is one."""
    use(shop, None, "tcp", "it")
    diagnosed(shop)
    assert (opinion_threads(), holmes.calls) == (0, [])


def test_a_failure_is_logged_and_sends_nothing(shop: Shop, holmes: Investigator) -> None:
    """A failing investigator costs its opinion only."""
    holmes.faults.append(status(500, b"<html>"))
    diagnosed(shop)
    eventually(lambda: bool(holmes.calls) and opinion_threads() == 0)
    assert sent(shop, "opinion") == []


def test_so_many_opinions_are_waited_for_at_a_time(shop: Shop, holmes: Investigator) -> None:
    """In a flood an investigator that hangs costs a bounded number of threads, and no incident waits for it."""
    holmes.free.clear()
    for number in range(OPINIONS_AT_ONCE + 3):
        diagnosed(shop, number)
    eventually(lambda: bool(holmes.asked) and opinion_threads() == OPINIONS_AT_ONCE)
    assert shop.rows("SELECT count(*) FROM messages WHERE kind = 'start' AND enrich") == [(0,)]
    holmes.free.set()
    eventually(lambda: len(sent(shop, "opinion")) == OPINIONS_AT_ONCE)
