"""Two `responder serve` on one PostgreSQL: one incident, one page, and each does the other's work when it dies."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from responder.standins import butterfly
from responder.standins.processes import Program, free_port, responder_serve
from responder.standins.stage import Stage, stage
from tests.real.conftest import ROOT, example, until
from tests.support.postgres import Postgres, postgres

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def own(server: Postgres) -> Iterator[Postgres]:  # noqa: ARG001 - it says whether PostgreSQL is installed
    """A server that may be broken."""
    with postgres() as running:
        yield running


class Pair:
    """A stage on which two replicas serve. The first is ``stage.serve``'s address; both share one database."""

    def __init__(self, ground: Stage, server: Postgres, url: str) -> None:
        self.server = server
        self.url = url
        self.stages = [ground, self._beside(ground)]
        self.pagerduty = ground.pagerduty
        self.butterfly = ground.butterfly

    @staticmethod
    def _beside(ground: Stage) -> Stage:
        settings = {**ground.settings, "RESPONDER_LISTEN": f"127.0.0.1:{free_port()}"}
        (ground.folder / "second").mkdir()
        return Stage(
            folder=ground.folder / "second",
            pagerduty=ground.pagerduty,
            slack=ground.slack,
            butterfly=ground.butterfly,
            prometheus=ground.prometheus,
            settings=settings,
        )

    def serve(self, number: int, **changes: str) -> contextlib.AbstractContextManager[Program]:
        """Start one of the two."""
        changed = {f"RESPONDER_{name.upper()}": value for name, value in changes.items()}
        settings = {**self.stages[number].settings, "RESPONDER_DATABASE_URL": self.url, **changed}
        return responder_serve(settings, self.stages[number].folder)

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """Rows of the database."""
        return self.server.execute(sql, self.url)

    def all_is_told(self) -> bool:
        """True if every message was sent or merged into a newer one."""
        return {state for (state,) in self.rows("SELECT state FROM messages")} in ({"sent"}, {"sent", "merged"})


@pytest.fixture
def pair(tmp_path: Path, own: Postgres) -> Iterator[Pair]:
    """Two replicas that are not started yet."""
    with stage(tmp_path, rules=ROOT / "rules", runbooks=ROOT / "runbooks") as ground:
        yield Pair(ground, own, own.create(f"pair{time.monotonic_ns()}"))


def test_two_replicas_open_one_incident_and_send_one_page(pair: Pair) -> None:
    """An HA pair of Alertmanagers notifies both replicas at the same moment: on-call is paged once."""
    with pair.serve(0), pair.serve(1):
        answers: list[int] = []

        def send(where: Stage) -> None:
            answers.append(where.post(example("service-down")).status)

        threads = [threading.Thread(target=send, args=(where,)) for where in pair.stages]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        until(pair.pagerduty.open)
        until(lambda: pair.rows("SELECT state FROM notifications") == [("decided",)] * 2)
        until(pair.all_is_told)
    assert answers == [202, 202]
    assert pair.rows("SELECT count(*) FROM incidents") == [(1,)]
    assert [event.action for event in pair.pagerduty.events] == ["trigger"]


def test_what_one_replica_keeps_wakes_the_other(pair: Pair) -> None:
    """A replica that only receives and one that only works page as fast as one process does both."""
    with pair.serve(0, role="web"), pair.serve(1, role="engine"):
        pair.stages[0].post(example("service-down"))  # the first one also warms up the rules and the probes
        until(pair.pagerduty.open)
        began = time.monotonic()
        pair.stages[0].post(example("service-down").replace(b'"groupKey":"', b'"groupKey":"again'))
        until(lambda: len(pair.pagerduty.open()) == 2)
        assert time.monotonic() - began < 0.45, "slower than the poll alone would be"


def test_a_killed_replica_is_replaced_by_the_other_within_seconds(pair: Pair, tmp_path: Path) -> None:
    """A machine that dies during its probes loses no alert: the other runs them again, and pages once with findings."""
    # A budget that the second run of the probes never exceeds: the page waits for its findings on any machine.
    patient = _rules(tmp_path, r"page_budget: 8s", "page_budget: 60s")
    pair.butterfly.set("plato", butterfly.slow(30))
    with pair.serve(0, rules=patient) as first, pair.serve(1, rules=patient) as second:
        os.killpg(second.process.pid, signal.SIGSTOP)
        until(lambda: pair.rows("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)])
        assert pair.stages[0].post(example("service-down")).status == 202
        until(lambda: pair.rows("SELECT 1 FROM diagnoses WHERE state = 'waiting'"))
        pair.butterfly.set("plato", butterfly.down())
        first.kill()
        os.killpg(second.process.pid, signal.SIGCONT)
        began = time.monotonic()
        until(pair.pagerduty.open, 50)
        assert time.monotonic() - began < 30
        until(pair.all_is_told)
    assert [event.action for event in pair.pagerduty.events] == ["trigger"]
    assert "db" in pair.pagerduty.events[0].summary


def test_postgresql_restarted_under_load_loses_no_acknowledged_delivery(pair: Pair, tmp_path: Path) -> None:
    """PostgreSQL is restarted, then killed, while webhooks arrive: each that got 202 becomes one page."""
    accepted: set[str] = set()
    stopping = threading.Event()

    def send(where: Stage, name: str) -> None:
        number = 0
        while not stopping.is_set():
            number += 1
            key = f"{name}{number}"
            body = example("service-down").replace(b'"groupKey":"', b'"groupKey":"%s' % key.encode())
            while not stopping.is_set():
                if where.post(body).status == 202:
                    accepted.add(key)
                    break
                stopping.wait(0.1)
            stopping.wait(0.03)

    no_limit = {
        "pagerduty_events_per_minute": "6000",
        "slack_messages_per_minute": "6000",
        "rules": _without_floods(tmp_path),
    }
    with pair.serve(0, **no_limit) as first, pair.serve(1, **no_limit) as second:
        threads = [threading.Thread(target=send, args=(where, f"s{n}-")) for n, where in enumerate(pair.stages)]
        for thread in threads:
            thread.start()
        for outage in (pair.server.restart, functools.partial(_killed, pair.server)):
            before = len(accepted)
            until(lambda before=before: len(accepted) > before + 10)  # type: ignore[misc]
            outage()
        before = len(accepted)
        until(lambda: len(accepted) > before + 10)
        stopping.set()
        for thread in threads:
            thread.join()
        until(lambda: pair.rows("SELECT DISTINCT state FROM notifications") == [("decided",)], 60)
        until(pair.all_is_told, 60)
        assert first.running
        assert second.running
    kept = {json.loads(bytes(body))["groupKey"].partition("{")[0] for (body,) in pair.rows("SELECT body FROM payloads")}  # type: ignore[call-overload]
    assert accepted <= kept
    assert pair.rows("SELECT count(*), count(DISTINCT dedup_key) FROM incidents") == [(len(kept), len(kept))]
    assert len(pair.pagerduty.open()) == len(kept)
    assert first.last_output().count("engine.failed") == second.last_output().count("engine.failed") == 0


def _without_floods(folder: Path) -> str:
    """The shipped rules, but each incident has its own page however many there are."""
    return _rules(folder, r"flood_above: \d+", "flood_above: 0")


def _rules(folder: Path, old: str, new: str) -> str:
    """The shipped rules with another setting of their severities."""
    rules = shutil.copytree(ROOT / "rules", folder / "rules")
    severities = rules / "01-severities.yaml"
    severities.write_text(re.sub(old, new, severities.read_text()))
    return str(rules)


def _killed(server: Postgres) -> None:
    server.kill()
    server.start()


_TEAMS = """\
channels:
  first: {kind: pagerduty, routing_key: {secret: one}, events_per_minute: 8}
  second: {kind: pagerduty, routing_key: {secret: one}, events_per_minute: 8}
  third: {kind: pagerduty, routing_key: {secret: two}, events_per_minute: 8}
teams: {first: {channels: [first]}, second: {channels: [second]}, third: {channels: [third]}}
rules:
  - {id: of-a-team, match: 'alertname="Limited"', severity: P1, first_step: Look., team: {from: team, otherwise: first}}
"""


def test_two_replicas_keep_the_rate_of_each_routing_key(pair: Pair, tmp_path: Path) -> None:
    """Channels with one key share its limit across replicas, and another key is not held up."""
    (tmp_path / "own").mkdir()
    rules = Path(_without_floods(tmp_path / "own"))
    (rules / "05-teams.yaml").write_text(_TEAMS)
    keys = {name: name.ljust(32, "0") for name in ("one", "two")}
    given = {"rules": str(rules), "secret_one": keys["one"], "secret_two": keys["two"], "workers": "1"}
    with pair.serve(0, **given), pair.serve(1, **given):
        began = time.monotonic()
        for number in range(24):
            body = json.loads(example("unknown-alert"))
            body["groupKey"] = f"{number}"
            labels = {"alertname": "Limited", "team": ("first", "second", "third")[number % 3], "number": str(number)}
            body["commonLabels"] = labels
            body["alerts"] = [{**body["alerts"][0], "labels": labels, "fingerprint": f"{number:016x}"}]
            assert pair.stages[number % 2].post(json.dumps(body).encode()).status == 202
        until(lambda: {event.body["routing_key"] for event in pair.pagerduty.events} == set(keys.values()))
        time.sleep(6)
        took = time.monotonic() - began
        sent = Counter(str(event.body["routing_key"]) for event in pair.pagerduty.events)
    allowed = 4 + took * 4 / 60 + 1
    assert 1 <= sent[keys["one"]] <= allowed, sent
    assert 1 <= sent[keys["two"]] <= allowed, sent


def test_the_password_is_in_no_log(pair: Pair) -> None:
    """Logs of a database outage contain no password."""
    with pair.serve(0) as program:
        pair.server.stop()
        try:
            assert pair.stages[0].post(example("service-down")).status == 503
            until(lambda: "engine.store_failed" in program.log.read_text())
        finally:
            pair.server.start()
    password = pair.url.split(":")[2].partition("@")[0]
    assert password not in program.log.read_text()
