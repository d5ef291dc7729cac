"""Backtest: 100,000 stored notifications replayed through two sets of rules, and the memory it takes.

The store is filled with 2,000 groups of 1 to 5 alerts of eight names, each notified as it begins, again while it fires,
as it ends in part and as it ends, over and over. The rules after the change are the shipped ones with one severity
lowered. Each run is the command itself; its peak memory is that of the largest of its processes.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import harness

from responder.store.database import Database
from responder.store.schema.migrate import migrate
from responder.store.schema.tables import notifications, payloads

SIZES = (10_000, 100_000)
GROUPS = 2_000
NAMES = (
    *("HighErrorRate", "ServiceDown", "HighLatency", "KubePodCrashLooping"),
    *("KubeJobFailed", "KafkaConsumerLag", "CertificateExpiry", "NobodyKnows"),
)
BEGAN = datetime(2026, 10, 24, tzinfo=UTC)


def webhooks(count: int) -> Iterator[bytes]:
    """The given number of webhooks; a third of them are repeats."""
    chance = random.Random(3)
    known: dict[int, list[dict[str, Any]]] = {}
    for number in range(count):
        group = chance.randrange(GROUPS)
        alerts = known.get(group)
        if alerts is None:
            size = chance.randint(1, 5)
            sample = harness.a_webhook(size, alertname=NAMES[group % len(NAMES)])
            alerts = known[group] = json.loads(sample.replace(b"@" * 10, b"%010d" % group))["alerts"]
            for each in alerts:
                each["startsAt"] = (BEGAN + timedelta(seconds=number)).isoformat()
        elif chance.random() < 0.5:
            ends = (BEGAN + timedelta(seconds=number)).isoformat()
            several = len(alerts) if chance.random() < 0.7 else 1
            for each in alerts[:several]:
                each |= {"status": "resolved", "endsAt": ends}
        yield body(group, alerts)
        if all(each["status"] == "resolved" for each in alerts):
            del known[group]


def body(group: int, alerts: list[dict[str, Any]]) -> bytes:
    name = alerts[0]["labels"]["alertname"]
    labels = {"alertname": name, "shard": f"shard-{group:010}"}
    whole = {
        "receiver": "responder",
        "status": "firing" if any(each["status"] == "firing" for each in alerts) else "resolved",
        "alerts": alerts,
        "groupLabels": labels,
        "commonLabels": labels,
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example:9093",
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{name}", shard="shard-{group:010}"}}',
        "truncatedAlerts": 0,
    }
    return json.dumps(whole, separators=(",", ":")).encode()


def fill(url: str, count: int) -> None:
    """Notifications as ``serve`` would have stored them."""
    database = Database(url)
    migrate(database)
    rows: list[dict[str, Any]] = []
    blobs: list[bytes] = []
    for number, each in enumerate(webhooks(count)):
        rows.append({"received_at": BEGAN.timestamp() + 25.0 * number, "cluster": "", "state": "decided"})
        blobs.append(each)
        if len(rows) == 1_000 or number == count - 1:
            database.append(rows, notifications, blobs, payloads)
            rows, blobs = [], []
    database.close()


def changed(folder: Path) -> Path:
    """Copy the shipped rules; high error rates are P3 in them, which does not page."""
    into = folder / "rules"
    into.mkdir(exist_ok=True)
    for path in (harness.ROOT / "rules").glob("*.yaml"):
        text = path.read_text()
        rule, found, rest = text.partition("- id: high-error-rate")
        into.joinpath(path.name).write_text(rule + found + rest.replace("critical: P1", "critical: P3", 1))
    return into


def replay(url: str, rules: Path) -> tuple[float, float, float, dict[str, Any]]:
    """Seconds, those of processors, and MB of the command, and what it says."""
    command = [sys.executable, "-m", "responder", "backtest", "--against", str(harness.ROOT / "rules"), "--rules"]
    command += [str(rules), "--runbooks", str(harness.ROOT / "runbooks"), "--output", "json"]
    env = {name: value for name, value in os.environ.items() if not name.startswith("RESPONDER_")}
    began = time.perf_counter()
    with subprocess.Popen(command, env=env | {"RESPONDER_DATABASE_URL": url}, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
    if status:
        raise harness.CorrectnessError(f"backtest ended with {status}")
    took, worked = time.perf_counter() - began, usage.ru_utime + usage.ru_stime
    return took, worked, usage.ru_maxrss / 1024, json.loads(said)


def main() -> None:
    harness.options(__doc__, rounds=1, seconds=0)
    found: dict[int, tuple[float, float]] = {}
    rows = []
    with harness.folder() as name:
        rules = changed(Path(name))
        for size in SIZES:
            url = f"sqlite:///{name}/{size}.db"
            fill(url, size)
            took, worked, memory, said = replay(url, rules)
            numbers = said["summary"]
            if numbers["notifications"] != size:
                raise harness.CorrectnessError(f"{numbers['notifications']} of {size} were replayed")
            pages = f"{numbers['pages_before']:,} to {numbers['pages_after']:,}"
            rows.append((f"{size:,}", f"{took:.1f}", f"{worked:.1f}", f"{memory:.0f}", pages))
            found[size] = took, memory
    harness.table(("notifications", "s", "CPU s", "peak MB", "pages"), rows)
    few, many = (found[size] for size in SIZES)
    harness.goal("100,000 stored notifications", many[0], unit="s", below=30)
    harness.goal("peak memory at 100,000", many[1] / few[1] * 100, unit="% of that at 10,000", below=110)


if __name__ == "__main__":
    harness.run(main)
