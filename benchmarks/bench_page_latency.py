"""From the webhook to the page, beyond the slowest of three probes that take 500 ms each.

The clock starts when the client, already connected, begins to send the webhook, and stops when the request's first
line is at the stand-in PagerDuty; 500 ms are subtracted. So it includes receiving, the commit, triage, the probes' own
overhead, the enriched page and its sending.
Every incident is about a service of its own with three dependencies of its own, since a recent result is
reused: their addresses differ in the path only, so connections are kept as they are in operation. Floods are
disabled, since a hundred pages a minute would be one.
The floor is page_floor.py: about sixty lines of Flask, SQLite and httpx with the same durability and the same probes
in threads. The result is the ratio to it, since absolute times differ threefold between machines; pages of both
alternate. sequential.py is the naive way: nothing durable, the same probes one after the other. One webhook at a time,
then four at once; every webhook opens a new incident. The stand-ins live in the process that measures.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import harness
from harness import Server

from responder.standins.butterfly import ButterflyStandIn, slow
from responder.standins.pagerduty import PagerDutyStandIn
from responder.standins.slack import SlackStandIn

PROBED = ("capsule", "odyssey", "perception")
PROBE_SECONDS = 0.5
ONE, FOUR, SEQUENTIAL = "one at a time", "four at once", "probes in sequence"
MANY = f"{ONE}, {harness.CHANNELS} channels"
FLOOR_ONE, FLOOR_FOUR = f"floor, {ONE}", f"floor, {FOUR}"
WARM_UP = 5
_RULES = """\
platform: {environment: prod, namespace: butterfly}
severities:
  P1: {meaning: outage, response: now, respond_within: 15m, responders: all, pages: true, pagerduty: critical,
       page_budget: 8s, next_update: 30m, flood_above: 0}
contacts: [{role: On-Call Primary, contact: PagerDuty, hours: 24/7}]
escalation: [On-Call Primary]
probes:
  needed: {kind: http, url: "${health}", of: dependencies, health: true}
rules:
  - {id: everything, match: [], severity: P1, symptom: is slow, first_step: Wait., channels: [pagerduty],
     probes: [needed]}
services:
"""
_SERVICE = (
    "  {name}: {{health: 'http://{host}:8080/{host}/{name}/actuator/health', owner: team, impact: none,"
    " depends_on: [{needs}]}}"
)


def rules(folder: Path, count: int, teams: str = "") -> Path:
    """A folder with one rule, and ``count`` services that each depend on three slow ones.

    ``teams`` is a rule file whose teams replace the channel.
    """
    place = folder / "rules"
    place.mkdir()
    lines = [_RULES.rstrip()]
    for number in range(count):
        needed = {f"{name}-{number}": name for name in PROBED}
        lines.extend(_SERVICE.format(name=name, host=host, needs="") for name, host in needed.items())
        lines.append(_SERVICE.format(name=_service(number), host=_service(number), needs=", ".join(needed)))
    text = "\n".join(lines) + "\n"
    if teams:
        text = text.replace("channels: [pagerduty]", harness.OWN_TEAM)
        (place / "teams.yaml").write_text(teams)
    (place / "all.yaml").write_text(text)
    return place


def connections(port: int) -> str:
    """Addresses of those services."""
    return ",".join(f"{name}:8080=127.0.0.1:{port}" for name in PROBED)


def _service(number: int | str) -> str:
    return f"s{number:010}" if isinstance(number, int) else f"s{number}"


class Stopwatch:
    """Records the arrival of each group at PagerDuty."""

    def __init__(self, pagerduty: PagerDutyStandIn) -> None:
        self._pagerduty = pagerduty
        self._template = harness.a_webhook(1, service=_service(harness.NUMBER))
        self._numbers: Iterator[int] = iter(range(10**9))

    def once(self, url: str, at_once: int = 1) -> list[float]:
        """Seconds from each of ``at_once`` webhooks to its page, less what a probe takes."""
        with self._pagerduty.lock:
            before = len(self._pagerduty.events)
        sent: dict[str, float] = {}

        def send(number: int) -> None:
            text = f"{number:010}"
            body = self._template.replace(harness.NUMBER.encode(), text.encode())
            with contextlib.closing(harness.connected(url)) as connection:
                sent[text] = time.monotonic()
                harness.post_on(connection, body)

        threads = [threading.Thread(target=send, args=(next(self._numbers),)) for _ in range(at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        harness.wait_for("the page", lambda: len(self._pagerduty.events) >= before + at_once, 20, pause=0.05)
        with self._pagerduty.lock:
            arrived = sorted(event.arrived for event in self._pagerduty.events[before : before + at_once])
        # Which page belongs to which webhook matters little at four at once: all are sent within a millisecond.
        return [end - begun - PROBE_SECONDS for begun, end in zip(sorted(sent.values()), arrived, strict=True)]


def peer(folder: Path, pagerduty: PagerDutyStandIn, butterfly: ButterflyStandIn) -> Server:
    port = harness.free_port()
    addresses = [pagerduty.url, *(butterfly.health_url(name) for name in PROBED)]
    return Server([sys.executable, str(harness.HERE / "sequential.py"), str(port), *addresses], {}, folder, port)


def measure(rounds: int) -> dict[str, list[float]]:
    count = WARM_UP * 12 + 1 + rounds * 55  # a service for every webhook of every server
    with ExitStack() as stack:
        pagerduty = stack.enter_context(PagerDutyStandIn())
        butterfly = stack.enter_context(ButterflyStandIn())
        for name in PROBED:
            butterfly.set(name, slow(PROBE_SECONDS))
        ours_in, peers_in = Path(stack.enter_context(harness.folder())), Path(stack.enter_context(harness.folder()))
        settings = {
            "connect_to": connections(butterfly.port),
            "pagerduty_routing_key": "benchmark",
            "pagerduty_url": pagerduty.url,
            "pagerduty_events_per_minute": 100_000,  # the peer keeps no limit either
        }
        ours = stack.enter_context(harness.responder(ours_in, rules=rules(ours_in, count), **settings))
        teams, secrets = harness.many_teams()
        slack = stack.enter_context(SlackStandIn())
        settings |= {"slack_bot_token": "xoxb-benchmark", "slack_api_url": slack.url, **secrets}
        many_in = Path(stack.enter_context(harness.folder()))
        many = stack.enter_context(harness.responder(many_in, rules=rules(many_in, count, teams), **settings))
        targets = " ".join([pagerduty.url, *(butterfly.health_url(name) for name in PROBED)])
        floor_in = Path(stack.enter_context(harness.folder()))
        floor = stack.enter_context(harness.floor(floor_in, "page_floor", PAGE_FLOOR_TARGETS=targets))
        theirs = stack.enter_context(peer(peers_in, pagerduty, butterfly))
        watch = Stopwatch(pagerduty)
        for _ in range(WARM_UP):
            watch.once(ours.url, 4)
            watch.once(floor.url, 4)
            watch.once(many.url, 4)
        watch.once(theirs.url)
        found: dict[str, list[float]] = {name: [] for name in (ONE, MANY, FLOOR_ONE, FOUR, FLOOR_FOUR, SEQUENTIAL)}
        for _ in range(rounds):
            for _ in range(10):
                found[ONE].extend(watch.once(ours.url))
                found[MANY].extend(watch.once(many.url))
                found[FLOOR_ONE].extend(watch.once(floor.url))
            for _ in range(3):
                found[FOUR].extend(watch.once(ours.url, 4))
                found[FLOOR_FOUR].extend(watch.once(floor.url, 4))
            found[SEQUENTIAL].extend(watch.once(theirs.url))
        return found


def main() -> None:
    found = measure(harness.options(__doc__, rounds=10, seconds=0).rounds)
    rows = [
        (
            name,
            len(values),
            *(f"{harness.quantile(values, share) * 1000:.1f}" for share in (0.5, 0.9, 0.99)),
            f"{max(values) * 1000:.1f}",
        )
        for name, values in found.items()
    ]
    harness.table(("ms beyond a 500 ms probe", "pages", "p50", "p90", "p99", "worst"), rows)
    base = harness.median(found[SEQUENTIAL])
    for name, floor in ((ONE, FLOOR_ONE), (FOUR, FLOOR_FOUR)):
        print(f"  {name}: {base / harness.median(found[name]):.0f} times less than in sequence at the median")
        for label, share, limit in (("p50", 0.5, 1.5), ("p99", 0.99, 2.0)):
            ratio = harness.quantile(found[name], share) / harness.quantile(found[floor], share)
            harness.goal(f"{name}, {label}, ratio to the floor", ratio, unit="times", below=limit)
    ratio = harness.median(found[MANY]) / harness.median(found[ONE])
    harness.goal(
        f"{harness.CHANNELS} channels and {harness.TEAMS} teams, p50, ratio to one", ratio, unit="times", below=1.1
    )


if __name__ == "__main__":
    harness.run(main)
