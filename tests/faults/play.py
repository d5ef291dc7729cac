"""Play one seed: build the world, run the stream and the faults, wait until all work is done, check."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from responder.standins.processes import DidNotStart
from responder.store.database import StoreError
from tests.faults.catalog import FAULTS, NEEDS_DISK, Fault
from tests.faults.door import SILENCE_SECONDS
from tests.faults.driver import Driver
from tests.faults.evidence import Evidence, Records
from tests.faults.floods import flood, rules
from tests.faults.people import People
from tests.faults.schedule import Planned, Schedule, schedule
from tests.faults.stream import Group, stream
from tests.faults.timeline import Timeline
from tests.faults.verdict import Page, judge, pages
from tests.faults.world import RULES, World, world

#: Time limit for the whole stream to be acknowledged, with all its faults.
PLAY_SECONDS = 60.0
#: Time limit after that for the replicas to decide and send everything: a 2xx that means nothing is retried after 60 s.
QUIET_SECONDS = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Result of a seed. ``problems`` is empty if every guarantee held."""

    seed: int
    engine: str
    planned: tuple[Planned, ...]
    problems: Sequence[str]
    timeline: str
    seconds: float
    alerts: int = 0
    acknowledged: int = 0
    incidents: int = 0
    pages: Sequence[Page] = ()


def play(seed: int, folder: Path, *, floods: bool = False) -> Result:
    """Play a seed in a new folder, where all logs stay; with ``floods`` its flood, and the same faults."""
    began, timeline, engine = time.monotonic(), Timeline(), engine_of(seed)
    planned, groups = schedule(seed, possible(engine)), flood(seed) if floods else stream(seed)
    folder.mkdir(exist_ok=True)
    try:
        with world(folder, timeline, engine=engine, rules=rules(folder) if floods else RULES) as around:
            if around.disk is None:
                planned = tuple(each for each in planned if each.name != NEEDS_DISK)
            found, failed = _broken(seed, planned, groups, around)
    except DidNotStart as error:
        found, failed = None, [f"the world did not start: {error}"]
    return Result(
        seed=seed,
        engine=engine,
        planned=planned,
        problems=[*failed, *(judge(found) if found else ())],
        timeline=str(timeline),
        seconds=time.monotonic() - began,
        alerts=sum(len(alert.episodes) for group in groups for alert in group.alerts),
        acknowledged=len(found.kept) if found else 0,
        incidents=len(found.incidents) if found else 0,
        pages=tuple(pages(found)) if found else (),
    )


def _broken(
    seed: int, planned: tuple[Planned, ...], groups: Sequence[Group], around: World
) -> tuple[Evidence, list[str]]:
    """Let stream and faults run until all is quiet. Returns the evidence, and the faults that could not be done."""
    note, records = around.timeline.note, Records(around.database_url)
    note(f"seed {seed}: the stream begins")
    strikes = Schedule(seed, planned, around)
    people = People(around.pagerduty, around.presses, seed, around.timeline)
    with Driver(groups, around.alertmanagers, around.door, around.timeline) as driver:
        with people:
            strikes.start()
            ended = wait(lambda: driver.over() and strikes.over(), PLAY_SECONDS)
        note("the stream is over" if ended else "the stream did not end in time")
        quiet = settled(around, records)
        note("all is quiet" if quiet else "not quiet in time")
    found = records.gather(around, groups, driver.starts, people.deeds)
    records.close()
    return found, strikes.failed


def engine_of(seed: int) -> str:
    """Even seeds run two replicas on PostgreSQL, odd ones a single one on SQLite."""
    return "sqlite" if seed % 2 else "postgres"


def possible(engine: str) -> dict[str, Fault]:
    """The faults that this machine can have on a database."""
    return {name: fault for name, fault in FAULTS.items() if fault.engine in {"", engine}}


def settled(around: World, records: Records) -> bool:
    """Wait until no notification comes and nothing is left to do. Returns False if that takes too long."""
    return wait(
        lambda: around.door.quiet_for(SILENCE_SECONDS) and around.pagerduty.webhooks.idle and _quiet(records),
        QUIET_SECONDS,
    )


def _quiet(records: Records) -> bool:
    """Return True if nothing is left now and a second later: a job may have been about to write a message."""
    try:
        if records.busy():
            return False
        time.sleep(1.0)
        return not records.busy()
    except StoreError:
        return False


def wait(holds: Callable[[], bool], seconds: float) -> bool:
    """Return True as soon as something holds, False if it does not within ``seconds``."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True
