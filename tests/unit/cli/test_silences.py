"""`responder silences`: what is muted, and silences that `serve` carries out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest
import structlog
from click.testing import CliRunner, Result

from responder.bootstrap import SystemClock
from responder.cli import main
from responder.engine.workers.silences import SilenceWorker
from responder.engine.workers.triage import IncidentWriter
from responder.model.silence import SilenceOrder
from responder.outgoing import Outgoing
from responder.outgoing.silences import Silences
from responder.standins.alertmanager import AlertmanagerStandIn
from responder.standins.server import status
from responder.store.database import Database
from tests.conftest import HandClock
from tests.unit.engine.test_pipeline import EVERYTHING, a_desk
from tests.unit.engine.workers.test_page_again import host, notified, over
from tests.unit.engine.workers.test_triage import Shop

GROUP = {"alertname": "HostUnreachable", "job": "node"}
Run = Callable[..., Result]


@pytest.fixture
def shop(database: Database, clock: HandClock) -> Iterator[Shop]:
    """A triage with an open incident."""
    found = Shop(database, clock)
    found.context = a_desk(replace(EVERYTHING, probes=()))
    notified(found, host(1), groupLabels=GROUP)
    yield found
    found.diagnosis.close()
    structlog.reset_defaults()


@pytest.fixture
def server() -> Iterator[AlertmanagerStandIn]:
    """An Alertmanager in which its alert fires."""
    with AlertmanagerStandIn() as found:
        found.alerts["1".rjust(16, "0")] = {**GROUP, "instance": "host1"}
        yield found


@pytest.fixture
def run(shop: Shop, server: AlertmanagerStandIn, database_url: str) -> Run:
    """Run one command line; nothing waits for `serve`, which does not run."""
    assert shop is not None
    env = {"RESPONDER_DATABASE_URL": database_url, "RESPONDER_ALERTMANAGER_URL": server.url}

    def command(*given: str) -> Result:
        waits = ["--wait", "0", "--as", "Ann"] if given[0] != "list" else []
        return CliRunner().invoke(main, ["silences", *given, *waits], env=env)

    return command


def incident(shop: Shop) -> str:
    """The id of the incident."""
    return str(shop.rows("SELECT id FROM incidents")[0][0])


def serve(shop: Shop, server: AlertmanagerStandIn) -> None:
    """Carry out the stored actions, as ``serve`` does."""
    clock = SystemClock()
    with closing(Outgoing(clock)) as outgoing:
        silences = Silences(outgoing, clock, {"": (server.url,)})
        writer = IncidentWriter(shop.database, clock)
        SilenceWorker(shop.database, writer, lambda: shop.context, clock, silences).step()


def test_create_list_and_expire(shop: Shop, server: AlertmanagerStandIn, run: Run) -> None:
    """The silence has the labels of the group; a list in a pipe is JSON; its id is enough to expire it."""
    made = run("create", incident(shop), "--duration", "2h", "--comment", "deploying")
    assert made.exit_code == 0
    assert made.stderr.splitlines() == ['{alertname="HostUnreachable", job="node"}', "matches 1 alert now"]
    assert made.stdout == f"{incident(shop)}: stored; `serve` applies it as soon as it runs\n"
    serve(shop, server)
    [row] = json.loads(run("list").stdout)
    assert (row["incident"], row["created_by"], row["state"]) == (incident(shop), "Ann", "active")
    assert {each["name"]: each["value"] for each in row["matchers"]} == GROUP
    assert 'job="node"' in run("list", "--output", "text").stdout
    assert run("expire", row["id"]).exit_code == 0
    serve(shop, server)
    assert json.loads(run("list").stdout) == []


def test_others_need_the_number(shop: Shop, server: AlertmanagerStandIn, run: Run) -> None:
    """The command prints what to add, and stores nothing without it."""
    server.alerts["f" * 16] = {**GROUP, "instance": "host7"}
    refused = run("create", incident(shop))
    assert refused.exit_code == 1
    assert "matches 2 alerts now, 1 of them not of INC-" in refused.stderr
    assert "add --confirm 1" in refused.stderr
    assert shop.rows("SELECT * FROM actions") == []
    assert run("create", incident(shop), "--confirm", "1").exit_code == 0
    serve(shop, server)
    assert len(server.active) == 1


def test_what_cannot_be_silenced_is_refused_before_it_is_stored(
    shop: Shop, server: AlertmanagerStandIn, run: Run
) -> None:
    """Unknown and resolved incidents, and an Alertmanager that does not answer: the reason is printed."""
    assert "no incident INC-X" in run("create", "INC-X").stderr
    server.manner = lambda _call: status(503)
    found = run("create", incident(shop))
    assert (found.exit_code, "NOT silenced: " in found.stderr, "HTTP 503" in found.stderr) == (1, True, True)
    notified(shop, over(1), groupLabels=GROUP)
    assert "is resolved" in run("create", incident(shop)).stderr
    assert shop.rows("SELECT * FROM actions") == []


@pytest.mark.parametrize(
    "given",
    [
        ["--duration", "soon"],
        ["--duration", "30s"],
        ["--duration", "31d"],
        ["--until", "tomorrow"],
        ["--until", "2020-01-01T00:00"],
        ["--until", "2099-01-01T00:00"],
        ["--until", "2026-12-01T09:00", "--duration", "1h"],
    ],
)
def test_an_end_that_makes_no_sense_is_a_wrong_command_line(shop: Shop, run: Run, given: list[str]) -> None:
    """Shorter than a minute, longer than 30 days, in the past, or not a time."""
    assert run("create", incident(shop), *given).exit_code == 2


def test_silences_of_others_are_listed_on_request_and_left_alone(server: AlertmanagerStandIn, run: Run) -> None:
    """A silence that was made in Alertmanager's own page is not expired from here."""
    clock = SystemClock()
    order = SilenceOrder(
        cluster="",
        groups=({"job": "x"},),
        own=frozenset(),
        confirmed=0,
        by="bob",
        comment="mine",
        marker="mine",
        until=clock.now() + timedelta(hours=1),
    )
    with closing(Outgoing(clock)) as outgoing:
        [number] = Silences(outgoing, clock, {"": (server.url,)}).create(order).ids
    assert json.loads(run("list").stdout) == []
    assert [each["id"] for each in json.loads(run("list", "--all").stdout)] == [number]
    assert f"run: amtool silence expire {number}" in run("expire", number).stderr
    assert "is in force" in run("expire", number.replace(number[0], "0" if number[0] != "0" else "1")).stderr


def test_an_alertmanager_that_does_not_answer_makes_the_list_incomplete(server: AlertmanagerStandIn, run: Run) -> None:
    """The exit status says that silences may be missing."""
    server.manner = lambda _call: status(503)
    found = run("list")
    assert (found.exit_code, found.stdout) == (1, "[]\n")
    assert "HTTP 503" in found.stderr
