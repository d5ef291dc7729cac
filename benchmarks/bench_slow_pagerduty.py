"""Webhooks of 20 alerts for a minute while PagerDuty and Slack take four seconds for each message, next to 0.2 s.

Every body is a new group of 20 new alerts of P1: each is decided, probed and paged, and pages pile up behind the slow
PagerDuty. Sixteen connections send as fast as they are answered. What is held against the goal is how long the answers
take while that goes on; the row beside it is the same load with a PagerDuty that answers in 0.2 s.
"""

from __future__ import annotations

from pathlib import Path

import harness
from harness import CorrectnessError, Load

ALERTS = 20
QUICK, SLOW = 0.2, 4.0
LOUD = {"severity": "critical", "alertname": "HighErrorRate"}


def measure(answers_after: float, seconds: float) -> Load:
    with harness.folder() as place, harness.Outside(answers_after) as outside:
        folder = Path(place)
        body = folder / "body.json"
        body.write_bytes(harness.a_webhook(ALERTS, **LOUD))
        with harness.responder(folder, **outside.settings) as server:
            harness.storm(server, body, 1, "w")
            before = kept(folder)
            load = harness.storm(server, body, seconds, "m")
        if kept(folder) - before < load.accepted:
            raise CorrectnessError(
                f"{load.accepted} webhooks were acknowledged, {kept(folder) - before} are in the database"
            )
        return load


def kept(folder: Path) -> int:
    return int(harness.rows(folder / "responder.db", "SELECT count(*) FROM notifications")[0][0])


def main() -> None:
    wanted = harness.options(__doc__, rounds=1, seconds=60)
    loads = {QUICK: measure(QUICK, wanted.seconds / 4), SLOW: measure(SLOW, wanted.seconds)}
    head = ("PagerDuty answers after", "seconds", "webhooks/s", "p50 ms", "p99 ms", "not acknowledged")
    harness.table(
        head,
        [
            (
                f"{name:g} s",
                f"{load.seconds:.0f}",
                f"{load.accepted / load.seconds:.0f}",
                f"{load.p50_ms:.1f}",
                f"{load.p99_ms:.1f}",
                load.refused + load.broken,
            )
            for name, load in loads.items()
        ],
    )
    print(f"  p99 is {loads[SLOW].p99_ms / loads[QUICK].p99_ms:.1f} times that beside a quick PagerDuty")
    harness.goal("p99 of the reply with a slow PagerDuty", loads[SLOW].p99_ms, unit="ms", below=100)


if __name__ == "__main__":
    harness.run(main)
