"""Real programs on loopback, started and ended: Prometheus, Alertmanager and ``responder serve`` itself."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SERVERS = ("prometheus", "prometheus-alertmanager")
"""The programs of others, by the name that Debian gives to both the program and its package."""

START_SECONDS = 20.0
STOP_SECONDS = 15.0
_POLL = 0.05
_SHOWN_LINES = 30


class DidNotStart(Exception):
    """A program ended, or was not ready in time; the text holds the last lines it wrote."""


@dataclass(frozen=True, slots=True)
class Program:
    """A running program that leads a process group of its own. ``log`` holds its standard output and error."""

    name: str
    url: str
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def said(self, lines: int = _SHOWN_LINES) -> str:
        """The last lines it wrote."""
        text = self.log.read_text("utf-8", "replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def terminate(self) -> None:
        """Ask its first process to end (SIGTERM), as an operator or Kubernetes does."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()

    def stop(self, patience: float = STOP_SECONDS) -> int:
        """End it with SIGTERM, after ``patience`` seconds with SIGKILL. Returns its exit status."""
        self.terminate()
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            return self.kill()
        self._kill_group()  # what a dead leader may have left behind
        return self.process.returncode

    def kill(self) -> int:
        """SIGKILL the whole group at once: nothing gets to say goodbye. Returns the exit status."""
        self._kill_group()
        return self.process.wait()

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


def missing() -> tuple[str, ...]:
    """Those of SERVERS that are not on the PATH: the Debian packages to install."""
    return tuple(name for name in SERVERS if shutil.which(name) is None)


def free_port() -> int:
    """A port of loopback that nobody listens on, below those the system gives to outgoing connections."""
    while True:
        port = random.SystemRandom().randrange(10_000, 32_000)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            # As the programs bind: a port that only waits out an old connection is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


@contextlib.contextmanager
def started(
    name: str,
    command: Sequence[str],
    *,
    url: str,
    ready: str,
    folder: Path,
    env: Mapping[str, str] | None = None,
    seconds: float = START_SECONDS,
) -> Iterator[Program]:
    """Run ``command`` in ``folder`` until the block ends. Raises DidNotStart unless ``url + ready`` soon answers 200.

    What it writes goes to ``<name>.log`` in ``folder``, after what an earlier one of that name wrote.
    """
    log = folder / f"{name}.log"
    with log.open("ab") as sink:
        process = subprocess.Popen(  # noqa: S603 - our own command lines, no shell
            command,
            cwd=folder,
            env=dict(os.environ if env is None else env),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    program = Program(name, url, log, process)
    try:
        _await(program, url + ready, seconds)
        yield program
    finally:
        program.stop()


def _await(program: Program, url: str, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not _answers(url):
        if not program.running:
            raise DidNotStart(
                f"{program.name} ended with status {program.process.returncode}. It said:\n{program.said()}"
            )
        if time.monotonic() > end:
            raise DidNotStart(f"{program.name} was not ready within {seconds:g} s. It said:\n{program.said()}")
        time.sleep(_POLL)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as response:  # noqa: S310 - always http://127.0.0.1
            return bool(response.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


@contextlib.contextmanager
def prometheus(folder: Path, config: str, rules: str, *, port: int | None = None) -> Iterator[Program]:
    """Debian's Prometheus on loopback with these texts as its files. Raises DidNotStart."""
    port = port or free_port()
    (folder / "prometheus.yml").write_text(config, "utf-8")
    (folder / "prometheus.rules.yml").write_text(rules, "utf-8")
    command = [
        "prometheus",
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=prometheus.data",
        f"--web.listen-address=127.0.0.1:{port}",
        # Prometheus sends before it has found its Alertmanager, and by default again only after a minute.
        "--rules.alert.resend-delay=1s",
    ]
    with started("prometheus", command, url=f"http://127.0.0.1:{port}", ready="/-/ready", folder=folder) as program:
        yield program


@contextlib.contextmanager
def alertmanager(
    folder: Path, config: str, *, port: int | None = None, name: str = "alertmanager", cluster: Sequence[str] = ()
) -> Iterator[Program]:
    """Debian's Alertmanager on loopback. ``name`` tells two of them apart. Raises DidNotStart.

    ``cluster`` is its own gossip address and those of its peers; it stands alone where none is given.
    """
    port = port or free_port()
    (folder / f"{name}.yml").write_text(config, "utf-8")
    own, *peers = cluster or ("",)
    command = [
        "prometheus-alertmanager",
        f"--config.file={name}.yml",
        f"--storage.path={name}.data",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--cluster.listen-address={own}",
        *(f"--cluster.peer={peer}" for peer in peers),
        # It notifies nobody before ten rounds of gossip were quiet; and its peer has 0.3 s to deliver first, not 15 s.
        "--cluster.gossip-interval=20ms",
        "--cluster.peer-timeout=300ms",
    ]
    with started(name, command, url=f"http://127.0.0.1:{port}", ready="/-/ready", folder=folder) as program:
        yield program


@contextlib.contextmanager
def responder_serve(
    settings: Mapping[str, str],
    folder: Path,
    *,
    program: Sequence[str] = ("-m", "responder"),
    arguments: Sequence[str] = (),
    seconds: float = START_SECONDS,
) -> Iterator[Program]:
    """``responder serve`` with these settings and no others; it listens on RESPONDER_LISTEN. Raises DidNotStart.

    ``program`` is what Python is to run, where it is not the package itself.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RESPONDER_")}
    command = [sys.executable, *program, "serve", *arguments]
    url = f"http://{settings['RESPONDER_LISTEN']}"
    with started(
        "responder", command, url=url, ready="/readyz", folder=folder, env=inherited | dict(settings), seconds=seconds
    ) as running:
        yield running


@contextlib.contextmanager
def alertmanager_pair(folder: Path, config: str) -> Iterator[tuple[Program, Program]]:
    """Two Alertmanagers that know of each other, as Prometheus sends to both: high availability. Raises DidNotStart."""
    one, two = (f"127.0.0.1:{free_port()}" for _ in range(2))
    with (
        alertmanager(folder, config, name="alertmanager-a", cluster=(one, two)) as a,
        alertmanager(folder, config, name="alertmanager-b", cluster=(two, one)) as b,
    ):
        yield a, b


def alertmanager_config(
    webhook_url: str,
    token: str,
    *,
    group_by: Sequence[str] = ("alertname", "service"),
    group_wait: str = "1s",
    group_interval: str = "2s",
) -> str:
    """A configuration that sends every alert to one webhook, as quickly as Alertmanager can. JSON is YAML."""
    webhook = {
        "url": webhook_url,
        "send_resolved": True,
        "http_config": {"authorization": {"type": "Bearer", "credentials": token}},
    }
    route = {
        "receiver": "responder",
        "group_by": list(group_by),
        "group_wait": group_wait,
        "group_interval": group_interval,
        "repeat_interval": "4h",
    }
    return json.dumps({"route": route, "receivers": [{"name": "responder", "webhook_configs": [webhook]}]}, indent=1)


def prometheus_config(targets: Mapping[str, str], alertmanagers: Sequence[str]) -> str:
    """Scrape every service each second and evaluate as often. ``targets`` maps a service to ``host:port/path``."""
    scrapes = [
        {
            "targets": [target.partition("/")[0]],
            "labels": {
                "service": service,
                "namespace": "butterfly",
                "instance": f"{service}:8080",
                "__metrics_path__": "/" + target.partition("/")[2],
            },
        }
        for service, target in targets.items()
    ]
    addresses = [url.removeprefix("http://") for url in alertmanagers]
    return json.dumps(
        {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": ["prometheus.rules.yml"],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": addresses}]}]},
            "scrape_configs": [{"job_name": "butterfly", "static_configs": scrapes}],
        },
        indent=1,
    )


def alerting_rule(name: str, expr: str, labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
    """A rule file with one alert that fires as soon as ``expr`` has a result."""
    rule = {"alert": name, "expr": expr, "labels": dict(labels), "annotations": dict(annotations)}
    return json.dumps({"groups": [{"name": "butterfly", "rules": [rule]}]}, indent=1)
