"""A history shared out among processes: each decides groups of its own, and what they count is added up."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import chain, islice
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import msgspec

from responder.cli.backtest.history import RecordedNotification
from responder.cli.backtest.run import BacktestRun
from responder.cli.errors import FatalError
from responder.engine.effects.context import DecisionContext
from responder.rulebook.backtest.tally import Totals

FEW = 1_000
"""With fewer events than this, starting processes takes longer than they save."""
_BATCH = 50
"""Events handed over at a time. A pipe takes no more than its buffer, so history is read no faster than decided."""
_MOST = 8


class _Key(msgspec.Struct, rename="camel"):
    group_key: str = ""


_KEY = msgspec.json.Decoder(_Key)


def processes(before: DecisionContext, after: DecisionContext) -> int:
    """One for each processor; a single one where a rule makes one incident of several groups."""
    gathers = any(rule.gather for desk in (before, after) for rule in desk.book.rules)
    return 1 if gathers else min(_MOST, os.cpu_count() or 1)


class ParallelRun:
    """A replay in forked processes, or in this one where there is little to do. ``tally`` ends it.

    Make it before there are threads. A group always goes to the same process, which so sees all of it, in order.
    """

    def __init__(self, make: Callable[[], BacktestRun], events: Iterator[RecordedNotification], number: int) -> None:
        self._first = list(islice(events, FEW))
        self._rest = events
        self._alone = make() if number == 1 or len(self._first) < FEW else None
        self._pipes: list[Connection] = []
        self._processes: list[BaseProcess] = []
        self._waiting: list[list[RecordedNotification]] = [[] for _ in range(number)]
        for _ in range(0 if self._alone else number):
            self._start(make)

    def _start(self, make: Callable[[], BacktestRun]) -> None:
        context = get_context("fork")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(make, theirs, [*self._pipes, ours]), daemon=True)
        process.start()
        theirs.close()
        self._pipes.append(ours)
        self._processes.append(process)

    def run(self) -> Iterator[None]:
        """Decide one event after the other, or hand it out; yields after each, so that somebody may watch."""
        events = chain(self._first, self._rest)
        if self._alone:
            yield from self._alone.run(events)
            return
        for event in events:
            share = _share(event, len(self._pipes))
            self._waiting[share].append(event)
            if len(self._waiting[share]) >= _BATCH:
                self._send(share)
            yield

    def tally(self) -> Totals:
        """What was found."""
        if self._alone:
            return self._alone.tally
        for share in range(len(self._pipes)):
            self._send(share)
            self._put(share, None)
        total, *others = [self._get(pipe) for pipe in self._pipes]
        for process in self._processes:
            process.join()
        for other in others:
            total.include(other)
        return total

    def _send(self, share: int) -> None:
        batch, self._waiting[share] = self._waiting[share], []
        self._put(share, batch)

    def _put(self, share: int, batch: list[RecordedNotification] | None) -> None:
        try:
            self._pipes[share].send(batch)
        except OSError as error:
            raise FatalError(f"a process of the backtest has ended: {error.strerror}") from error

    def _get(self, pipe: Connection) -> Totals:
        try:
            found = pipe.recv()
        except EOFError as error:
            raise FatalError("a process of the backtest has ended before it was done") from error
        assert isinstance(found, Totals)
        return found


def _work(make: Callable[[], BacktestRun], pipe: Connection, others: list[Connection]) -> None:
    """Decide what is handed over until there is no more, then say what was found."""
    for other in others:
        other.close()
    replay = make()
    while (batch := pipe.recv()) is not None:
        for _ in replay.run(batch):
            pass
    pipe.send(replay.tally)


def _share(event: RecordedNotification, number: int) -> int:
    """Which process a group belongs to; what has no group belongs to the first."""
    if event.delivery is None:
        return 0
    try:
        key = _KEY.decode(event.delivery.body).group_key
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0
    return hash((event.delivery.cluster, key)) % number
