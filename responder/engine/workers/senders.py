"""The senders of a process: one loop, one set of threads, one poll of the outbox, for any number of channels."""

from collections.abc import Callable, Collection
from datetime import timedelta

from responder.engine.effects.context import DecisionContext
from responder.engine.workers.delivery import POLL, DeliveryWorker
from responder.engine.workers.sender_threads import SenderThreads
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
        self._new: Callable[[ChannelQueue], DeliveryWorker] = lambda queue: DeliveryWorker(
            database, queue, context, deliverer, clock, chance, on_free=on_free, threads=self._threads
        )
        self._workers: dict[ChannelQueue, tuple[type[Channel] | None, DeliveryWorker]] = {}
        self._retired: list[DeliveryWorker] = []
        self._seen: DecisionContext | None = None

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
                worker.expect()

    def close(self, seconds: float) -> None:
        """Let running attempts end within ``seconds``; those without a recorded result are sent again."""
        self._threads.close(seconds)
        for worker in (*self._retired, *(worker for _kind, worker in self._workers.values())):
            worker.close(0.0)

    def _follow_rules(self) -> None:
        """Start a worker for each new channel, and end the claims of those that are gone or of another kind."""
        context = self._context()
        if context is self._seen:
            return
        wanted = {
            queue: None if queue.rest else type(context.channels[queue.channels[0]])
            for queue in channel_queues(context.channels)
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
                workers[queue] = kind, self._new(queue)
        self._workers, self._seen = workers, context


def channel_queues(channels: Collection[str]) -> tuple[ChannelQueue, ...]:
    """Return one queue per channel, and one for channels that are no longer configured."""
    names = tuple(channels)
    return (*(ChannelQueue((name,)) for name in names), ChannelQueue(names, rest=True, grace=GRACE))
