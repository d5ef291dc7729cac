"""The senders of a process: one loop, one set of threads, one poll of the outbox, for any number of channels."""

import threading
from collections import Counter
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

from responder.engine.effects.context import DecisionContext
from responder.engine.workers.delivery import POLL, DeliveryWorker
from responder.model.clock import Clock
from responder.notify.contract import Channel
from responder.notify.delivery.deliver import Deliverer
from responder.store.database import Database
from responder.store.outbox import claims
from responder.store.outbox.claims import ChannelQueue

#: How long messages of an unknown channel are left to newer processes, which may know it during a rolling update.
GRACE = timedelta(seconds=30)
#: Threads of a process that send. They are started when they are needed.
THREADS = 32
#: Seconds after the claim of a released page until the next poll, so that the page is sent first.
LATER = 0.02


class Senders:
    """Has a worker for each channel of the rules in force, and one for channels that are no longer configured.

    Channels come and go with the rules. ``on_free`` is called when an attempt has ended.
    """

    def __init__(
        self,
        database: Database,
        context: Callable[[], DecisionContext],
        deliverer: Deliverer,
        clock: Clock,
        chance: Callable[[], float],
        *,
        on_free: Callable[[], None],
    ) -> None:
        self._database = database
        self._context = context
        self._threads = SenderThreads(THREADS)
        self._new: Callable[[ChannelQueue, str], DeliveryWorker] = lambda queue, vendor: DeliveryWorker(
            database,
            queue,
            context,
            deliverer,
            clock,
            chance,
            free=partial(self._threads.free, vendor),
            submit=partial(self._threads.submit, vendor),
            on_free=on_free,
        )
        self._workers: dict[ChannelQueue, tuple[type[Channel] | None, DeliveryWorker]] = {}
        self._retired: list[DeliveryWorker] = []
        self._seen: DecisionContext | None = None
        self._removed: frozenset[str] = frozenset()

    def step(self) -> float:
        """Let the worker of each channel with something to do take a step. Returns the seconds to rest."""
        self._follow_rules()
        released = any(worker.expecting for _kind, worker in self._workers.values())
        waiting = frozenset() if released else claims.waiting_channels(self._database)
        rests = [POLL]
        for queue, (_kind, worker) in self._workers.items():
            if worker.active or any(queue.has(channel) for channel in waiting):
                rests.append(worker.step())
        for worker in [*self._retired]:
            rests.append(worker.step())
            if not worker.active:
                self._retired.remove(worker)
        return max(min(rests), LATER) if released else min(rests)

    def expect(self, channels: Collection[str]) -> None:
        """Claim in the next step without polling first: messages were just released."""
        for queue, (_kind, worker) in [*self._workers.items()]:
            if not queue.rest and queue.channels[0] in channels:
                worker.expecting = True

    def close(self, seconds: float) -> None:
        """Let running attempts end within ``seconds``; those without a recorded result are sent again."""
        self._threads.close(seconds)
        for worker in (*self._retired, *(worker for _kind, worker in self._workers.values())):
            worker.close()

    def _follow_rules(self) -> None:
        """Start a worker for each new channel, and end the claims of those that are gone or of another kind."""
        context = self._context()
        if context is self._seen:
            return
        if self._seen is not None:
            self._removed = (self._removed | self._seen.channels.keys()) - context.channels.keys()
        known = {name: type(channel) for name, channel in context.channels.items()}
        wanted = {
            queue: None if queue.rest else known.get(queue.channels[0])
            for queue in channel_queues(context.channels, sorted(self._removed))
        }
        workers = {}
        for queue, (kind, worker) in self._workers.items():
            if queue in wanted and wanted[queue] is kind:
                workers[queue] = kind, worker
            else:
                worker.retire()
                self._retired.append(worker)
        for queue, kind in wanted.items():
            if queue not in workers:
                workers[queue] = kind, self._new(queue, kind.__name__ if kind else "")
        self._workers, self._seen = workers, context


def channel_queues(channels: Collection[str], removed: Collection[str] = ()) -> tuple[ChannelQueue, ...]:
    """Return one queue per channel, and one for channels that are not configured.

    Messages of those that a reload in this process has removed are handled at once: no newer process may know them.
    """
    names = (*channels, *removed)
    return (*(ChannelQueue((name,)) for name in names), ChannelQueue(names, rest=True, grace=GRACE))


class SenderThreads:
    """Threads that channels share, ``count`` of them. One kind of channel takes half of them at most.

    So a vendor that hangs leaves threads for the others.
    """

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="sender")
        self._most = max(1, count // 2)
        self._busy = Counter[str]()
        self._guard = threading.Lock()
        self._closed = False

    def free(self, vendor: str) -> int:
        """Return how many more messages of a kind may be sent at once."""
        with self._guard:
            return max(0, self._most - self._busy[vendor])

    def submit(self, vendor: str, send: Callable[[], None]) -> None:
        """Call ``send`` in one of the threads."""
        with self._guard:
            self._busy[vendor] += 1
        self._pool.submit(self._run, vendor, send)

    def close(self, seconds: float) -> None:
        """Let running calls end within ``seconds``, once."""
        if self._closed:
            return
        self._closed = True
        waiter = threading.Thread(target=self._pool.shutdown, daemon=True)
        waiter.start()
        waiter.join(seconds)

    def _run(self, vendor: str, send: Callable[[], None]) -> None:
        try:
            send()
        finally:
            with self._guard:
                self._busy[vendor] -= 1
