"""`responder serve` as an operator meets it: what it refuses, what it says, how it stops."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from statistics import median

import pytest

from responder.standins.processes import Program, free_port
from responder.standins.stage import PostResponse, Stage
from tests.real.conftest import example, until
from tests.real.test_sigkill import children, rows

pytestmark = pytest.mark.real


def serve(
    stage: Stage, *arguments: str, without: tuple[str, ...] = (), **changes: str
) -> subprocess.CompletedProcess[str]:
    """Run `serve` that is expected to end by itself."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("RESPONDER_")}
    env |= {name: value for name, value in stage.settings.items() if name not in without}
    env |= {f"RESPONDER_{name.upper()}": value for name, value in changes.items()}
    command = [sys.executable, "-m", "responder", "serve", *arguments]
    return subprocess.run(command, env=env, cwd=stage.folder, capture_output=True, text=True, timeout=30, check=False)


def test_it_refuses_to_start_without_authentication(stage: Stage) -> None:
    """Forgetting a setting does not open the webhook to the network."""
    ended = serve(stage, without=("RESPONDER_WEBHOOK_TOKEN",))
    assert ended.returncode == 1
    assert "RESPONDER_WEBHOOK_TOKEN" in ended.stderr


def test_insecure_means_loopback_only(stage: Stage) -> None:
    """Trying it out without a token is possible on the machine itself only."""
    ended = serve(stage, "--insecure", without=("RESPONDER_WEBHOOK_TOKEN",), listen="0.0.0.0:18999")
    assert ended.returncode == 1
    assert "loopback" in ended.stderr


def test_it_refuses_to_start_on_bad_rules_and_names_every_problem(stage: Stage) -> None:
    """A broken rule file is found at the deploy, all of it at once, with file, line and column."""
    rules = stage.folder / "rules"
    shutil.copytree(stage.settings["RESPONDER_RULES"], rules)
    path = rules / "10-kubernetes.yaml"
    lines = path.read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if line.strip().startswith("first_step:"))
    lines[first] = lines[first].replace("first_step:", "frist_step:")
    path.write_text("\n".join(lines).replace("common-issues.md#job-failed", "common-issues.md#no-such-section"))
    ended = serve(stage, rules=str(rules))
    assert ended.returncode == 1
    assert f"rules/10-kubernetes.yaml:{first + 1}:5: error[unknown-key]" in ended.stderr
    assert "did you mean 'first_step'" in ended.stderr
    assert "error[unknown-section]" in ended.stderr


def test_it_refuses_settings_it_cannot_read(stage: Stage) -> None:
    """Every bad setting is named, and no secret is."""
    ended = serve(stage, workers="two", role="cook", slack_webhook_url="s3cret")
    assert ended.returncode == 1
    assert "RESPONDER_WORKERS" in ended.stderr
    assert "RESPONDER_ROLE" in ended.stderr
    assert "s3cret" not in ended.stderr


def test_it_refuses_a_database_it_cannot_open(stage: Stage) -> None:
    """A path that is not there is said before anything is accepted."""
    ended = serve(stage, database_url=f"sqlite:///{stage.folder}/missing/responder.db")
    assert ended.returncode == 1
    assert "unable to open database file" in ended.stderr


def test_a_port_in_use_is_one_sentence_at_once(stage: Stage) -> None:
    """A second instance, or another program on the port, is named with what to do, and before the rules are read."""
    host, _, port = stage.settings["RESPONDER_LISTEN"].rpartition(":")
    with socket.create_server((host, int(port))):
        began = time.monotonic()
        ended = serve(stage)
        seconds = time.monotonic() - began
        checked = serve(stage, "--check")
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert f"error: cannot listen on {host}:{port}: Address already in use; stop the process" in ended.stderr
    assert seconds < 4
    assert checked.returncode == 0


def test_a_check_leaves_no_file_behind(stage: Stage) -> None:
    """`serve --check` creates no database, and says so where the service could not create one."""
    before = set(stage.folder.rglob("*"))
    url = f"sqlite:///{stage.folder}/new.db"
    assert serve(stage, "--check", database_url=url).returncode == 0
    assert set(stage.folder.rglob("*")) == before
    missing = serve(stage, "--check", database_url=f"sqlite:///{stage.folder}/missing/new.db")
    assert missing.returncode == 1
    assert "no folder in which this user can create it" in missing.stderr


def test_short_tokens_are_reported(stage: Stage) -> None:
    """A token that can be guessed is used, and the log says so without showing it."""
    with stage.serve(webhook_token="short-one", webhook_basic_auth="user:passw0rd") as program:
        said = program.log.read_text()
    assert said.count("settings.short_token") == 2
    assert "RESPONDER_WEBHOOK_TOKEN has a token of fewer than 16 characters" in said
    assert "short-one" not in said


def test_the_list_of_settings_shows_no_secret(stage: Stage) -> None:
    """The list of settings in force contains no secrets."""
    ended = serve(stage, "--settings")
    assert ended.returncode == 0
    assert "RESPONDER_WEBHOOK_TOKEN" in ended.stdout
    for name in ("WEBHOOK_TOKEN", "PAGERDUTY_ROUTING_KEY", "SLACK_BOT_TOKEN"):
        assert stage.settings[f"RESPONDER_{name}"] not in ended.stdout


def test_without_any_key_the_page_is_printed_and_that_is_said_loudly(stage: Stage) -> None:
    """A first try shows the page in the terminal, and says that on-call is not paged."""
    unset = {"pagerduty_routing_key": "", "slack_bot_token": ""}
    with stage.serve(**unset) as program:
        assert stage.post(example("service-down")).status == 202
        until(lambda: "INCIDENT STARTED" in program.log.read_text())
        said = program.log.read_text()
    assert "NO PAGES WILL BE SENT" in said
    assert "common-issues.md#service-down" in said


def test_a_pager_that_does_not_answer_shows_no_secret_and_delays_no_restart(stage: Stage) -> None:
    """Keys and tokens do not reach the log; a restart goes on at once with what the stopped process had begun."""
    stage.pagerduty.stop()
    with stage.serve() as program:
        assert stage.post(example("connection-pool")).status == 202
        until(lambda: "message.later" in program.log.read_text())
        said = program.log.read_text()
    for name in ("WEBHOOK_TOKEN", "PAGERDUTY_ROUTING_KEY", "SLACK_BOT_TOKEN"):
        assert stage.settings[f"RESPONDER_{name}"] not in said
    unfinished = "SELECT count(*) FROM diagnoses WHERE state = 'waiting' AND claimed_until > 0"
    assert rows(stage.database, unfinished) == [(0,)]


def test_sigterm_drains(stage: Stage) -> None:
    """While it stops, what it acknowledges is kept, and what it cannot keep is not acknowledged."""
    answers: list[PostResponse] = []
    going = threading.Event()
    going.set()

    def send(start: int) -> None:
        number = start
        while going.is_set():
            body = example("service-down").replace(b'"groupKey":"', b'"groupKey":"%d' % number)
            answers.append(stage.post(body, timeout=10))
            number += 1

    with stage.serve() as program:
        threads = [threading.Thread(target=send, args=(1000 * n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        until(lambda: len(answers) > 40)
        program.terminate()
        assert program.process.wait(20) == 0
        going.clear()
        for thread in threads:
            thread.join()
    accepted = sum(answer.status == 202 for answer in answers)
    assert {answer.status for answer in answers} <= {202, 503, 0}
    assert rows(stage.database, "SELECT count(*) FROM notifications") >= [(accepted,)]


def test_a_worker_that_dies_is_replaced(stage: Stage) -> None:
    """The service goes on with a fresh worker."""
    with stage.serve(workers="1") as program:
        (worker,) = children(program.process.pid)
        os.kill(worker, signal.SIGKILL)
        until(lambda: [child for child in children(program.process.pid) if child != worker])
        until(lambda: stage.post(example("service-down")).status == 202)
        until(lambda: stage.pagerduty.events)


def test_connections_are_shared_out_among_the_workers(stage: Stage) -> None:
    """Both workers accept connections when Alertmanager opens many at once."""
    with stage.serve(workers="2") as program:
        until(lambda: min(shares(stage, program, 4)) > 0)  # both have begun
        smaller = [min(shares(stage, program, 16)) for _ in range(11)]
    assert median(smaller) >= 6


def shares(stage: Stage, program: Program, count: int) -> list[int]:
    """Number of connections that each worker accepts of those opened at once."""
    host, _, port = stage.settings["RESPONDER_LISTEN"].rpartition(":")
    with contextlib.ExitStack() as opened:
        burst = [opened.enter_context(socket.create_connection((host, int(port)), 10)) for _ in range(count)]
        for connection in burst:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: responder\r\n\r\n")
        assert all(connection.recv(4096) for connection in burst)
        return [connections(worker, int(port)) for worker in children(program.process.pid)]


def connections(pid: int, port: int) -> int:
    """Number of connections to the tested port that a process holds."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ours = {f"socket:[{fields[9]}]" for fields in lines if fields[1].endswith(f":{port:04X}") and fields[3] == "01"}
    return len(ours & {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()})


def test_web_and_engine_can_be_separate(stage: Stage, tmp_path: Path) -> None:
    """Receiving and working may run as two services on one database."""
    with stage.serve(role="web"):
        assert stage.post(example("service-down")).status == 202
        engine = {**stage.settings, "RESPONDER_ROLE": "engine", "RESPONDER_LISTEN": f"127.0.0.1:{free_port()}"}
        command = [sys.executable, "-m", "responder", "serve"]
        env = {name: value for name, value in os.environ.items() if not name.startswith("RESPONDER_")} | engine
        process = subprocess.Popen(command, env=env, cwd=tmp_path, stderr=subprocess.DEVNULL)
        try:
            until(lambda: stage.pagerduty.events)
        finally:
            process.terminate()
            process.wait(20)


def test_a_locked_database_is_a_503(stage: Stage) -> None:
    """Alertmanager gets the reason, and retries."""
    with stage.serve(role="web"):
        holder = sqlite3.connect(stage.database, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        answer = stage.post(example("service-down"))
        holder.execute("ROLLBACK")
        holder.close()
        assert answer.status == 503
        assert "locked" in answer.text
        assert answer.text.count("\n") == 1
        assert stage.post(example("service-down")).status == 202


def test_addresses_that_were_only_an_example_are_reported(stage: Stage) -> None:
    """Rules with links to example.com are served, and the log names each place."""
    checked = serve(stage, "--check")
    assert checked.returncode == 0
    line = next(line for line in checked.stderr.splitlines() if "serve.example_addresses" in line)
    assert "service plato" in line
    assert "URL Status Page" in line
