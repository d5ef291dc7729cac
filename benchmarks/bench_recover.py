"""SIGKILL with 10,000 undecided notifications, at a random moment: losses, and time to recover.

The database holds 10,000 webhooks that were acknowledged and not decided, each a group of its own, one in a hundred of
them P1. Every round begins with a copy of it: `serve` starts, takes more webhooks from a client, and all of its
processes are killed at once, at a random moment of its first three seconds. Then it is started again, and the clock
runs from there. Every acknowledged webhook must be there in the end, decided, in one incident for each group.
PagerDuty runs in this process; Slack and the health endpoints answer after 0.2 s. The digest of a flood is sent 3 s
after it began: if the kill left nothing else to page, the page counts from its due time. The goal is for twenty
rounds, which take some minutes: `--rounds 20`.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import shutil
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import harness
from harness import CorrectnessError, Server

from responder.standins.pagerduty import PagerDutyStandIn
from responder.store.database import Database
from responder.store.schema.migrate import migrate
from responder.store.schema.tables import notifications, payloads

WEBHOOKS, BATCH, LOUD_EACH = 10_000, 500, 100
FIRST_SECONDS = 3.0
QUIET = {"severity": "info", "alertname": "KubeNodePressure", "node": "worker-7"}
LOUD = {"severity": "critical", "alertname": "ServiceDown"}


@dataclass(frozen=True, slots=True)
class Round:
    """Seconds from the second start; ``killed`` is how long the first one lived, ``undecided`` what it left.

    ``due`` is when the first page that waited for PagerDuty may leave, 0 where one may at once or none waited.
    """

    killed: float
    undecided: int
    due: float
    first_202: float
    first_page: float
    decided: float

    @property
    def page_late(self) -> float:
        """Seconds from when a page could leave, which is the start unless all that waited were due later."""
        return self.first_page - self.due if self.first_page >= self.due else self.first_page


class Client(threading.Thread):
    """Sends webhooks one after the other, and remembers the ids that were acknowledged."""

    def __init__(self, server: Server, tag: str) -> None:
        super().__init__(daemon=True)
        self._url = f"{server.url}/webhook/alertmanager"
        self._template, self._tag = harness.a_webhook(1, **QUIET), tag
        self._ending = threading.Event()
        self.kept: list[int] = []

    def run(self) -> None:
        """Run until stopped."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {harness.TOKEN}"}
        for number in range(10**6):
            if self._ending.is_set():
                return
            unique = f"{self._tag}{number:0{10 - len(self._tag)}}".encode()
            body = self._template.replace(harness.NUMBER.encode(), unique)
            request = urllib.request.Request(self._url, body, headers, method="POST")
            with (
                contextlib.suppress(OSError, http.client.HTTPException),
                urllib.request.urlopen(request, timeout=5) as answer,
            ):
                self.kept.append(int(json.loads(answer.read())["id"]))

    def stop(self) -> list[int]:
        """Acknowledged webhooks."""
        self._ending.set()
        self.join()
        return self.kept


def backlog(folder: Path) -> Path:
    """A database with undecided notifications; those that page are spread among the others."""
    path = folder / "backlog.db"
    database = Database(f"sqlite:///{path}")
    migrate(database)
    quiet, loud = harness.a_webhook(1, **QUIET), harness.a_webhook(1, **LOUD)
    row = {"received_at": time.time(), "cluster": "", "state": "new"}
    for first in range(0, WEBHOOKS, BATCH):
        numbers = range(first, first + BATCH)
        blobs = [(quiet if n % LOUD_EACH else loud).replace(harness.NUMBER.encode(), b"b%09d" % n) for n in numbers]
        database.append([row] * BATCH, notifications, blobs, payloads)
    database.close()
    return path


def measure(whole: Path, killed: float, tag: str) -> Round:
    with harness.folder() as place, harness.Outside() as outside, PagerDutyStandIn() as pagerduty:
        folder = Path(place)
        database = folder / "responder.db"
        shutil.copy(whole, database)
        settings = {**outside.settings, "pagerduty_url": pagerduty.url}
        first = harness.responder(folder, **settings)
        client = Client(first, tag)
        client.start()
        time.sleep(killed)
        first.kill()
        kept, undecided, due_at = client.stop(), count(database, "new"), due(database)
        started_at = time.time()
        with harness.responder(folder, **settings) as second:
            harness.post(second.url, harness.a_webhook(1, **QUIET).replace(harness.NUMBER.encode(), b"first-hook"))
            first_202 = time.monotonic() - second.began
            harness.wait_for("all is decided", lambda: count(database, "new") == 0)
            decided = time.monotonic() - second.began
            harness.wait_for("the first page", lambda: paged(pagerduty, second.began))
            first_page = min(paged(pagerduty, second.began)) - second.began
        check(database, pagerduty, kept)
        return Round(killed, undecided, max(0.0, due_at - started_at), first_202, first_page, decided)


def paged(pagerduty: PagerDutyStandIn, since: float) -> list[float]:
    with pagerduty.lock:
        return [each.arrived for each in pagerduty.events if each.arrived > since]


def due(database: Path) -> float:
    """Due time of the first page that waits for PagerDuty, in epoch seconds; 0 if none waits."""
    waiting = "SELECT min(due_at) FROM messages WHERE state = 'waiting' AND channel = 'pagerduty'"
    return float(harness.rows(database, waiting)[0][0] or 0.0)


def count(database: Path, state: str) -> int:
    return int(harness.rows(database, f"SELECT count(*) FROM notifications WHERE state = '{state}'")[0][0])


def check(database: Path, pagerduty: PagerDutyStandIn, kept: Sequence[int]) -> None:
    """Acknowledged webhooks are decided, and no group has two incidents, here or at PagerDuty."""
    decided = {number for (number,) in harness.rows(database, "SELECT id FROM notifications WHERE state = 'decided'")}
    lost = [number for number in [*range(1, WEBHOOKS + 1), *kept] if number not in decided]
    if lost:
        raise CorrectnessError(f"{len(lost)} webhooks were acknowledged and are not decided, the first is {lost[0]}")
    groups, incidents = harness.rows(database, "SELECT count(DISTINCT dedup_key), count(*) FROM incidents")[0]
    if groups != incidents or groups < WEBHOOKS + len(kept):
        raise CorrectnessError(f"{WEBHOOKS + len(kept)} groups or more have {incidents} incidents with {groups} keys")
    with pagerduty.lock:
        twice = [key for key, number in Counter(each.dedup_key for each in pagerduty.incidents).items() if number > 1]
    if twice:
        raise CorrectnessError(f"{len(twice)} groups were paged as two incidents, the first is {twice[0]}")


def main() -> None:
    wanted = harness.options(__doc__, rounds=4, seconds=0)
    chance = random.Random(5)
    with harness.folder() as place:
        whole = backlog(Path(place))
        found = [measure(whole, chance.uniform(0, FIRST_SECONDS), f"k{number:02}") for number in range(wanted.rounds)]
    head = ("killed after s", "left undecided", "first 202 s", "page due s", "first page s", "all decided s")
    show = (
        (f"{e.killed:.2f}", e.undecided, *(f"{s:.2f}" for s in (e.first_202, e.due, e.first_page, e.decided)))
        for e in found
    )
    harness.table(head, list(show))
    print(f"  {len(found)} kills: nothing acknowledged was lost, and no group has a second incident")
    harness.goal("first 202 after the start", max(each.first_202 for each in found), unit="s", below=1)
    harness.goal("first page after it was due", max(each.page_late for each in found), unit="s", below=1.5)
    harness.goal("all decided after the start", max(each.decided for each in found), unit="s", below=10)


if __name__ == "__main__":
    harness.run(main)
