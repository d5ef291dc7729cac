"""50 open tabs of the console beside 500 webhooks a second: the receiver's p99 with and without them, side by side.

The rounds alternate in one run of ``serve`` and its console, so that both see the same machine and the same database.
Each response time counts from the moment the webhook was due. The tabs are a process of their own with the lowest
priority, since browsers run on other machines. A measurement is as long as the interval of the tabs. Goal: in the
median round the p99 with tabs is at most 1.25 times the one without; other work on the machine hits single rounds.
"""

import contextlib
import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import harness

RATE, SENDERS, TABS = 500, 8, 50
GOAL = 1.25


def send(url: str, first: int, seconds: float, took: list[float]) -> None:
    """Send every SENDERS-th webhook of the rate when it is due."""
    connection = harness.connected(url)
    body = harness.a_webhook(alerts=1)
    began = time.monotonic()
    with contextlib.closing(connection):
        for number in range(first, int(RATE * seconds), SENDERS):
            due = began + number / RATE
            time.sleep(max(0.0, due - time.monotonic()))
            name = b"%010d" % (time.monotonic_ns() // 1000 % 10**9 * 10 + first)
            harness.post_on(connection, body.replace(harness.NUMBER.encode(), name))
            took.append((time.monotonic() - due) * 1000)


def measure(url: str, seconds: float) -> tuple[float, float]:
    """Return p50 and p99 in milliseconds."""
    took: list[float] = []
    senders = [threading.Thread(target=send, args=(url, first, seconds, took)) for first in range(SENDERS)]
    for each in senders:
        each.start()
    for each in senders:
        each.join()
    return harness.quantile(took, 0.5), harness.quantile(took, 0.99)


@contextlib.contextmanager
def tabs(port: int, statuses: list[int]) -> Iterator[None]:
    """Keep TABS pages open, and note the statuses of their updates."""
    command = [sys.executable, str(harness.HERE / "tabs.py"), str(port), str(TABS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield
        said, _ = process.communicate()
    statuses += json.loads(said)


def answers(port: int) -> bool:
    """Return True if the console answers."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        try:
            connection.request("GET", "/")
            return connection.getresponse().status == 200
        except OSError:
            return False


def main() -> None:
    """Measure, print a line a round, and compare."""
    wanted = harness.options(__doc__, rounds=9, seconds=5.0)
    port, statuses = harness.free_port(), []
    rows: list[tuple[object, ...]] = []
    ratios: list[float] = []
    with harness.folder() as place:
        settings = {"console_listen": f"127.0.0.1:{port}", "console_auth": "none"}
        with harness.responder(Path(place), **settings) as server:
            harness.wait_for("the console", lambda: answers(port), 60, 0.2)
            measure(server.url, 2.0)  # the first webhooks warm up
            for number in range(wanted.rounds):
                worst: dict[bool, float] = {}
                for beside in (False, True) if number % 2 else (True, False):  # neither is always the later one
                    harness.wait_until_decided(Path(place) / "responder.db")
                    with tabs(port, statuses) if beside else contextlib.nullcontext():
                        middle, worst[beside] = measure(server.url, wanted.seconds)
                    name = f"{TABS} tabs" if beside else "no tabs"
                    rows.append((number + 1, name, f"{middle:.1f}", f"{worst[beside]:.1f}"))
                ratios.append(worst[True] / worst[False])
    harness.table(("round", "console", "p50 ms", "p99 ms"), rows)
    print(f"{len(statuses)} updates of tabs, {statuses.count(200)} of them with a new page")
    harness.goal("p99 with tabs over p99 without", harness.median(ratios), unit="x", below=GOAL)


if __name__ == "__main__":
    harness.run(main)
