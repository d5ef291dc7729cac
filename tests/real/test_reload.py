"""Rules change while `serve` runs: nothing stops, nothing is lost, and each incident says by which rules."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from responder.standins import loopback
from responder.standins.processes import Program
from responder.standins.stage import Stage
from tests.real.conftest import example, until
from tests.real.test_serve import serve
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


def decided_by(stage: Stage, number: int) -> tuple[str, str]:
    """Send an alert without a rule of its own; the deciding rule of its incident, and the rules' revision."""
    body = example("unknown-alert").replace(b'"groupKey":"', b'"groupKey":"%d' % number)
    assert stage.post(body).status == 202
    until(lambda: len(rows(stage.database, "SELECT 1 FROM incidents")) == number)
    [found] = rows(stage.database, "SELECT rule, revision FROM incidents ORDER BY opened_at DESC LIMIT 1")
    return found


def reloads(program: Program) -> int:
    """Number of times that a worker has read valid rules."""
    return program.last_output(500).count("rules.reloaded")


def test_rules_are_read_again_while_serving(stage: Stage) -> None:
    """A saved rule, SIGHUP and POST /-/reload take effect in every worker without a restart; a mistake changes nothing.

    ConfigMap reloaders call the address, which answers with the problems.
    """
    folder = stage.folder / "rules"
    shutil.copytree(stage.settings["RESPONDER_RULES"], folder)
    headers = {"Authorization": f"Bearer {stage.token}"}
    with stage.serve(rules=str(folder), workers="2", path_prefix="/responder") as program:
        both = workers(program)
        rule, first = decided_by(stage, 1)
        assert rule == "unknown"
        edit(folder, "id: unknown", "id: nobody-knows")
        until(lambda: reloads(program) == 2)
        rule, second = decided_by(stage, 2)
        assert (rule, second != first) == ("nobody-knows", True)
        os.kill(program.process.pid, signal.SIGHUP)
        until(lambda: reloads(program) == 4)
        assert loopback.post(f"{stage.url}/responder/-/reload", b"", headers, 60).status == 200
        until(lambda: reloads(program) == 6)
        edit(folder, "id: nobody-knows", "identity: nobody-knows")
        refused = loopback.post(f"{stage.url}/-/reload", b"", headers, 60)
        assert refused.status == 500
        assert b"99-unknown.yaml:" in refused.body
        assert loopback.post(f"{stage.url}/-/reload", b"", {}, 60).status == 401
        until(lambda: program.last_output(500).count("rules.refused") == 2)
        assert decided_by(stage, 3) == ("nobody-knows", second)
        lines = [line for line in program.last_output(500).splitlines() if "rules.refused" in line]
        assert all("99-unknown.yaml" in line for line in lines)
        assert set(children(program.process.pid)) == both


BREAKS = ("id: nobody-knows", "identity: nobody-knows")


def test_a_worker_that_starts_late_uses_the_rules_of_today_or_the_last_valid_ones(stage: Stage) -> None:
    """A worker that replaces a dead one decides by a reload since the start; after a mistake by the rules before it."""
    folder = stage.folder / "rules"
    shutil.copytree(stage.settings["RESPONDER_RULES"], folder)
    with stage.serve(rules=str(folder), workers="1") as program:
        edit(folder, "id: unknown", "id: nobody-knows")
        until(lambda: reloads(program) == 1)
        os.kill(children(program.process.pid)[0], signal.SIGKILL)
        until(lambda: reloads(program) == 2)
        rule, revision = decided_by(stage, 1)
        edit(folder, *BREAKS)
        until(lambda: "rules.refused" in program.last_output(500))
        os.kill(children(program.process.pid)[0], signal.SIGKILL)
        until(lambda: '"kept_in_database": true' in program.last_output(500))
        assert decided_by(stage, 2) == (rule, revision) == ("nobody-knows", revision)
        assert loopback.get(f"{stage.url}/readyz", 5).body == (
            b"ok; the rule files are invalid (3 problems): the last valid revision, kept in the database, is in force\n"
        )
        assert b"responder_rules_kept 1.0" in loopback.get(f"{stage.url}/metrics", 5).body
        until(lambda: any("earlier revision of its rules" in str(each) for each in stage.slack.messages))


def test_a_restart_with_broken_rules_uses_the_last_valid_ones(stage: Stage) -> None:
    """A machine that restarts at night pages by the rules of before; a check and the strict setting still refuse."""
    folder = stage.folder / "rules"
    shutil.copytree(stage.settings["RESPONDER_RULES"], folder)
    edit(folder, "id: unknown", "id: nobody-knows")
    with stage.serve(rules=str(folder)):
        until(lambda: rows(stage.database, "SELECT count(*) FROM kept_rules") == [(1,)])
        expected = decided_by(stage, 1)
    edit(folder, *BREAKS)
    with stage.serve(rules=str(folder)) as program:
        assert decided_by(stage, 2) == expected
        assert "serve.invalid_rules" in program.last_output(200)
    for ended in (serve(stage, "--check", rules=str(folder)), serve(stage, rules=str(folder), invalid_rules="refuse")):
        assert ended.returncode == 1
        assert "99-unknown.yaml" in ended.stderr
