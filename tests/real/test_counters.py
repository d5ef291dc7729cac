"""Counters of a running service: they outlive workers, begin anew with the instance, and never stop a page."""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from responder.standins.processes import Program
from responder.standins.stage import Stage
from tests.real.conftest import example, until

pytestmark = pytest.mark.real

KEPT = 'responder_http_requests_total{route="webhook.receive",status="202"}'


def scrape(stage: Stage) -> dict[str, float]:
    """Every sample that a scrape shows."""
    with urllib.request.urlopen(f"{stage.url}/metrics", timeout=10) as response:
        lines = response.read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def children(program: Program) -> set[int]:
    """The workers."""
    pid = program.process.pid
    return {int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def directories(temporary: Path) -> list[Path]:
    """The directories of counters in ``temporary``."""
    return sorted(temporary.glob("responder-counters-*"))


def test_counters_outlive_their_workers(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGKILL of a worker and a reload of the rules take no count back, and leave no file behind."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    with stage.serve(workers="2") as program:
        (directory,) = directories(temporary)
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        seen: list[float] = []
        for round_ in range(1, 4):
            for _ in range(8):
                assert stage.post(example("service-down")).status == 202
            until(lambda count=8 * round_: scrape(stage)[KEPT] == count)  # type: ignore[misc]
            (victim, *_) = before = children(program)
            os.kill(victim, signal.SIGKILL)
            until(lambda known=before: children(program) - known)  # type: ignore[misc]
            program.process.send_signal(signal.SIGHUP)
            seen.extend(scrape(stage)[KEPT] for _ in range(10))
        assert seen == sorted(seen)
        assert seen[-1] == 24
        assert {path.name for path in directory.iterdir()} <= {
            f"{kind}_{slot}.db" for kind in ("counter", "histogram", "gauge_mostrecent") for slot in (0, 1)
        }
        started = float(scrape(stage)["process_start_time_seconds"])
        assert started == pytest.approx(Path(f"/proc/{program.process.pid}").stat().st_ctime, abs=5)
    assert directories(temporary) == []
    with stage.serve() as program:
        assert scrape(stage)[KEPT] == 0


@pytest.mark.parametrize("missing", ["at the start", "later"])
def test_without_its_directory_it_pages(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """A temporary directory that cannot be used, or that is deleted, is named in the log and costs counters only."""
    directory = tmp_path / "file" / "counters"
    if missing == "at the start":
        directory.parent.write_text("")
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(directory))
    with stage.serve() as program:
        if missing == "later":
            shutil.rmtree(directory)
        assert stage.post(example("service-down")).status == 202
        until(lambda: stage.pagerduty.events)
        until(lambda: scrape(stage)["responder_counters_ok"] == 0)
        assert scrape(stage)["responder_incidents_open" + '{severity="P1"}'] == 1
        assert re.search(r"counters\.failed", program.log.read_text())


def test_the_given_directory_is_emptied_at_the_start(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counters of an earlier life are not taken for those of this one."""
    directory = tmp_path / "counters"
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(directory))
    for _ in range(2):
        with stage.serve() as program:
            assert scrape(stage)[KEPT] == 0
            assert stage.post(example("service-down")).status == 202
            until(lambda: scrape(stage)[KEPT] == 1)
            program.kill()
    assert list(directory.glob("counter_*.db")) != []


_FULL = """
import os, sys
from pathlib import Path
from responder.counters import COUNTERS
from responder.web.multiprocess import CounterFiles

folder = Path(sys.argv[1])
COUNTERS.open(CounterFiles(folder, 0).open)
hog = os.open(folder / "hog", os.O_CREAT | os.O_WRONLY)
try:
    while True:
        os.write(hog, bytes(4096))
except OSError:
    pass
for number in range(2000):
    COUNTERS.add("responder_rule_matches", f"rule-{number}")
print(COUNTERS.failure)
"""


def test_a_full_disk_kills_no_process(tmp_path: Path) -> None:
    """A file mapped beyond the room of its disk would end the process with SIGBUS, and with it the paging."""
    inside = f'mount -t tmpfs -o size=512k none "{tmp_path}" && exec "{sys.executable}" -c "$0" "{tmp_path}"'
    env = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    command = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", inside, _FULL)
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    if "unshare failed" in done.stderr:
        pytest.skip("this kernel lets no user make a mount namespace")
    assert (done.returncode, done.stderr) == (0, "")
    assert "responder_rule_matches is not counted: [Errno 28] No space left on device" in done.stdout
