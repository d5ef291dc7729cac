"""The press of a button in Slack while 500 webhooks arrive each second, against the same press while nothing arrives.

A press is a signed request, or an envelope of Socket Mode, of the stand-in in this process; the time is from its
beginning to the answer, which `responder serve` gives after the commit. 20 presses a second are measured, idle and
under load in turn on one server, which runs as shipped with its engine. Each webhook is a new group of 20 new alerts:
the flood is one digest, and the backlog of triage is waited for before the next idle round. Every press that was
answered has to be in the database.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import harness
from harness import CorrectnessError

from responder.standins.slack import SlackStandIn

WEBHOOKS_PER_SECOND = 500
PRESSES_PER_SECOND = 20
SLACK_SECONDS, LATE_SECONDS = 3.0, 3.001
WAYS = {"HTTP": False, "Socket Mode": True}
_BUTTON = {"type": "button", "action_id": "responder_acknowledge"}


def presses(slack: SlackStandIn, incident: str, seconds: float) -> list[float]:
    """Seconds that each press took; those of one that was not answered in time are more than Slack's limit."""
    found: list[float] = []
    began = time.monotonic()
    while (at := len(found) / PRESSES_PER_SECOND) < seconds:
        time.sleep(max(0.0, began + at - time.monotonic()))
        answer = slack.people.press(_BUTTON | {"value": incident})
        found.append(answer.seconds if answer.ok else max(answer.seconds, LATE_SECONDS))
    return found


def measure(rounds: int, seconds: float) -> tuple[dict[str, list[float]], list[float]]:
    """Times by way and load, and the webhooks a second of each round."""
    found: dict[str, list[float]] = {f"{way}, {load}": [] for way in WAYS for load in ("idle", "under load")}
    rates: list[float] = []
    with ExitStack() as stack:
        slack = stack.enter_context(SlackStandIn())
        outside = stack.enter_context(harness.Outside())
        folder = Path(stack.enter_context(harness.folder()))
        settings = outside.settings | {
            "slack_api_url": slack.url,
            "slack_app_token": slack.app_token,
            "slack_signing_secret": slack.people.signing_secret,
        }
        server = stack.enter_context(harness.responder(folder, **settings))
        slack.people.request_url = server.url
        database, body = folder / "responder.db", folder / "body.json"
        body.write_bytes(harness.a_webhook(20, severity="info"))
        harness.post(server.url, harness.a_webhook(1).replace(harness.NUMBER.encode(), b"0" * 10))
        harness.wait_for("the incident", lambda: harness.rows(database, "SELECT id FROM incidents"))
        harness.wait_for("the connection", lambda: slack.sockets.connections == 1)
        incident = str(harness.rows(database, "SELECT id FROM incidents")[0][0])
        for turn in range(rounds):
            for number, (way, slack.people.socket_mode) in enumerate(WAYS.items()):
                found[f"{way}, idle"] += presses(slack, incident, seconds)
                load = _load(server.url, body, seconds + 1, f"{turn:01}{number:01}")
                time.sleep(1.0)
                found[f"{way}, under load"] += presses(slack, incident, seconds)
                said = json.loads(load.communicate(timeout=60)[0].splitlines()[-1])
                if said["refused"] or said["broken"]:
                    raise CorrectnessError(f"webhooks were refused: {said}")
                rates.append(said["replies"] / said["seconds"])
                harness.wait_until_decided(database)
        stored = harness.rows(database, "SELECT count(*) FROM actions")[0][0]
    answered = sum(each < SLACK_SECONDS for times in found.values() for each in times)
    if stored < answered:
        raise CorrectnessError(f"{answered} presses were answered, and {stored} are stored")
    return found, rates


def _load(url: str, body: Path, seconds: float, tag: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(harness.HERE / "storm.py"), "--connections", "16", "--seconds", str(seconds)]
    target = [f"{url}/webhook/alertmanager", harness.TOKEN, tag, str(body)]
    rate = ["--rate", str(WEBHOOKS_PER_SECOND)]
    return subprocess.Popen([*command, *rate, *target], stdout=subprocess.PIPE, text=True)


def main() -> None:
    given = harness.options(__doc__, rounds=5, seconds=5)
    found, rates = measure(given.rounds, given.seconds)
    rows = [
        (
            name,
            len(times),
            *(f"{harness.quantile(times, share) * 1000:.1f}" for share in (0.5, 0.99)),
            f"{max(times) * 1000:.1f}",
        )
        for name, times in found.items()
    ]
    harness.table(("ms from the press to its answer", "presses", "p50", "p99", "worst"), rows)
    print(f"  webhooks a second under load: {harness.median(rates):.0f} at the median, {min(rates):.0f} at least")
    for way in WAYS:
        idle, loaded = (harness.quantile(found[f"{way}, {load}"], 0.99) for load in ("idle", "under load"))
        harness.goal(f"{way}, p99 under load, ratio to idle", loaded / idle, unit="times", below=5)
    harness.goal("slowest press", max(map(max, found.values())), unit="s", below=SLACK_SECONDS)


if __name__ == "__main__":
    harness.run(main)
