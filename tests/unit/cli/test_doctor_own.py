"""doctor's checks of responder's own database and clock."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from responder import bootstrap
from responder.bootstrap import SystemClock
from responder.cli.doctor import own
from responder.cli.doctor.channels import clocks
from responder.cli.doctor.context import DoctorContext
from responder.cli.doctor.notifications import graphs
from responder.cli.doctor.notifications import severities as severity_words
from responder.cli.doctor.own import database
from responder.engine.workers.triage import IncidentWriter, TriageWorker
from responder.model.check import Level, Result
from responder.model.clock import Clock, Deadline
from responder.model.message import Request, Response
from responder.model.secret import Secret
from responder.outgoing import UnreachableError
from responder.settings import Settings
from responder.store.inbox.inbox import Inbox
from tests.conftest import Counted, HandClock


class Unreachable:
    """Client without any server."""

    def send(self, request: Request, _deadline: Deadline, _cap: int = 0) -> Response:
        """Never."""
        raise UnreachableError(f"{request.url} does not answer")


def a_patient(settings: Settings, clock: Clock) -> DoctorContext:
    """Client whose network is down."""
    return DoctorContext(
        settings=settings,
        environment={},
        book=None,
        outgoing=Unreachable(),  # type: ignore[arg-type]
        mailer=Unreachable(),  # type: ignore[arg-type]
        clock=clock,
        deadline=Deadline(clock.monotonic() + 5),
        send=False,
    )


def _examined(path: Path, *statements: str) -> Sequence[Result]:
    with contextlib.closing(sqlite3.connect(path)) as file:
        for statement in statements:
            file.execute(statement)
        file.commit()
    return database(a_patient(Settings(database_url=Secret(f"sqlite:///{path}")), SystemClock()))


def test_a_database_of_another_program_is_bad(tmp_path: Path) -> None:
    """Findings include what `serve` would refuse: tables of another program in the database."""
    [found] = _examined(tmp_path / "shop.db", "CREATE TABLE deliveries (parcel TEXT)")
    assert found.level is Level.BAD
    assert "shop.db has a table deliveries that responder did not create" in found.what


def test_a_database_that_serve_can_use_is_no_trouble(tmp_path: Path) -> None:
    """Before the first start there is nothing to fix, whatever else the database holds."""
    found = _examined(tmp_path / "shop.db", "CREATE TABLE parcels (parcel TEXT)")
    assert (found[-1].level, found[-1].what) == (Level.SKIPPED, "has no responder tables yet")


@pytest.mark.parametrize(
    ("year", "level", "said"),
    [
        (1970, Level.BAD, "set to 1970-01-01, before the release date"),
        (2027, Level.SKIPPED, "no server responded to compare with"),
    ],
)
def test_a_clock_that_never_was_set_is_bad(year: int, level: Level, said: str) -> None:
    """A clock in 1970 is found even if no server gives the time."""
    [found] = clocks(a_patient(Settings(), HandClock(datetime(year, 1, 1, tzinfo=UTC))))
    assert (found.level, said in found.what) == (level, True), found


def test_files_that_other_users_can_read_are_reported(tmp_path: Path) -> None:
    """Payloads stored by an earlier version may be open to every user of the machine."""
    path = tmp_path / "responder.db"
    path.touch()
    path.chmod(0o644)
    warned = [each for each in _examined(path) if each.level is Level.WARN and "other users" in each.what]
    assert [(str(path) in each.what, each.change.startswith("chmod 600 ")) for each in warned] == [(True, True)]
    for file in tmp_path.iterdir():
        file.chmod(0o600)
    assert not [each for each in _examined(path) if "other users" in each.what]


def test_words_that_no_map_has_are_counted_and_named(tmp_path: Path, counted: Counted) -> None:
    """Doctor names each word for a severity in stored notifications that the rules do not understand; it is counted."""
    root = Path(__file__).parents[3]
    settings = Settings(database_url=Secret(f"sqlite:///{tmp_path}/responder.db"))
    doctor_context = replace(
        a_patient(settings, SystemClock()), book=bootstrap.load_rules(str(root / "rules"), str(root / "runbooks"))
    )
    [before] = severity_words(doctor_context)
    assert before.level is Level.SKIPPED
    assert doctor_context.book is not None
    context = bootstrap.context(settings, doctor_context.book, bootstrap.shown_channels(settings))
    body = json.loads((root / "examples" / "alerts" / "unknown-alert.json").read_text())
    bootstrap.prepare_store(settings)
    with bootstrap.database(settings) as opened:
        assert [each.level for each in severity_words(doctor_context)] == [Level.OK]
        for alert, word in zip([body["alerts"][0]] * 3, ("purple", "purple", "Critical"), strict=True):
            alert["labels"]["severity"] = word
            Inbox(opened).keep(json.dumps({**body, "alerts": [alert]}).encode(), "", HandClock().now())
        Inbox(opened).keep(b"not JSON", "", HandClock().now())
        TriageWorker(IncidentWriter(opened, HandClock()), lambda: context).step()
    [found] = severity_words(doctor_context)
    assert found.level is Level.WARN
    assert found.what == 'severity="purple" is not understood: P2 by the rule unknown (2 alerts)'
    assert counted('responder_unknown_severity_words_total{rule="unknown"}') == 2


def test_missing_graph_links_are_counted_with_the_reason(tmp_path: Path) -> None:
    """Doctor says of stored notifications how many give pages without a graph link, for each reason."""
    root = Path(__file__).parents[3]
    settings = Settings(database_url=Secret(f"sqlite:///{tmp_path}/responder.db"), link_hosts="prometheus.example.com")
    context = replace(
        a_patient(settings, SystemClock()), book=bootstrap.load_rules(str(root / "rules"), str(root / "runbooks"))
    )
    assert [each.level for each in graphs(context)] == [Level.SKIPPED]
    body = json.loads((root / "examples" / "alerts" / "unknown-alert.json").read_text())
    urls = ("https://prometheus.example.com/graph?g0.expr=up", "", "http://prometheus-0:9090/graph", "")
    bootstrap.prepare_store(settings)
    with bootstrap.database(settings) as opened:
        for url in urls:
            alerts = [{**body["alerts"][0], "generatorURL": url}]
            Inbox(opened).keep(json.dumps({**body, "alerts": alerts}).encode(), "", HandClock().now())
    missing, foreign = graphs(context)
    assert missing.level is foreign.level is Level.WARN
    assert missing.what == "2 of the last 4 notifications without a link to a graph: its generatorURL is missing"
    assert "1 of the last 4 notifications" in foreign.what
    assert "leads to prometheus-0:9090, which is not in RESPONDER_LINK_HOSTS" in foreign.what
    public = replace(context, settings=replace(settings, prometheus_public_url="https://prometheus.example.com"))
    assert [each.what.partition(": its")[2] for each in graphs(public)] == [" generatorURL is missing"]


def test_short_credentials_are_reported() -> None:
    """A token or password that can be guessed is a warning, each kind once; longer ones are not."""
    found = own.settings(a_patient(Settings(webhook_token=Secret("0123456789abcdef short")), HandClock()))
    short = [each for each in found if "fewer than 16 characters" in each.what]
    assert [(each.level, each.change) for each in short] == [(Level.WARN, "use `openssl rand -hex 16`")]
    good = Settings(webhook_token=Secret("0123456789abcdef"), webhook_basic_auth=Secret("am:0123456789abcdef"))
    assert not [each for each in own.settings(a_patient(good, HandClock())) if "fewer than 16" in each.what]
