"""``python -m tests.faults.soak``: a steady stream without faults, and the resources it takes. ``make soak`` calls it.

Rounds of the fault suite's streams follow each other through the same Alertmanagers, so that every alert resolves. Each
minute a line shows memory, descriptors, threads and rows; at the end the suite's checks judge the whole run, and
counters are compared with what the door and the stand-ins saw.
"""

from __future__ import annotations

import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
from sqlalchemy import func, select

from responder.store.database import Database
from responder.store.schema.tables import metadata
from tests.faults.__main__ import need_servers
from tests.faults.door import Acknowledged
from tests.faults.driver import Driver
from tests.faults.evidence import Evidence, Records
from tests.faults.play import PLAY_SECONDS, settled, wait
from tests.faults.stream import SECONDS, Alert, Group, stream
from tests.faults.timeline import Timeline
from tests.faults.verdict import judge, pages
from tests.faults.world import World, world

#: Streams that are played at once.
_STREAMS = 2
#: Seconds from the start to the first sample that later ones are compared with.
_WARM_UP_SECONDS = 60.0
#: What may be added from then to the end. Thread pools and the caches of SQLite fill up slowly.
_MORE_DESCRIPTORS = 16
_MORE_THREADS = 32
_MEMORY_FACTOR = 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Resources of all processes of the replicas: ``megabytes`` is PSS, what processes share is counted once."""

    megabytes: float
    descriptors: int
    threads: int


@click.command()
@click.option("--minutes", type=click.FloatRange(min=0.5), default=30.0, show_default=True, help="Play for so long.")
@click.option(
    "--database", type=click.Choice(["sqlite", "postgres"]), default="sqlite", show_default=True, help="The store."
)
def main(minutes: float, database: str) -> None:
    """Send alerts to one replica on SQLite or two on PostgreSQL for many minutes, and print what they use.

    Exit status: 0 if every alert was paged and nothing grew, 1 otherwise, 2 for a wrong command line.
    """
    need_servers()
    folder = Path(tempfile.mkdtemp(prefix="responder-soak-"))
    with world(folder, Timeline(), engine=database, disk=False) as around:
        problems = _soak(around, minutes * 60)
    for problem in problems:
        click.secho(f"PROBLEM  {problem}", fg="red")
    click.echo(f"logs: {folder}")
    sys.exit(1 if problems else 0)


def _soak(around: World, seconds: float) -> list[str]:
    records, database = Records(around.database_url), Database(around.database_url)
    report, groups, starts = _Report(around, database), list[Group](), dict[str, list[float]]()
    archive: list[Acknowledged] = []
    end, seed, played = time.monotonic() + seconds, 1, True
    while time.monotonic() < end and played:
        playing = [_ending(group) for each in range(_STREAMS) for group in stream(seed + each)]
        with Driver(playing, around.alertmanagers, around.door, around.timeline) as driver:
            played = wait(lambda driver=driver: report.minute() or driver.over(), PLAY_SECONDS)  # type: ignore[misc]
        groups += playing
        starts |= driver.starts
        seed += _STREAMS
        with around.door.lock:  # what the door searches stays short
            archive += around.door.kept
            around.door.kept.clear()
            around.door.calls.clear()
    quiet = settled(around, records)
    around.door.kept[:0] = archive
    found = records.gather(around, groups, starts)
    while not report.read_counters(found):  # a resolve that was held back for a flapping group left meanwhile
        found = records.gather(around, groups, starts)
    report.end(found)
    records.close()
    database.close()
    problems = [] if played else ["the stream did not end in time"]
    problems += [] if quiet else ["work was left"]
    return [*problems, *judge(found), *report.problems(found)]


def _ending(group: Group) -> Group:
    """The same group, every alert of which resolves."""
    return replace(group, alerts=tuple(_resolving(alert) for alert in group.alerts))


def _resolving(alert: Alert) -> Alert:
    *earlier, last = alert.episodes
    until = last.until or max(last.begins, SECONDS) + 3.0
    return replace(alert, episodes=(*earlier, replace(last, until=until)))


class _Report:
    """Prints a line each minute, and compares the first minute with the last."""

    def __init__(self, around: World, database: Database) -> None:
        self._around = around
        self._database = database
        self._began = self._told = time.monotonic()
        self._first: Usage | None = None
        self._samples: list[dict[str, float]] = []

    def minute(self) -> bool:
        """Print a line if a minute has passed since the last one. Returns False."""
        if time.monotonic() - self._told >= _WARM_UP_SECONDS:
            self._told += _WARM_UP_SECONDS
            used, around = usage(self._around), self._around
            self._first = self._first or used
            rows = ", ".join(f"{name} {count}" for name, count in self._rows() if count)
            click.echo(
                f"{(self._told - self._began) / 60:5.0f} min  {_shown(used)}; paged {len(around.pagerduty.incidents)};"
                f" rows: {rows}"
            )
        return False

    def read_counters(self, found: Evidence) -> bool:
        """Read the counters of ``/metrics``. Returns False if a page was sent since ``found`` was gathered."""
        self._samples = [_scrape(each.address) for each in self._around.replicas]
        return len(self._around.pagerduty.events) == len(found.events)

    def end(self, found: Evidence) -> None:
        """Print the truth of the whole run."""
        late = sorted(page.seconds - page.budget for page in pages(found) if page.seconds is not None)
        click.echo(f"  end      {_shown(usage(self._around))}")
        click.echo(f"rows: {', '.join(f'{name} {count}' for name, count in self._rows())}")
        click.echo(f"alerts {len(found.starts)}, episodes {sum(map(len, found.starts.values()))}, pages {len(late)}")
        if late:
            click.echo(f"from the page budget: median {late[len(late) // 2]:+.2f} s, latest {late[-1]:+.2f} s")
        for name, (counted, truth) in self._counters(found).items():
            click.echo(f"{name}: counted {counted:.0f}, truth {truth}")

    def problems(self, found: Evidence) -> Iterator[str]:
        """Report growth and wrong counters."""
        last, first = usage(self._around), self._first
        if first and last.descriptors > first.descriptors + _MORE_DESCRIPTORS:
            yield f"descriptors grew from {first.descriptors} to {last.descriptors}"
        if first and last.threads > first.threads + _MORE_THREADS:
            yield f"threads grew from {first.threads} to {last.threads}"
        if first and last.megabytes > first.megabytes * _MEMORY_FACTOR:
            yield f"memory grew from {first.megabytes:.0f} MB to {last.megabytes:.0f} MB"
        for name, (counted, truth) in self._counters(found).items():
            if counted != truth:
                yield f"{name}: counted {counted:.0f}, truth {truth}"

    def _rows(self) -> list[tuple[str, int]]:
        with self._database.read() as connection:
            counts = [connection.scalar(select(func.count()).select_from(table)) for table in metadata.sorted_tables]
        return [(table.name, count or 0) for table, count in zip(metadata.sorted_tables, counts, strict=True)]

    def _counters(self, found: Evidence) -> dict[str, tuple[float, int]]:
        """Return the replicas' counts and the truth, by the name of the sample."""
        truth = {
            'responder_http_requests_total{route="webhook.receive",status="202"}': len(found.kept),
            'responder_notifications_triaged_total{state="decided"}': len(found.notifications),
            'responder_attempts_total{channel="pagerduty",result="sent"}': len(found.events),
            'responder_attempts_total{channel="pagerduty",result="dead"}': 0,
        }
        return {name: (sum(each.get(name, 0.0) for each in self._samples), right) for name, right in truth.items()}


def usage(around: World) -> Usage:
    """Read from /proc. A process that has just ended uses nothing."""
    processes = [Path(f"/proc/{pid}") for replica in around.replicas for pid in replica.processes()]
    memory = "\n".join(_read(each / "smaps_rollup") for each in processes).splitlines()
    return Usage(
        megabytes=sum(int(line.split()[1]) for line in memory if line.startswith("Pss:")) / 1024,
        descriptors=sum(len(_entries(each / "fd")) for each in processes),
        threads=sum(len(_entries(each / "task")) for each in processes),
    )


def _shown(used: Usage) -> str:
    return f"{used.megabytes:.0f} MB, {used.descriptors} descriptors, {used.threads} threads"


def _scrape(address: str) -> dict[str, float]:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as response:
        lines = response.read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError:
        return ""


def _entries(path: Path) -> Sequence[Path]:
    try:
        return list(path.iterdir())
    except OSError:
        return ()


if __name__ == "__main__":
    main()
