"""What can break: a plain dict. Each fault strikes the world, lasts for its seconds, and leaves it whole again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from sqlalchemy import text

from responder.standins import butterfly
from responder.standins.server import Call, StandIn, hang, reset, status, swallow, well
from responder.standins.server import Fault as Manner
from responder.store.database import CannotStore, Database
from tests.faults.disk import full
from tests.faults.world import World

Strike = Callable[[World, float, Random], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way to break something. Faults of one ``lane`` never strike together; those of different lanes do."""

    lane: str
    longest: float
    strike: Strike
    engine: str = ""
    """The database it needs, empty for both."""


def kill_worker(world: World, _seconds: float, dice: Random) -> None:
    """SIGKILL a worker process, with its share of the engine in it."""
    dice.choice(world.replicas).kill_worker(dice.randrange(8))


def kill_replica(world: World, seconds: float, dice: Random) -> None:
    """SIGKILL a whole replica, and start it again."""
    victim = dice.choice(world.replicas)
    alone = len(world.replicas) == 1
    with world.timeline.unreachable("no replica runs") if alone else contextlib.nullcontext():
        victim.kill()
        time.sleep(seconds)
        victim.start()


def break_engine_thread(world: World, seconds: float, _dice: Random) -> None:
    """Make the couriers meet an error nobody thought of: the database refuses to change a message, as a bug would.

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
        with contextlib.suppress(CannotStore), database.write() as connection:
            for sql in statements:
                connection.execute(text(sql))
            return
        time.sleep(0.05)


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


def misbehave(name: str, manner: Callable[[float], Callable[[Call], Manner]], *, away: bool) -> Strike:
    """PagerDuty or Slack behaves like this for a while; ``away`` where it takes no event meanwhile.

    ``manner`` gets the moment at which it ends, on the monotonic clock.
    """

    def strike(world: World, seconds: float, _dice: Random) -> None:
        server: StandIn = world.pagerduty if name == "PagerDuty" else world.slack
        what = f"{name}: {manner.__name__.strip('_')}"
        world.timeline.note(what)
        with world.timeline.unreachable(what) if away else contextlib.nullcontext():
            server.manner = manner(time.monotonic() + seconds)
            time.sleep(seconds)
            server.manner = well
        world.timeline.note(f"{name} is well again")

    return strike


def _answers_500(_until: float) -> Callable[[Call], Manner]:
    return lambda _call: status(500, b'{"status": "error", "message": "Internal Server Error"}')


def _answers_429(_until: float) -> Callable[[Call], Manner]:
    return lambda _call: status(429, b'{"status": "throttle exceeded", "message": "wait"}', Retry_After="1")


def _refuses_all_but_the_plainest(_until: float) -> Callable[[Call], Manner]:
    body = b'{"status": "invalid event", "message": "Event object is invalid", "errors": ["a fault of the suite"]}'
    return lambda call: status(400, body) if b'"01 ' in call.body else Manner()


def _hangs(until: float) -> Callable[[Call], Manner]:
    return lambda _call: hang(max(0.0, until - time.monotonic()))


def _resets(_until: float) -> Callable[[Call], Manner]:
    return lambda _call: reset()


def _accepts_and_dies(_until: float) -> Callable[[Call], Manner]:
    return lambda _call: swallow()


def _cannot(_until: float) -> Callable[[Call], Manner]:
    return lambda _call: status(200, b'{"ok": false, "error": "fatal_error"}')


NEEDS_DISK = "disk full"
"""The fault that needs a disk of its own."""

FAULTS: dict[str, Fault] = {
    "SIGKILL of a worker": Fault(lane="process", longest=0.1, strike=kill_worker),
    "SIGKILL of a replica": Fault(lane="process", longest=2.0, strike=kill_replica),
    "engine threads die": Fault(lane="process", longest=0.5, strike=break_engine_thread),
    "PostgreSQL restarted": Fault(lane="database", longest=2.0, strike=restart_postgres, engine="postgres"),
    "SIGKILL of PostgreSQL": Fault(lane="database", longest=2.0, strike=kill_postgres, engine="postgres"),
    NEEDS_DISK: Fault(lane="database", longest=2.5, strike=disk_full, engine="sqlite"),
    "PagerDuty: 500": Fault(lane="pagerduty", longest=4.0, strike=misbehave("PagerDuty", _answers_500, away=True)),
    "PagerDuty: 429": Fault(lane="pagerduty", longest=4.0, strike=misbehave("PagerDuty", _answers_429, away=True)),
    "PagerDuty: 400 to full pages": Fault(
        lane="pagerduty", longest=4.0, strike=misbehave("PagerDuty", _refuses_all_but_the_plainest, away=False)
    ),
    "PagerDuty: hangs": Fault(lane="pagerduty", longest=4.0, strike=misbehave("PagerDuty", _hangs, away=True)),
    "PagerDuty: resets": Fault(lane="pagerduty", longest=4.0, strike=misbehave("PagerDuty", _resets, away=True)),
    "PagerDuty: accepts and dies": Fault(
        lane="pagerduty", longest=4.0, strike=misbehave("PagerDuty", _accepts_and_dies, away=False)
    ),
    "Slack: 500": Fault(lane="slack", longest=4.0, strike=misbehave("Slack", _answers_500, away=False)),
    "Slack: 429": Fault(lane="slack", longest=4.0, strike=misbehave("Slack", _answers_429, away=False)),
    "Slack: not ok": Fault(lane="slack", longest=4.0, strike=misbehave("Slack", _cannot, away=False)),
    "Slack: hangs": Fault(lane="slack", longest=4.0, strike=misbehave("Slack", _hangs, away=False)),
    "Slack: resets": Fault(lane="slack", longest=4.0, strike=misbehave("Slack", _resets, away=False)),
    "Slack: accepts and dies": Fault(
        lane="slack", longest=4.0, strike=misbehave("Slack", _accepts_and_dies, away=False)
    ),
    "every probe hangs": Fault(lane="probes", longest=6.0, strike=hang_probes),
    "the clocks jump an hour ahead": Fault(lane="clock", longest=4.0, strike=move_clock(3600)),
    "the clocks jump an hour back": Fault(lane="clock", longest=4.0, strike=move_clock(-3600)),
}
