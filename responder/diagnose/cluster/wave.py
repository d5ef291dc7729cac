"""Asks for the reads of one wave at the same time, and returns what is answered by its end."""

import queue
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace

from responder.diagnose.cluster.objects import Object
from responder.diagnose.cluster.reader import MOST_THREADS, Read, Reader, UnseenError
from responder.diagnose.cluster.scene import Log, Scene, Unseen
from responder.model.clock import Clock, Deadline


def answered(scene: Scene, reads: Iterable[Read], reader: Reader, until: Deadline, clock: Clock) -> Scene:
    """Return the scene with the answers to ``reads`` that arrive by ``until``, asked at the same time."""
    wanted, started = tuple(dict.fromkeys(reads)), clock.monotonic()
    news: queue.SimpleQueue[tuple[Read, tuple[Object, ...] | Log | Unseen]] = queue.SimpleQueue()
    for read in wanted:
        if reader.slots.acquire(timeout=max(0.0, until.left(clock.monotonic()))):
            threading.Thread(target=_ask, args=(read, reader, until, news.put), name="kubernetes", daemon=True).start()
        else:
            why = f"not read: all {MOST_THREADS} threads that read the cluster are busy"
            news.put((read, Unseen(what=read.what, why=why)))
    found: dict[str, list[Object]] = {}
    logs: list[Log] = []
    unseen: list[Unseen] = []
    missing = dict.fromkeys(wanted)
    while missing:
        try:
            read, answer = news.get(timeout=max(0.001, until.left(clock.monotonic())))
        except queue.Empty:
            break
        del missing[read]
        match answer:
            case Unseen():
                unseen.append(answer)
            case Log():
                logs.append(answer)
            case _:
                found.setdefault(read.kind, []).extend(answer)
    late = f"no answer within {clock.monotonic() - started:.1f} s"
    unseen += [Unseen(what=read.what, why=late) for read in missing]
    read_now = {(read.kind, read.namespace) for read in wanted if read.kind in found}
    return replace(scene.with_more(found, logs, dict.fromkeys(unseen)), reads=scene.reads | read_now)


def _ask(
    read: Read, reader: Reader, until: Deadline, put: Callable[[tuple[Read, tuple[Object, ...] | Log | Unseen]], None]
) -> None:
    try:
        put((read, reader.log(read, until) if read.pod else reader.objects(read, until)))
    except UnseenError as error:
        put((read, error.unseen))
    finally:
        reader.slots.release()
