"""A long history is shared out among processes, and what follows twice is decided once: the answer stays the same."""

from __future__ import annotations

import json
import os
import random
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from responder import bootstrap
from responder.cli.backtest.history import RecordedNotification
from responder.cli.backtest.parallel_run import FEW, ParallelRun, processes
from responder.cli.backtest.run import BacktestRun
from responder.cli.errors import FatalError
from responder.engine.effects.context import DecisionContext
from responder.engine.simulation import Comparison, Simulation
from responder.model.delivery import Notification
from responder.receive.alertmanager import read
from responder.rulebook.backtest.outcome import outcome
from responder.settings import Settings
from tests.unit.cli.backtest.conftest import BEGAN, a_body


def context(sets: Path, name: str) -> DecisionContext:
    """Inputs of decisions under one of the two rule sets."""
    book = bootstrap.load_rules(f"{sets}/{name}", f"{sets}/runbooks")
    return bootstrap.context(Settings(), book, bootstrap.shown_channels(Settings()))


def events(number: int) -> Iterator[RecordedNotification]:
    """Notifications of twenty groups with random changes, and some nonsense."""
    chance = random.Random(11)
    for at in range(number):
        if chance.random() < 0.01:
            yield RecordedNotification(f"line {at}", None, "nonsense")
            continue
        size = chance.randint(1, 3)
        body = a_body(chance.choice(["Down", "Slow", "Odd", "Other"]), size, minute=at, over=chance.randint(0, size))
        body["groupKey"] += str(chance.randrange(5))
        notification = Notification(
            id=at + 1, received_at=BEGAN + timedelta(minutes=at), body=json.dumps(body).encode()
        )
        yield RecordedNotification(f"line {at}", notification)


@pytest.mark.parametrize("number", [FEW // 2, FEW + 500])
def test_however_many_processes_count_the_same(sets: Path, number: int) -> None:
    """The numbers of a gate do not depend on the machine it runs on."""
    before, after = context(sets, "before"), context(sets, "after")
    found = []
    for many in (1, 3):
        shares = ParallelRun(lambda: BacktestRun(before, after, 4), events(number), many)
        assert sum(1 for _ in shares.run()) == number
        found.append(shares.tally())
    assert found[0] == found[1]
    assert found[0].notifications + found[0].unread == number
    assert sum(pile.total > len(pile.kept) == 4 for pile in found[0].piles.values()) >= 3


def test_a_process_that_dies_is_told(sets: Path) -> None:
    """A backtest that lost a part of its work fails; it does not count what is left."""
    before, after = context(sets, "before"), context(sets, "after")
    shares = ParallelRun(lambda: BacktestRun(before, after, 4), events(FEW), 2)
    pid = shares._processes[0].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    shares._processes[0].join()
    with pytest.raises(FatalError, match="a backtest process died"):
        _to_the_end(shares)


def _to_the_end(shares: ParallelRun) -> None:
    list(shares.run())
    shares.tally()


def test_groups_that_rules_gather_stay_together(sets: Path) -> None:
    """If a rule merges several groups into one incident, one process decides them all."""
    before = context(sets, "before")
    rules = (replace(before.book.rules[0], gather=("alertname",)), *before.book.rules[1:])
    gathering = replace(before, book=replace(before.book, rules=rules))
    assert processes(before, gathering) == 1
    assert processes(before, before) == min(8, os.cpu_count() or 1)


def test_what_is_decided_once_is_what_would_be_decided_twice(sets: Path) -> None:
    """Sparing work changes no answer: each set says what it says by itself."""
    sets_of = (context(sets, "before"), context(sets, "after"))
    comparison, apart = Comparison(*sets_of), [Simulation(each) for each in sets_of]
    spared = 0
    for event in events(600):
        if event.notification is None:
            continue
        group = read(event.notification)
        together = comparison.decide(group, event.notification)
        spared += together[0] is together[1]
        for effects, alone in zip(together, apart, strict=True):
            assert outcome(effects, "pagerduty") == outcome(alone.decide(group, event.notification), "pagerduty")
    assert 100 < spared < 500


def test_rules_that_only_moved_are_the_same_rules(sets: Path) -> None:
    """Comments and lines that move do not make a backtest slow."""
    path = sets / "after" / "rules.yaml"
    path.write_text("# A comment\n" + (sets / "before" / "rules.yaml").read_text())
    comparison = Comparison(context(sets, "before"), context(sets, "after"))
    assert sorted(comparison._twins) == ["down", "slow", "unknown"]
