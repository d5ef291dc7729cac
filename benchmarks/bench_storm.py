"""A storm: 100,000 alerts in 1,000 webhooks, each a new group of P2, and a fresh P1 in the middle of it.

Twenty connections send as fast as they are answered. PagerDuty runs in this process, Slack and the health endpoints in
another one, and answer after 0.2 s. Memory is that of all processes of ``serve`` (PSS), the highest of one look each
half second. The P1 is sent when half of the storm is stored; its time runs from the webhook to the page at PagerDuty,
less the 0.2 s that its probes take. The peer is Alertmanager in `docs/lab/performance.md`: 1.1 GB for the same alerts.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import harness
from harness import CorrectnessError, Load, Server

from responder.standins.pagerduty import PagerDutyStandIn

WEBHOOKS, ALERTS, CONNECTIONS = 1_000, 100, 20
PROBE_SECONDS = 0.2
STORM = {"severity": "warning", "alertname": "HighErrorRate"}
FRESH = {"severity": "critical", "alertname": "ServiceDown"}


@dataclass(frozen=True, slots=True)
class Round:
    """A storm: client side results, peak MB, seconds until all was decided, and seconds to the page of the P1."""

    load: Load
    memory: float
    backlog: float
    page: float


class MemorySampler(threading.Thread):
    """Samples the memory of a server each half second."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._ending = threading.Event()
        self.most = 0.0

    def run(self) -> None:
        """Run until stopped."""
        while not self._ending.wait(0.5):
            self.most = max(self.most, self._server.pss())

    def stop(self) -> float:
        """Stop, and return the highest sample in MB."""
        self._ending.set()
        self.join()
        return self.most


def measure(number: int) -> Round:
    with harness.folder() as place, harness.Outside(PROBE_SECONDS) as outside, PagerDutyStandIn() as pagerduty:
        folder = Path(place)
        database = folder / "responder.db"
        body = folder / "body.json"
        body.write_bytes(harness.a_webhook(ALERTS, **STORM))
        settings = {**outside.settings, "pagerduty_url": pagerduty.url}
        with harness.responder(folder, **settings) as server, ThreadPoolExecutor(1) as pool:
            scales = MemorySampler(server)
            scales.start()
            load = pool.submit(harness.storm, server, body, 0, f"{number}s", CONNECTIONS, WEBHOOKS // CONNECTIONS)
            page = fresh(server, pagerduty, lambda: count(database) >= WEBHOOKS // 2)
            sent = load.result()
            backlog = harness.wait_for("the storm is decided", lambda: count(database, "new") == 0, 120)
            memory = scales.stop()
        check(database, sent)
        return Round(sent, memory, backlog, page)


def fresh(server: Server, pagerduty: PagerDutyStandIn, in_the_middle: Callable[[], bool]) -> float:
    """Seconds from a fresh P1's webhook to its page."""
    harness.wait_for("half of the storm is stored", in_the_middle, 120)
    body = harness.a_webhook(1, **FRESH).replace(harness.NUMBER.encode(), b"fresh-page")
    key = sha256(json.loads(body)["groupKey"].encode()).hexdigest()
    began = time.monotonic()
    harness.post(server.url, body)

    def arrived() -> list[float]:
        with pagerduty.lock:
            return [each.arrived for each in pagerduty.events if each.dedup_key == key]

    harness.wait_for("the page of the fresh P1", arrived, 60, pause=0.01)
    return arrived()[0] - began - PROBE_SECONDS


def count(database: Path, state: str = "") -> int:
    where = f"WHERE state = '{state}'" if state else ""
    return int(harness.rows(database, f"SELECT count(*) FROM notifications {where}")[0][0])


def check(database: Path, load: Load) -> None:
    """Acknowledged is stored, and stored is decided, each in an incident of its own."""
    stored, decided = count(database) - 1, count(database, "decided") - 1
    incidents = harness.rows(
        database, "SELECT count(DISTINCT dedup_key), count(*) FROM incidents WHERE notification > 0"
    )
    if load.accepted != stored or stored != decided:
        raise CorrectnessError(f"{load.accepted} webhooks were acknowledged, {stored} are stored and {decided} decided")
    if incidents[0] != (stored + 1, stored + 1):
        raise CorrectnessError(f"{stored + 1} groups have {incidents[0][1]} incidents")


def main() -> None:
    wanted = harness.options(__doc__, rounds=2, seconds=0)
    rounds = [measure(number) for number in range(wanted.rounds)]
    head = ("acknowledged", "not", "alerts/s", "p50 ms", "p99 ms", "backlog s", "MB at most", "page of the P1 s")
    harness.table(
        head,
        [
            (
                each.load.accepted,
                each.load.refused + each.load.broken,
                f"{each.load.accepted * ALERTS / each.load.seconds:.0f}",
                f"{each.load.p50_ms:.1f}",
                f"{each.load.p99_ms:.1f}",
                f"{each.backlog:.1f}",
                f"{each.memory:.0f}",
                f"{each.page:.2f}",
            )
            for each in rounds
        ],
    )
    harness.goal("acknowledged", min(each.load.accepted for each in rounds), unit="webhooks", at_least=WEBHOOKS)
    harness.goal("p99 of the reply", max(each.load.p99_ms for each in rounds), unit="ms", below=250)
    harness.goal("memory of all processes", max(each.memory for each in rounds), unit="MB", below=200)
    harness.goal("page of a fresh P1 beyond its probes", max(each.page for each in rounds), unit="s", below=2)


if __name__ == "__main__":
    harness.run(main)
