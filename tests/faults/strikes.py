"""Fault injection for processes, databases, probes and clocks: each function starts a fault, waits, and ends it."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TypeVar

from sqlalchemy import select, text

from responder.rulebook.load import revision_of, text_of
from responder.standins import butterfly
from responder.store.database import Database, StoreError
from responder.store.maintenance import kept_rules
from responder.store.schema.tables import incidents
from tests.faults.disk import full
from tests.faults.world import OutdatedRules, World
from tests.support.slow_clients import KINDS, SlowClients

Found = TypeVar("Found")
#: How long replicas may take to open files again that were deleted or replaced, and to follow the first one.
_OPEN_SECONDS, _FOLLOW_SECONDS = 5.0, 0.6
#: Takes the world, the duration in seconds, and a random generator for other choices.
Strike = Callable[[World, float, Random], None]

#: Connections of each kind of slow client, more than all threads of a replica.
_CLIENTS = 30


def kill_worker(world: World, _seconds: float, dice: Random) -> None:
    """SIGKILL a worker process, with its share of the engine in it."""
    dice.choice(world.replicas).kill_worker(dice.randrange(8))


def kill_at_press(world: World, seconds: float, dice: Random) -> None:
    """SIGKILL every worker of a replica while a person presses: before the answer, or before what follows from it."""
    victim, press = dice.choice(world.replicas), Random(dice.random())
    pressing = threading.Thread(target=world.presses.act, args=(press,), daemon=True)
    alone = len(world.replicas) == 1
    with world.timeline.unreachable("every worker is killed") if alone else contextlib.nullcontext():
        pressing.start()
        time.sleep(seconds)
        for pid in sorted(victim.workers()):
            victim.kill_process(pid)
        time.sleep(_REPLACED_SECONDS if alone else 0.0)
    pressing.join()


def kill_replica(world: World, seconds: float, dice: Random) -> None:
    """SIGKILL a whole replica, and start it again."""
    victim = dice.choice(world.replicas)
    alone = len(world.replicas) == 1
    with world.timeline.unreachable("no replica runs") if alone else contextlib.nullcontext():
        victim.kill()
        time.sleep(seconds)
        victim.start()


def lose_log(world: World, seconds: float, dice: Random) -> None:
    """A replica goes on with a log that raises or blocks at each line, and one of its workers is killed."""
    victim = dice.choice(world.replicas)
    log = dice.choice(("dead", "hung"))
    alone = len(world.replicas) == 1
    with world.timeline.unreachable(f"a replica starts with a {log} log") if alone else contextlib.nullcontext():
        victim.kill()
        time.sleep(seconds)
        victim.start(log=log)
    break_engine_thread(world, 0.2, dice)


def break_engine_thread(world: World, seconds: float, _dice: Random) -> None:
    """Raise an unexpected error in the senders: the database refuses to change a message, as a bug would.

    A thread cannot be killed from outside. What kills one in practice is an exception, so that is what it gets.
    """
    database = Database(world.database_url)
    ruin, mend = (_BREAK_SQLITE, _MEND_SQLITE) if database.is_sqlite else (_BREAK_POSTGRES, _MEND_POSTGRES)
    try:
        with world.timeline.unreachable("each engine thread that touches a message dies"):
            _again_and_again(database, *ruin)
            time.sleep(seconds)
            _again_and_again(database, *mend)
    finally:
        database.close()


# In both an integrity error, which nothing in the engine expects of a message.
_BREAK_SQLITE = (
    "CREATE TRIGGER fault BEFORE UPDATE ON messages BEGIN SELECT RAISE(ABORT, 'a fault of the suite'); END",
)
_BREAK_POSTGRES = (
    "CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE check_violation; END'",
    "CREATE TRIGGER fault BEFORE UPDATE ON messages FOR EACH ROW EXECUTE FUNCTION fault()",
)
_MEND_SQLITE = ("DROP TRIGGER fault",)
_MEND_POSTGRES = ("DROP FUNCTION fault CASCADE",)


def _again_and_again(database: Database, *statements: str) -> None:
    while True:
        with contextlib.suppress(StoreError), database.write() as connection:
            for sql in statements:
                connection.execute(text(sql))
            return
        time.sleep(0.05)


def delete_log(world: World, _seconds: float, dice: Random) -> None:
    """Delete `-wal` or `-shm` of the database in use, as an operator who frees disk space."""
    log = _database_file(world).with_name(f"responder.db{dice.choice(('-wal', '-shm'))}")
    with world.timeline.unreachable(f"{log.name} is deleted"):
        log.unlink()
        _opened_again(log)


def replace_database(world: World, seconds: float, _dice: Random) -> None:
    """Put an empty file in the place of the database in use, and the database back after a while."""
    file = _database_file(world)
    aside, empty = file.with_name("aside"), file.with_name("empty")
    with world.timeline.unreachable("the database is replaced by an empty file"):
        os.link(file, aside)
        empty.touch()
        empty.replace(file)
        time.sleep(max(1.0, seconds))
        aside.replace(file)
        time.sleep(_FOLLOW_SECONDS)


def _database_file(world: World) -> Path:
    return Path(world.database_url.partition(":///")[2])


def _opened_again(log: Path) -> None:
    """Wait until a process has opened the database with a new log, and a moment for the others to follow."""
    end = time.monotonic() + _OPEN_SECONDS
    while not log.exists():
        if time.monotonic() > end:
            raise TimeoutError(f"{log} was not opened again")
        time.sleep(0.02)
    time.sleep(_FOLLOW_SECONDS)


def restart_postgres(world: World, seconds: float, _dice: Random) -> None:
    """PostgreSQL ends every session as an administrator would have it, and is back after a while."""
    assert world.postgres is not None
    with world.timeline.unreachable("PostgreSQL is restarted"):
        world.postgres.stop()
        time.sleep(seconds)
        world.postgres.start()


def kill_postgres(world: World, seconds: float, _dice: Random) -> None:
    """PostgreSQL dies with all its sessions, and recovers."""
    assert world.postgres is not None
    with world.timeline.unreachable("PostgreSQL was killed"):
        world.postgres.kill()
        time.sleep(seconds)
        world.postgres.start()


def disk_full(world: World, seconds: float, _dice: Random) -> None:
    """Not a byte is left for SQLite."""
    assert world.disk is not None
    with world.timeline.unreachable("the disk is full"), full(world.disk):
        time.sleep(seconds)


def hang_probes(world: World, seconds: float, _dice: Random) -> None:
    """No health endpoint answers."""
    world.timeline.note("every probe hangs")
    for service in butterfly.SERVICES:
        world.butterfly.set(service, butterfly.slow(60))
    time.sleep(seconds)
    for service in butterfly.SERVICES:
        world.butterfly.set(service, butterfly.up())
    world.timeline.note("probes are answered again")


def reload_and_kill(world: World, seconds: float, _dice: Random) -> None:
    """Change the rules, break them, and replace every worker while they are broken; mend them at the end."""
    file = world.rules / "all.yaml"
    before = text_of(world.rules)
    valid = before[file.name] + b"# changed\n"
    wanted = revision_of({file.name: valid})
    database = Database(world.database_url)
    try:
        file.write_bytes(valid)
        if not _eventually(lambda: kept_rules.load(database), lambda text: text.revision == wanted):
            world.timeline.note("the changed rules were not kept")
            return
        world.timeline.note("the rules are broken, and every worker is replaced")
        file.write_bytes(b"rules: [")
        for number in range(2):
            old = [(replica, pid) for replica in world.replicas for pid in sorted(replica.workers())[:1]]
            with world.timeline.unreachable("workers read the rules") if number else contextlib.nullcontext():
                for replica, pid in old:
                    replica.kill_process(pid)
                time.sleep(_REPLACED_SECONDS)
        _eventually(lambda: _outdate(world, database, revision_of(before)), bool)
        time.sleep(seconds)
    finally:
        file.write_bytes(valid)
        database.close()


#: Time in which a killed worker is replaced and has read the rules, in seconds.
_REPLACED_SECONDS = 3.0
_KEPT_SECONDS = 15.0


def _outdate(world: World, database: Database, revision: str) -> bool:
    """From now on nothing may be decided by a revision."""
    with database.read() as connection:
        known = frozenset(connection.execute(select(incidents.c.id)).scalars())
    world.outdated.append(OutdatedRules(revision, known))
    return True


def _eventually(read: Callable[[], Found | None], right: Callable[[Found], bool]) -> bool:
    """True once something is read that is right, False if that takes too long."""
    until = time.monotonic() + _KEPT_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(StoreError):
            found = read()
            if found is not None and right(found):
                return True
        time.sleep(0.1)
    return False


def half_requests(world: World, seconds: float, _dice: Random) -> None:
    """Clients without a token hold many connections to each replica, and send half a request or never close."""
    world.timeline.note("clients send half requests")
    with contextlib.ExitStack() as held:
        for replica in world.replicas:
            for begin, drip in KINDS.values():
                held.enter_context(SlowClients(replica.address, begin, drip, _CLIENTS))
        time.sleep(seconds)
    world.timeline.note("clients are gone")


def move_clock(ahead: int) -> Strike:
    """Every replica's wall clock jumps by so many seconds, and back."""

    def strike(world: World, seconds: float, _dice: Random) -> None:
        _set_clocks(world, ahead)
        time.sleep(seconds)
        _set_clocks(world, 0)

    return strike


def _set_clocks(world: World, ahead: int) -> None:
    world.timeline.note(f"the clocks say {ahead:+} s")
    for replica in world.replicas:
        replica.set_clock(ahead)
