"""A silent cluster is a page like any other: written before its probes run, once, and resolved."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select

from responder.engine.effects.context import DecisionContext, History
from responder.engine.jobs.heartbeat import HeartbeatJob
from responder.engine.pipeline import triage
from responder.engine.workers.incident_writer import IncidentWriter, write
from responder.model.delivery import DiagnosisJob, IncidentChanges, Notification
from responder.model.heartbeat import HeartbeatState
from responder.model.incident import Incident
from responder.model.rule import Action, ExpectedHeartbeat
from responder.store.database import Database
from responder.store.inbox import inbox
from responder.store.inbox.inbox import Inbox
from responder.store.incidents import detectors, incidents
from responder.store.schema.tables import messages
from responder.triage.heartbeat import group_of
from responder.triage.rule_index import RuleIndex
from tests.conftest import HandClock
from tests.support.builders import NOW, a_group, an_alert
from tests.unit.engine.test_pipeline import EVERYTHING, TCP, a_desk

PROBE = replace(TCP, spec=replace(TCP.spec, target="prometheus:9090"))
SILENT = replace(EVERYTHING, id="heartbeat-prod-eu", severity="P1", impact="Alerts reach nobody.", symptom="is dark")
EU = ExpectedHeartbeat(cluster="prod-eu", max_gap=600.0, rule=SILENT)


def desk_of(*expected: ExpectedHeartbeat) -> DecisionContext:
    """A Watchdog rule for everything, and these heartbeats."""
    desk = a_desk()
    rules = (replace(EVERYTHING, action=Action.HEARTBEAT, probes=(), channels=()),)
    book = replace(desk.book, rules=rules, heartbeats=expected, probes={"tcp": PROBE})
    return replace(desk, book=book, matching=RuleIndex(rules))


class Scene:
    """A watch over one database, with a clock that the test moves."""

    def __init__(self, database: Database, clock: HandClock) -> None:
        self.database = database
        self.clock = clock
        self.desk = desk_of(EU)
        self.began: list[DiagnosisJob] = []
        self.watch = HeartbeatJob(
            database, IncidentWriter(database, clock, self._on_effects, lambda: 8), lambda: self.desk, clock
        )

    def _on_effects(self, started: list[DiagnosisJob], _told: Collection[str]) -> None:
        self.began += started

    def pass_time(self, minutes: float) -> None:
        """Let time pass, looking every fifteen seconds."""
        for _ in range(round(minutes * 4)):
            self.clock.move(15)
            self.watch.run()

    def away(self, minutes: float) -> None:
        """Let time pass without anybody looking."""
        self.clock.move(60 * minutes)
        self.watch.run()

    def beat(self, number: int = 1) -> None:
        """The Watchdog of prod-eu arrives and is decided."""
        delivery = Notification(id=number, received_at=self.clock.now(), cluster="", body=b"")
        effects = triage(a_group(an_alert()), delivery, History(), self.desk)
        with self.database.work() as connection:
            write(connection, IncidentChanges(effects=[replace(effects, delivery=None)]), self.clock.now(), 0)

    def incident(self) -> Incident | None:
        """The latest incident of prod-eu."""
        key = group_of("prod-eu").dedup_key
        with self.database.read() as connection:
            return incidents.latest(connection, [key]).get(key)

    def sent(self) -> list[str]:
        """The steps of all messages, in order."""
        with self.database.read() as connection:
            return list(connection.execute(select(messages.c.step).order_by(messages.c.id)).scalars())


def test_a_silent_cluster_is_paged_before_its_probes_run(database: Database, clock: HandClock) -> None:
    """The page and its due time are there, with the probes of its Prometheus as work beside it."""
    scene = Scene(database, clock)
    scene.watch.run()
    scene.beat()
    scene.pass_time(9.5)
    assert scene.incident() is None
    scene.pass_time(1)
    incident = scene.incident()
    assert incident is not None
    assert (incident.open, incident.severity, incident.cluster) == (True, "P1", "prod-eu")
    assert incident.title == "[P1] prod-eu is dark (prod)"
    [study] = scene.began
    assert study.work.probes == ("tcp",)
    with scene.database.read() as connection:
        content = incidents.contents_of(connection, [incident.id])[incident.id]
    assert content.decision.impact == "Alerts reach nobody."
    assert content.alerts.summary.startswith("No Watchdog from prod-eu since")
    assert scene.sent() == ["trigger", "post", "details"]


def test_it_is_paged_once_and_its_return_is_told(database: Database, clock: HandClock) -> None:
    """However long it lasts, one incident; the first Watchdog ends it."""
    scene = Scene(database, clock)
    scene.watch.run()
    scene.pass_time(30)
    first = scene.incident()
    assert first is not None
    scene.beat()
    scene.pass_time(0.25)
    over = scene.incident()
    assert over is not None
    assert (over.id, over.open) == (first.id, False)
    assert scene.sent() == ["trigger", "post", "details", "resolve", "edit", "reply"]
    scene.pass_time(11)
    again = scene.incident()
    assert again is not None
    assert (again.open, again.id != first.id) == (True, True)


def test_a_service_that_was_away_gives_the_cluster_its_grace(database: Database, clock: HandClock) -> None:
    """After an hour of downtime nothing pages at once, but a missing Watchdog does after its gap."""
    scene = Scene(database, clock)
    scene.watch.run()
    scene.beat()
    scene.away(60)
    scene.pass_time(9.5)
    assert scene.incident() is None
    scene.pass_time(1)
    assert scene.incident() is not None


def test_a_restart_of_seconds_postpones_nothing(database: Database, clock: HandClock) -> None:
    """A service that restarts again and again still notices that a cluster is silent."""
    scene = Scene(database, clock)
    scene.watch.run()
    for _ in range(14):
        scene.away(0.75)
    assert scene.incident() is not None


def test_a_watchdog_that_waits_to_be_decided_is_not_missing(database: Database, clock: HandClock) -> None:
    """A storm that keeps triage busy does not look like a dead cluster."""
    scene = Scene(database, clock)
    scene.watch.run()
    clock.move(5 * 60)
    Inbox(database).keep(b"{}", "", clock.now())
    clock.move(-5 * 60)
    scene.pass_time(12)
    assert scene.incident() is None
    with database.read() as connection:
        assert inbox.oldest_new(connection) == NOW + timedelta(minutes=5)


def test_a_cluster_that_is_no_longer_expected_does_not_stay_open(database: Database, clock: HandClock) -> None:
    """Removing a cluster from the rules resolves its heartbeat incident."""
    scene = Scene(database, clock)
    scene.watch.run()
    scene.pass_time(11)
    scene.desk = desk_of()
    scene.pass_time(0.25)
    over = scene.incident()
    assert over is not None
    assert not over.open
    scene.desk = desk_of(EU)
    scene.pass_time(12)
    again = scene.incident()
    assert again is not None
    assert again.open


def test_an_older_heartbeat_that_comes_late_changes_nothing(database: Database, clock: HandClock) -> None:
    """Notifications out of order, or of a pair of Alertmanagers, keep the newest Watchdog."""
    scene = Scene(database, clock)
    clock.move(60)
    scene.beat()
    clock.move(-60)
    scene.beat()
    with database.read() as connection:
        assert detectors.pulses(connection)["prod-eu"].seen_at == NOW + timedelta(minutes=1)
    with database.work() as connection:
        detectors.save(connection, [HeartbeatState(cluster="prod-eu", seen_at=NOW, since=NOW, watched_at=NOW)])
    with database.read() as connection:
        assert detectors.pulses(connection)["prod-eu"].seen_at == NOW
