"""SIGKILL at every step: after a restart there is exactly one incident, and nothing is missing."""

from __future__ import annotations

import functools
import os
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from responder.engine.workers.triage import LEASE
from responder.standins import butterfly
from responder.standins.server import hang, swallow
from responder.standins.stage import Stage
from tests.real.conftest import example, until

pytestmark = pytest.mark.real


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """Rows of the database, read from outside."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        return connection.execute(sql).fetchall()


def all_is_told(stage: Stage) -> bool:
    """True if every message has been sent."""
    return rows(stage.database, "SELECT state FROM messages GROUP BY state") == [("sent",)]


def one_incident(stage: Stage) -> None:
    """Exactly one open incident at PagerDuty, one stored notification that is decided, and a Slack parent."""
    until(lambda: stage.pagerduty.open() and all_is_told(stage), 40)
    assert len(stage.pagerduty.open()) == 1
    assert len({event.dedup_key for event in stage.pagerduty.events}) == 1
    assert rows(stage.database, "SELECT state FROM notifications") == [("decided",)]
    assert rows(stage.database, "SELECT count(*) FROM incidents WHERE open") == [(1,)]
    assert [message for message in stage.slack.messages if not message.thread_ts]


def test_between_reply_and_triage(stage: Stage) -> None:
    """A process that dies right after it acknowledged has lost nothing."""
    with stage.serve(role="web") as program:
        assert stage.post(example("service-down")).status == 202
        program.kill()
    assert rows(stage.database, "SELECT state FROM notifications") == [("new",)]
    with stage.serve():
        one_incident(stage)


def test_between_triage_and_page(stage: Stage) -> None:
    """A process that dies after it decided, before anything was sent, still pages, with the findings."""
    stage.butterfly.set("plato", butterfly.slow(30))
    with stage.serve() as program:
        assert stage.post(example("service-down")).status == 202
        until(lambda: rows(stage.database, "SELECT 1 FROM messages"))
        program.kill()
    assert stage.pagerduty.events == []
    stage.butterfly.set("plato", butterfly.down())
    with stage.serve():
        one_incident(stage)
    assert "db" in stage.pagerduty.events[0].summary


def test_in_the_middle_of_the_probes(stage: Stage) -> None:
    """If one of two workers dies during its probes, the other restarts them, and the page is sent on time."""
    stage.butterfly.set("plato", butterfly.slow(30))
    with stage.serve(workers="2") as program:
        assert stage.post(example("service-down")).status == 202
        until(lambda: [call for call in stage.butterfly.calls if "plato" in f"{call.path}{call.headers.get('host')}"])
        stage.butterfly.set("plato", butterfly.down())
        for child in children(program.process.pid):
            os.kill(child, signal.SIGKILL)
        one_incident(stage)


def test_a_restart_waits_for_nobody_who_is_dead(stage: Stage) -> None:
    """If all processes died during the probes, the next start runs them at once; the page is complete."""
    stage.butterfly.set("plato", butterfly.slow(30))
    with stage.serve() as program:
        assert stage.post(example("service-down")).status == 202
        until(lambda: [call for call in stage.butterfly.calls if "plato" in f"{call.path}{call.headers.get('host')}"])
        program.kill()
    stage.butterfly.set("plato", butterfly.down())
    with stage.serve():
        until(lambda: stage.pagerduty.events, LEASE.total_seconds() / 2)
    assert "db" in stage.pagerduty.events[0].summary


def test_between_send_and_mark(stage: Stage) -> None:
    """PagerDuty accepted the page before the process died: it is sent again, and stays one incident."""
    stage.pagerduty.faults.append(swallow())
    with stage.serve() as program:
        assert stage.post(example("service-down")).status == 202
        until(lambda: stage.pagerduty.events)
        program.kill()
    with stage.serve():
        one_incident(stage)
    assert len(stage.pagerduty.events) >= 2


def test_while_pagerduty_hangs(stage: Stage) -> None:
    """A process that dies while it waits for PagerDuty's answer leaves a page that the next one sends."""
    stage.pagerduty.faults.append(hang(30))
    with stage.serve() as program:
        assert stage.post(example("service-down")).status == 202
        until(lambda: stage.pagerduty.calls)
        program.kill()
    with stage.serve():
        one_incident(stage)


def test_a_killed_workers_part_is_taken_over_by_the_other(stage: Stage) -> None:
    """Workers are killed again and again while alerts arrive: each is decided once, and each pages."""
    with stage.serve(workers="2") as program:
        for number in range(6):
            body = example("service-down").replace(b'"groupKey":"', b'"groupKey":"%d' % number)
            until(functools.partial(accepted, stage, body))
            os.kill(children(program.process.pid)[0], signal.SIGKILL)
        until(lambda: len({event.dedup_key for event in stage.pagerduty.events}) == 6 and all_is_told(stage), 60)
    assert len(stage.pagerduty.open()) == 6
    assert set(rows(stage.database, "SELECT state FROM notifications")) == {("decided",)}


def accepted(stage: Stage, body: bytes) -> bool:
    """True if the receiver accepted a payload; a killed worker does not respond."""
    return stage.post(body).status == 202


def children(pid: int) -> list[int]:
    """The worker processes of a gunicorn master."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
