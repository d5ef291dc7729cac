"""How one seed is played: build the world, let the stream and the faults run, wait until all is quiet, judge."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from responder.store.database import CannotStore
from tests.faults.catalogue import FAULTS, NEEDS_DISK, Fault
from tests.faults.driver import Driver
from tests.faults.evidence import Records
from tests.faults.schedule import Planned, Schedule, schedule
from tests.faults.stream import stream
from tests.faults.timeline import Timeline
from tests.faults.verdict import Page, judge, pages
from tests.faults.world import world

PLAY_SECONDS = 60.0
"""How long the stream may take to be acknowledged whole, with all its faults."""
QUIET_SECONDS = 40.0
"""How long the replicas may take after that to decide and send everything."""

SILENCE_SECONDS = 3.0
"""Alertmanager has nothing more to say when it says nothing for longer than its group_interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a seed showed. ``problems`` is empty where the promise held."""

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


def play(seed: int, folder: Path) -> Result:
    """Play a seed in an empty folder, where all logs stay."""
    began, timeline = time.monotonic(), Timeline()
    groups, engine = stream(seed), engine_of(seed)
    planned = schedule(seed, possible(engine))
    with world(folder, timeline, engine=engine) as around:
        if around.disk is None:
            planned = tuple(each for each in planned if each.name != NEEDS_DISK)
        timeline.note(f"seed {seed}: the stream begins")
        strikes = Schedule(seed, planned, around)
        with Driver(groups, around.alertmanagers, around.door, timeline) as driver:
            strikes.start()
            ended = _wait(lambda: driver.over() and strikes.over(), PLAY_SECONDS)
            timeline.note("the stream is over" if ended else "the stream did not end in time")
            records = Records(around.database_url)
            quiet = _wait(lambda: around.door.quiet_for(SILENCE_SECONDS) and _quiet(records), QUIET_SECONDS)
            timeline.note("all is quiet" if quiet else "not quiet in time")
        found = records.gather(around, groups, driver.starts)
        records.close()
    return Result(
        seed=seed,
        engine=engine,
        planned=planned,
        problems=[*strikes.failed, *judge(found)],
        timeline=str(timeline),
        seconds=time.monotonic() - began,
        alerts=sum(len(alert.episodes) for group in groups for alert in group.alerts),
        acknowledged=len(found.kept),
        incidents=len(found.incidents),
        pages=tuple(pages(found)),
    )


def engine_of(seed: int) -> str:
    """Even seeds run two replicas on PostgreSQL, odd ones a single one on SQLite."""
    return "sqlite" if seed % 2 else "postgres"


def possible(engine: str) -> dict[str, Fault]:
    """The faults that this machine can have on a database."""
    return {name: fault for name, fault in FAULTS.items() if fault.engine in {"", engine}}


def _quiet(records: Records) -> bool:
    try:
        return not records.busy()
    except CannotStore:
        return False


def _wait(holds: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True
