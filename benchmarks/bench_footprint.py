"""Memory at rest of all processes, time from start to ready, time of `responder --help`; next to the floor's.

Memory is PSS: what processes share is counted once. It is taken with two workers on the shipped rules, once after the
start and once after the first page was sent, a second later. `--help` is measured with the modules already compiled.
The start creates the database. Its goal is a ratio to the floor's, since machines differ: 1.5 s on the one where the
floor took 0.25 s.
"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import harness
from harness import Server

from responder.standins.butterfly import SERVICES
from responder.standins.pagerduty import PagerDutyStandIn

_NOTHING = "import flask, gunicorn.app.base"
SETTLED = 1.0


@dataclass(frozen=True, slots=True)
class Size:
    """A start of one server: seconds to ready, MB after it and MB after a first page."""

    ready: float
    started: float
    paged: float


def responder() -> Size:
    with harness.folder() as place, PagerDutyStandIn() as pagerduty:
        addresses = ",".join(f"{name}:8080=127.0.0.1:{pagerduty.port}" for name in SERVICES)
        settings = {"pagerduty_routing_key": "benchmark", "pagerduty_url": pagerduty.url, "connect_to": addresses}
        with harness.responder(Path(place), **settings) as server:
            return _sized(server, lambda: bool(pagerduty.events))


def floor() -> Size:
    with harness.folder() as place, harness.floor(Path(place)) as server:
        return _sized(server, lambda: True)


def _sized(server: Server, paged: object) -> Size:
    time.sleep(SETTLED)
    started = server.pss()
    harness.post(server.url, harness.a_webhook().replace(harness.NUMBER.encode(), b"0123456789"))
    harness.wait_for("the first page", paged, 20)
    time.sleep(SETTLED)
    return Size(server.ready_after, started, server.pss())


def seconds(*command: str) -> float:
    began = time.monotonic()
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def main() -> None:
    rounds = harness.options(__doc__, rounds=5, seconds=0).rounds
    seconds("-m", "responder", "--help")
    sizes: dict[str, list[Size]] = {"responder": [], "floor": []}
    helps: dict[str, list[float]] = {"responder": [], "floor": []}
    for _ in range(rounds):
        sizes["responder"].append(responder())
        sizes["floor"].append(floor())
        for _ in range(3):
            helps["responder"].append(seconds("-m", "responder", "--help"))
            helps["floor"].append(seconds("-c", _NOTHING))
    columns = {
        name: (
            harness.median([each.started for each in sizes[name]]),
            harness.median([each.paged for each in sizes[name]]),
            harness.median([each.ready for each in sizes[name]]),
            harness.median(helps[name]),
        )
        for name in sizes
    }
    head = ("", "MB after start", "MB after a page", "s to ready", "s for --help (floor: to import flask, gunicorn)")
    harness.table(
        head, [(name, f"{a:.0f}", f"{b:.0f}", f"{c:.2f}", f"{d:.2f}") for name, (a, b, c, d) in columns.items()]
    )
    started, paged, ready, helped = columns["responder"]
    harness.goal("memory at rest, after the first page", max(started, paged), unit="MB", below=135)
    harness.goal("start to ready, ratio to the floor's", ready / columns["floor"][2], unit="times", below=6)
    harness.goal("responder --help", helped, unit="s", below=0.3)


if __name__ == "__main__":
    harness.run(main)
