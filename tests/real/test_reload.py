"""Rules change while `serve` runs: nothing stops, nothing is lost, and each incident says by which rules."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from responder.standins.processes import Program
from responder.standins.stage import Stage
from tests.real.conftest import example, until
from tests.real.test_sigkill import children, rows

pytestmark = pytest.mark.real


def edit(folder: Path, old: str, new: str) -> None:
    """Change the last rule file."""
    path = folder / "99-unknown.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def workers(program: Program) -> set[int]:
    """Both worker processes, once they listen to SIGHUP."""
    until(lambda: len(children(program.process.pid)) == 2 and all(map(listens, children(program.process.pid))))
    return set(children(program.process.pid))


def listens(pid: int) -> bool:
    """True if a process has a handler for SIGHUP, the first bit of its mask (``proc(5)``)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return bool(int(next(line for line in lines if line.startswith("SigCgt")).split()[1], 16) & 1)


def told(stage: Stage, number: int) -> tuple[str, str]:
    """Send an alert without a rule of its own; the deciding rule of its incident, and the rules' revision."""
    body = example("unknown-alert").replace(b'"groupKey":"', b'"groupKey":"%d' % number)
    assert stage.post(body).status == 202
    until(lambda: len(rows(stage.database, "SELECT 1 FROM incidents")) == number)
    [found] = rows(stage.database, "SELECT rule, revision FROM incidents ORDER BY opened_at DESC LIMIT 1")
    return found


def test_rules_are_read_again_while_serving(stage: Stage) -> None:
    """A rule that is saved decides seconds later, in every worker, without a restart; a broken one changes nothing."""
    folder = stage.folder / "rules"
    shutil.copytree(stage.settings["RESPONDER_RULES"], folder)
    with stage.serve(rules=str(folder), workers="2") as program:
        both = workers(program)
        rule, first = told(stage, 1)
        assert rule == "unknown"
        edit(folder, "id: unknown", "id: nobody-knows")
        until(lambda: program.said(200).count("rules.reloaded") == 2)
        rule, second = told(stage, 2)
        assert (rule, second != first) == ("nobody-knows", True)
        edit(folder, "id: nobody-knows", "identity: nobody-knows")
        until(lambda: program.said(200).count("rules.refused") == 2)
        assert told(stage, 3) == ("nobody-knows", second)
        assert "99-unknown.yaml" in program.said(5)
        assert set(children(program.process.pid)) == both


def test_sighup_reads_the_rules_at_once(stage: Stage) -> None:
    """An operator who sends SIGHUP, or a deploy script, gets the rules read in every worker, and no worker ends."""
    with stage.serve(workers="2") as program:
        both = workers(program)
        os.kill(program.process.pid, signal.SIGHUP)
        until(lambda: program.said(200).count("rules.reloaded") == 2)
        assert set(children(program.process.pid)) == both
        assert told(stage, 1)[0] == "unknown"


def test_a_worker_that_starts_late_reads_the_rules_of_today(stage: Stage) -> None:
    """A worker that replaces a dead one does not bring back the rules of the day the process was started."""
    folder = stage.folder / "rules"
    shutil.copytree(stage.settings["RESPONDER_RULES"], folder)
    with stage.serve(rules=str(folder), workers="1") as program:
        edit(folder, "id: unknown", "id: nobody-knows")
        until(lambda: "rules.reloaded" in program.said(200))
        os.kill(children(program.process.pid)[0], signal.SIGKILL)
        until(lambda: program.said(200).count("rules.reloaded") == 2)
        assert told(stage, 1)[0] == "nobody-knows"
