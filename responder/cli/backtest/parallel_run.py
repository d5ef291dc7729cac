"""Parallel replay: each process decides its own groups, and the results are added up."""

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

#: Events below which starting processes takes longer than it saves.
FEW = 1_000
#: Events per message to a process. A full pipe blocks, so history is read no faster than it is decided.
_BATCH = 50
#: Processes at most.
_MOST_PROCESSES = 8


class _Key(msgspec.Struct, rename="camel"):
    group_key: str = ""


_KEY = msgspec.json.Decoder(_Key)


def processes(before: DecisionContext, after: DecisionContext) -> int:
    """Return the number of processes: one per processor, but 1 if a rule gathers several groups in an incident."""
    gathers = any(rule.gather for context in (before, after) for rule in context.book.rules)
    return 1 if gathers else min(_MOST_PROCESSES, os.cpu_count() or 1)


class ParallelRun:
    """Replay in forked processes, or in this one if there are few events. ``tally`` ends it.

    Create it before any thread. A group always goes to the same process, which sees all of it in order.
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
        """Decide the events or pass them to a process, in order; yields after each, to report progress."""
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
        """Return the sum of the results. Raises FatalError if a process has died."""
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
            raise FatalError(f"a backtest process died: {error.strerror}") from error

    def _get(self, pipe: Connection) -> Totals:
        try:
            found = pipe.recv()
        except EOFError as error:
            raise FatalError("a backtest process died before it finished") from error
        assert isinstance(found, Totals)
        return found


def _work(make: Callable[[], BacktestRun], pipe: Connection, others: list[Connection]) -> None:
    """Decide the batches from ``pipe`` until None arrives, then send the result."""
    for other in others:
        other.close()
    replay = make()
    while (batch := pipe.recv()) is not None:
        for _ in replay.run(batch):
            pass
    pipe.send(replay.tally)


def _share(event: RecordedNotification, number: int) -> int:
    """Return the process number of a group; 0 without a group."""
    if event.notification is None:
        return 0
    try:
        key = _KEY.decode(event.notification.body).group_key
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0
    return hash((event.notification.cluster, key)) % number
