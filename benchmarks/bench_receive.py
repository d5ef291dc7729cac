"""Durable webhooks per second: `responder serve` against a Flask receiver of forty lines that only inserts the body.

Both run under the same gunicorn settings, on the same SQLite build in WAL mode with synchronous=FULL. Every payload is
a new group of 20 new alerts. The candidates alternate, each on a fresh database:

- floor: floor.py;
- receiving: `responder serve` with RESPONDER_ROLE=web; it authenticates, checks and stores the payload;
- triaging: `responder serve` as shipped, with the shipped rules, engine and all. While webhooks arrive it decides every
  one of them and opens an incident. The alerts have a severity that does not page, and a rule whose probes need a
  Prometheus, which is not configured: nothing is probed. This is a flood, so that after the first forty incidents
  a digest takes over, and only these forty have a report and Slack messages of their own;
- everything: the same with alerts of P1: incidents outside the digest have their health endpoints probed and page
  PagerDuty;
- triaging and everything "one by one": the same with floods disabled (`flood_above: 0`): every incident has its
  report, messages and probes. The strictest reading of "while the engine works", with the same goal.

PagerDuty, Slack and the health endpoints are stand-ins in another process that answer after 0.2 s. Receiving is
timed; the backlog is the time from the end of the load until the last notification is decided. CPU is that of the whole
server until then, from /proc.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import harness
from harness import CorrectnessError, Load, Server

ALERTS = 20
MANY = f"everything, {harness.CHANNELS} channels"


@dataclass(frozen=True, slots=True)
class Round:
    """Measurement of one candidate."""

    load: Load
    backlog: float
    cpu_ms: float

    @property
    def rate(self) -> float:
        """Webhooks per second."""
        return self.load.accepted / self.load.seconds


def count(database: Path, state: str = "") -> int:
    where = f"WHERE state = '{state}'" if state else ""
    return int(harness.rows(database, f"SELECT count(*) FROM notifications {where}")[0][0])


@dataclass(frozen=True, slots=True)
class Subject:
    """Subject of a measurement: its server, the table with its payloads, and the labels of its alerts."""

    start: Callable[[Path], Server]
    labels: Mapping[str, str]
    database: str = "responder.db"
    decides: bool = False


QUIET = {"severity": "info", "alertname": "KubeNodePressure", "node": "worker-7"}
LOUD = {"severity": "critical", "alertname": "HighErrorRate"}


def measure(subject: Subject, name: str, seconds: float, number: int) -> Round:
    with harness.folder() as place:
        folder = Path(place)
        body = folder / "body.json"
        body.write_bytes(harness.a_webhook(ALERTS, **subject.labels))
        database = folder / subject.database
        decided = (lambda: count(database, "new") == 0) if subject.decides else (lambda: True)
        with subject.start(folder) as server:
            harness.storm(server, body, 1, f"{number}w")
            harness.wait_for("the warm-up is decided", decided)
            before, kept = server.cpu(), count(database)
            load = harness.storm(server, body, seconds, f"{number}m")
            backlog = harness.wait_for("everything is decided", decided)
            full_after = server.cpu() - before
            held = count(database) - kept
        if load.accepted > held:
            raise CorrectnessError(f"{name}: {load.accepted} webhooks were acknowledged, {held} are in the database")
        return Round(load, backlog, full_after / max(1, held * ALERTS) * 1000)


def show(found: dict[str, list[Round]]) -> dict[str, float]:
    """Print the medians; the ratios to the floor of the same round."""
    ratios = {
        name: harness.median([mine.rate / floor.rate for mine, floor in zip(rounds, found["floor"], strict=True)])
        for name, rounds in found.items()
    }
    rows = []
    for name, rounds in found.items():
        rates = [each.rate for each in rounds]
        rows.append(
            (
                name,
                f"{harness.median(rates):.0f} ({min(rates):.0f}-{max(rates):.0f})",
                f"{harness.median(rates) * ALERTS:.0f}",
                f"{ratios[name]:.0%}",
                f"{harness.median([each.load.p50_ms for each in rounds]):.1f}",
                f"{harness.median([each.load.p99_ms for each in rounds]):.1f}",
                f"{harness.median([each.cpu_ms for each in rounds]):.3f}",
                f"{harness.median([each.backlog for each in rounds]):.1f}",
                sum(each.load.refused + each.load.broken for each in rounds),
            )
        )
    head = ("", "webhooks/s", "alerts/s", "of the floor", "p50 ms", "p99 ms", "CPU ms/alert", "backlog s", "errors")
    harness.table(head, rows)
    return ratios


def rounds_of(whole: Callable[[Path], Server], wanted: argparse.Namespace) -> dict[str, list[Round]]:
    """All rounds of all subjects; ``whole`` starts ``serve`` as shipped."""
    subjects = {
        "floor": Subject(harness.floor, QUIET, database="floor.db"),
        "receiving": Subject(partial(harness.responder, role="web"), QUIET),
        "triaging": Subject(whole, QUIET, decides=True),
        "everything": Subject(whole, LOUD, decides=True),
        MANY: Subject(partial(harness.with_many_teams, whole), LOUD, decides=True),
        "triaging one by one": Subject(partial(harness.without_floods, whole), QUIET, decides=True),
        "everything one by one": Subject(partial(harness.without_floods, whole), LOUD, decides=True),
    }
    found: dict[str, list[Round]] = {name: [] for name in subjects}
    for number in range(wanted.rounds):
        for name, subject in subjects.items():
            found[name].append(measure(subject, name, wanted.seconds, number % 10))
    return found


def main() -> None:
    wanted = harness.options(__doc__, rounds=3, seconds=3)
    with harness.Outside() as outside:
        found = rounds_of(partial(harness.responder, **outside.settings), wanted)
    ratios = show(found)
    harness.goal("receiving", ratios["receiving"] * 100, unit="% of the floor", at_least=80)
    deciding = [name for name in ratios if name not in {"floor", "receiving"}]
    for name in deciding:
        harness.goal(name, ratios[name] * 100, unit="% of the floor", at_least=50)
    pairs = zip(found[MANY], found["everything"], strict=True)
    many = harness.median([each.rate / two.rate for each, two in pairs])
    harness.goal(f"{harness.CHANNELS} channels and {harness.TEAMS} teams", 1 / many, unit="times two", below=1.1)
    for name in ("receiving", *deciding):
        p99 = harness.median([each.load.p99_ms for each in found[name]])
        harness.goal(f"{name}, p99 of the reply", p99, unit="ms", below=100)


if __name__ == "__main__":
    harness.run(main)
