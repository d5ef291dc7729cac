"""Shared parts of the benchmarks: servers and their cost, unique webhooks, and a table with goals."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median as median  # noqa: PLC0414 - re-exported
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]
HERE = Path(__file__).resolve().parent
sys.path.append(str(ROOT))  # for tests.support: it is not installed
TOKEN = "benchmark-token"
#: Placeholder in a payload for a number unique to each request, ten characters long.
NUMBER = "@" * 10
_TICK = 1 / os.sysconf("SC_CLK_TCK")


class CorrectnessError(Exception):
    """A correctness condition does not hold: something that was acknowledged is not there."""


def free_port() -> int:
    """Return a free TCP port."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Server:
    """A command that serves ``/readyz`` on ``port``, and all its child processes."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], folder: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._log = folder / "server.log"
        self.began = time.monotonic()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=folder, env={**_own_environment(), **env}, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        self._until_ready()
        self.ready_after = time.monotonic() - self.began

    def _until_ready(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=5):
                    return
            except OSError:  # also a worker that takes longer than the timeout to start
                time.sleep(0.005)
        self.stop()
        raise SystemExit(f"the server did not start:\n{self._log.read_text()}")

    def tree(self) -> list[int]:
        """The process and its descendants."""
        found, parents = [self._process.pid], {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            if fields := _read(stat).rpartition(")")[2].split():
                parents[int(stat.parent.name)] = int(fields[1])
        for pid in found:
            found.extend(child for child, parent in parents.items() if parent == pid)
        return found

    def cpu(self) -> float:
        """Seconds of processor time the whole tree has used, ended children included."""
        stats = (_read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split() for pid in self.tree())
        return sum(sum(map(int, fields[11:15])) for fields in stats if fields) * _TICK

    def pss(self) -> float:
        """MB of memory of the whole tree; what processes share is counted once."""
        lines = "\n".join(_read(Path(f"/proc/{pid}/smaps_rollup")) for pid in self.tree()).splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024

    def kill(self) -> None:
        """SIGKILL all of it: the first process first, so that it starts no other."""
        for pid in self.tree():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """End it as an operator would, and by force where that takes 20 seconds."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _own_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("RESPONDER_")}


def responder(folder: Path, **settings: object) -> Server:
    """``responder serve`` on a database of its own in ``folder``; ``settings`` are RESPONDER_<NAME>."""
    port = free_port()
    usual = {
        "listen": f"127.0.0.1:{port}",
        "database_url": f"sqlite:///{folder / 'responder.db'}",
        "rules": ROOT / "rules",
        "runbooks": ROOT / "runbooks",
        "webhook_token": TOKEN,
    }
    env = {f"RESPONDER_{name.upper()}": str(value) for name, value in {**usual, **settings}.items()}
    return Server([sys.executable, "-m", "responder", "serve"], env, folder, port)


def without_floods(start: Callable[..., Server], folder: Path) -> Server:
    """Return ``start`` with floods disabled: every incident has its report, its messages and its probes."""
    rules = Path(shutil.copytree(ROOT / "rules", folder / "rules"))
    path = rules / "01-severities.yaml"
    path.write_text(re.sub(r"flood_above: \d+", "flood_above: 0", path.read_text()))
    return start(folder, rules=rules)


#: Channels and teams of the variant with many of both, which is compared with two channels.
CHANNELS, TEAMS = 50, 30
#: Team of each benchmark's alerts, by their label ``team``.
OWN_TEAM = "team: {from: team, map: {team-plato: team-7}, otherwise: team-0}"


def many_teams() -> tuple[str, dict[str, str]]:
    """A rule file with CHANNELS and TEAMS, and the settings with their secrets."""
    pagers = CHANNELS - TEAMS
    lines = [
        "channels:",
        *(f"  pager-{n}: {{kind: pagerduty, routing_key: {{secret: pager-{n}}}}}" for n in range(pagers)),
        *(f'  chat-{n}: {{kind: slack, channel: "#team-{n}"}}' for n in range(TEAMS)),
        "teams:",
        *(f"  team-{n}: {{channels: [pager-{n % pagers}, chat-{n}]}}" for n in range(TEAMS)),
    ]
    return "\n".join(lines) + "\n", {f"secret_pager_{n}": f"{n:032}" for n in range(pagers)}


def with_many_teams(start: Callable[..., Server], folder: Path) -> Server:
    """``start`` with the shipped rules, in which teams replace the two channels."""
    rules = Path(shutil.copytree(ROOT / "rules", folder / "rules"))
    for path in rules.glob("*.yaml"):
        path.write_text(path.read_text().replace("channels: [pagerduty, slack]", OWN_TEAM))
    text, secrets = many_teams()
    (rules / "02-teams.yaml").write_text(text)
    return start(folder, rules=rules, **secrets)


def floor(folder: Path, app: str = "floor", **env: str) -> Server:
    """``app``.py under the gunicorn settings that ``responder serve`` uses, its worker class included."""
    port = free_port()
    command = f"-m gunicorn --bind 127.0.0.1:{port} --workers 2 --threads 8 --keep-alive 75"
    command += " --worker-class responder.web.gunicorn_worker.BalancedThreadWorker"
    command += f" --no-control-socket --log-level warning --chdir {HERE}"
    heartbeat = ["--worker-tmp-dir", "/dev/shm"] if Path("/dev/shm").is_dir() else []
    env = {"FLOOR_DATABASE": str(folder / "floor.db"), **env}
    return Server([sys.executable, *command.split(), *heartbeat, f"{app}:app"], env, folder, port)


def a_webhook(alerts: int = 20, **labels: str) -> bytes:
    """A webhook of version 4 with about 1 KB an alert: 12 labels, 4 annotations. NUMBER stands where it is unique."""
    shared = {"alertname": "HighErrorRate", "shard": f"shard-{NUMBER}", "namespace": "butterfly", **labels}
    common = {**shared, "service": "plato", "severity": "critical", **labels}
    group = {
        "receiver": "responder",
        "status": "firing",
        "alerts": [_an_alert(common, each) for each in range(alerts)],
        "groupLabels": {name: shared[name] for name in ("alertname", "shard")},
        "commonLabels": common,
        "commonAnnotations": {"summary": "plato answers with errors"},
        "externalURL": "http://alertmanager.example:9093",
        "version": "4",
        "groupKey": f'{{}}:{{alertname="{shared["alertname"]}", shard="shard-{NUMBER}"}}',
        "truncatedAlerts": 0,
    }
    return json.dumps(group, separators=(",", ":")).encode()


def _an_alert(labels: Mapping[str, str], number: int) -> dict[str, Any]:
    more = {
        "cluster": "prod-eu",
        "container": "app",
        "endpoint": "http",
        "instance": f"10.0.{number}.7:8080",
        "job": "butterfly/plato",
        "pod": f"plato-{NUMBER}-{number:02}",
        "team": "team-plato",
    }
    return {
        "status": "firing",
        "labels": {**labels, **more},
        "annotations": {
            "summary": "plato answers with errors",
            "description": f"7.3 % of the requests to pod {number} failed in the last five minutes; 1 % is fine. " * 2,
            "runbook_url": "https://runbooks.butterfly.example.com/common-issues.md#high-error-rate",
            "dashboard": "https://grafana.butterfly.example.com/d/plato/overview?orgId=1&var-service=plato",
        },
        "startsAt": "2026-11-23T09:15:02.123Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example:9090/graph?g0.expr=rate%28http_requests_total%5B5m%5D%29&g0.tab=1",
        "fingerprint": f"{NUMBER}{number:06x}",
    }


@dataclass(frozen=True, slots=True)
class Load:
    """Client side results: 202s, other responses, broken connections, and response times."""

    accepted: int
    refused: int
    broken: int
    seconds: float
    p50_ms: float
    p99_ms: float


def storm(server: Server, body: Path, seconds: float, tag: str, connections: int = 16, count: int = 0) -> Load:
    """Unique webhooks as fast as they are answered, from another process: wrk where it is, else storm.py.

    With ``count`` each connection sends so many, however long that takes.
    """
    target = f"{server.url}/webhook/alertmanager"
    if shutil.which("wrk") and not count:
        how = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "10s", "-s", str(HERE / "storm.lua")]
        command = [*how, target, "--", TOKEN, tag, str(body)]
    else:
        how = [sys.executable, str(HERE / "storm.py"), "--connections", str(connections), "--seconds", str(seconds)]
        command = [*how, "--count", str(count), target, TOKEN, tag, str(body)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = json.loads(said[said.rindex("{") :])
    accepted = found.pop("replies") - found["refused"]
    return Load(accepted=accepted, **found)


def post(url: str, body: bytes) -> None:
    """Post one webhook, which must be accepted."""
    with contextlib.closing(connected(url)) as connection:
        post_on(connection, body)


def connected(url: str) -> http.client.HTTPConnection:
    """A connection to the server at ``url``, as Alertmanager holds one."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    connection.connect()
    return connection


def post_on(connection: http.client.HTTPConnection, body: bytes) -> None:
    """Post one webhook, which must be accepted, on an open connection."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
    connection.request("POST", "/webhook/alertmanager", body, headers)
    answer = connection.getresponse()
    answer.read()
    if answer.status != 202:
        raise CorrectnessError(f"the webhook was answered {answer.status}")


def wait_for(what: str, holds: Any, seconds: float = 60.0, pause: float = 0.02) -> float:
    """Seconds until ``holds()`` is true. Raises CorrectnessError after ``seconds``."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > seconds:
            raise CorrectnessError(f"{what}: not within {seconds:g} s")
        time.sleep(pause)
    return time.monotonic() - began


def folder() -> tempfile.TemporaryDirectory[str]:
    """Folder of databases and logs of a run. Set TMPDIR to a real disk: in memory an fsync costs nothing."""
    return tempfile.TemporaryDirectory(prefix="responder-bench-", ignore_cleanup_errors=True)


class Outside:
    """outside.py in a process of its own, which answers after ``seconds``; the settings that lead ``serve`` to it."""

    def __init__(self, seconds: float = 0.2) -> None:
        command = [sys.executable, str(HERE / "outside.py"), str(seconds)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        where = json.loads(self._process.stdout.readline())
        services = ("capsule", "odyssey", "perception", "plato", "nexus")
        self.settings = {
            "pagerduty_routing_key": "benchmark",
            "pagerduty_url": where["url"],
            "slack_bot_token": "xoxb-benchmark",
            "slack_api_url": where["url"],
            "connect_to": ",".join(f"{name}:8080=127.0.0.1:{where['port']}" for name in services),
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()


def rows(database: Path, sql: str) -> list[tuple[Any, ...]]:
    """Content of the SQLite file."""
    try:
        from pysqlite3 import dbapi2 as sqlite3
    except ImportError:
        import sqlite3
    with contextlib.closing(sqlite3.connect(database, timeout=10)) as connection:
        found: list[tuple[Any, ...]] = connection.execute(sql).fetchall()
    return found


def wait_until_decided(database: Path) -> None:
    """Wait until no notification waits for triage."""
    waiting = "SELECT count(*) FROM notifications WHERE state = 'new'"
    wait_for("the backlog", lambda: not rows(database, waiting)[0][0], 300, pause=0.5)


def options(text: str | None, *, rounds: int, seconds: float) -> argparse.Namespace:
    """Return the options of a benchmark; the first line of ``text`` describes it."""
    parser = argparse.ArgumentParser(description=(text or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=rounds, help=f"interleaved rounds (default {rounds})")
    parser.add_argument("--seconds", type=float, default=seconds, help=f"of one measurement (default {seconds:g})")
    return parser.parse_args()


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of them lie: the nearest rank, nothing interpolated."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    for row in cells:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print()


def goal(what: str, value: float, *, unit: str, at_least: float | None = None, below: float | None = None) -> None:
    """Print a goal, the result, and whether it is met."""
    met = value >= at_least if at_least is not None else value < (below or 0)
    wanted = f">= {at_least:g}" if at_least is not None else f"< {below:g}"
    print(f"  {'met    ' if met else 'NOT MET'}  {what}: {value:.3g} {unit} (goal {wanted} {unit})")


def run(main: Any) -> None:
    """Run a benchmark. Exit with 1 only if something is missing: a busy machine is no failure."""
    print(f"  load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    try:
        main()
    except CorrectnessError as error:
        sys.exit(f"  FAILED: {error}")
