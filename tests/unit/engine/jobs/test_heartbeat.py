"""A silent cluster is a page like any other: written before its probes run, once, and resolved."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select

from responder.engine.effects.context import DecisionContext, History
from responder.engine.jobs.heartbeat import HeartbeatJob
from responder.engine.pipeline import triage
from responder.engine.workers.triage import IncidentWriter, write
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


def decision_context_of(*expected: ExpectedHeartbeat) -> DecisionContext:
    """A Watchdog rule for everything, and these heartbeats."""
    context = a_desk()
    rules = (replace(EVERYTHING, action=Action.HEARTBEAT, probes=(), channels=()),)
    book = replace(context.book, rules=rules, heartbeats=expected, probes={"tcp": PROBE})
    return replace(context, book=book, matching=RuleIndex(rules))


class Scene:
    """A watch over one database, with a clock that the test moves."""

    def __init__(self, database: Database, clock: HandClock) -> None:
        self.database = database
        self.clock = clock
        self.context = decision_context_of(EU)
        self.began: list[DiagnosisJob] = []
        self.watch = HeartbeatJob(
            database, IncidentWriter(database, clock, self._on_effects, lambda: 8), lambda: self.context, clock
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

    def record_heartbeat(self, number: int = 1) -> None:
        """The Watchdog of prod-eu arrives and is decided."""
        notification = Notification(id=number, received_at=self.clock.now(), body=b"")
        effects = triage(a_group(an_alert()), notification, History(), self.context)
        with self.database.transaction() as connection:
            write(connection, IncidentChanges(effects=[replace(effects, notification=None)]), self.clock.now(), 0)

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
    probe_context = Scene(database, clock)
    probe_context.watch.run()
    probe_context.record_heartbeat()
    probe_context.pass_time(9.5)
    assert probe_context.incident() is None
    probe_context.pass_time(1)
    incident = probe_context.incident()
    assert incident is not None
    assert (incident.open, incident.severity, incident.cluster) == (True, "P1", "prod-eu")
    assert incident.title == "[P1] prod-eu is dark (prod)"
    [job] = probe_context.began
    assert job.request.probes == ("tcp",)
    with probe_context.database.read() as connection:
        content = incidents.contents_of(connection, [incident.id])[incident.id]
    assert content.decision.impact == "Alerts reach nobody."
    assert content.alerts.summary.startswith("No Watchdog from prod-eu since")
    assert probe_context.sent() == ["trigger", "post", "details"]


def test_it_is_paged_once_and_its_return_is_told(database: Database, clock: HandClock) -> None:
    """However long it lasts, one incident; the first Watchdog ends it."""
    probe_context = Scene(database, clock)
    probe_context.watch.run()
    probe_context.pass_time(30)
    first = probe_context.incident()
    assert first is not None
    probe_context.record_heartbeat()
    probe_context.pass_time(0.25)
    over = probe_context.incident()
    assert over is not None
    assert (over.id, over.open) == (first.id, False)
    assert probe_context.sent() == ["trigger", "post", "details", "resolve", "edit", "reply"]
    probe_context.pass_time(11)
    again = probe_context.incident()
    assert again is not None
    assert (again.open, again.id != first.id) == (True, True)


def test_a_service_that_was_away_gives_the_cluster_its_grace(database: Database, clock: HandClock) -> None:
    """After an hour of downtime nothing pages at once, but a missing Watchdog does after its gap."""
    probe_context = Scene(database, clock)
    probe_context.watch.run()
    probe_context.record_heartbeat()
    probe_context.away(60)
    probe_context.pass_time(9.5)
    assert probe_context.incident() is None
    probe_context.pass_time(1)
    assert probe_context.incident() is not None


def test_a_restart_of_seconds_postpones_nothing(database: Database, clock: HandClock) -> None:
    """A service that restarts again and again still notices that a cluster is silent."""
    probe_context = Scene(database, clock)
    probe_context.watch.run()
    for _ in range(14):
        probe_context.away(0.75)
    assert probe_context.incident() is not None


def test_a_watchdog_that_waits_to_be_decided_is_not_missing(database: Database, clock: HandClock) -> None:
    """A storm that keeps triage busy does not look like a dead cluster."""
    probe_context = Scene(database, clock)
    probe_context.watch.run()
    clock.move(5 * 60)
    Inbox(database).keep(b"{}", "", clock.now())
    clock.move(-5 * 60)
    probe_context.pass_time(12)
    assert probe_context.incident() is None
    with database.read() as connection:
        assert inbox.oldest_new(connection) == NOW + timedelta(minutes=5)


def test_a_cluster_that_is_no_longer_expected_does_not_stay_open(database: Database, clock: HandClock) -> None:
    """Removing a cluster from the rules resolves its heartbeat incident."""
    probe_context = Scene(database, clock)
    probe_context.watch.run()
    probe_context.pass_time(11)
    probe_context.context = decision_context_of()
    probe_context.pass_time(0.25)
    over = probe_context.incident()
    assert over is not None
    assert not over.open
    probe_context.context = decision_context_of(EU)
    probe_context.pass_time(12)
    again = probe_context.incident()
    assert again is not None
    assert again.open


def test_an_older_heartbeat_that_comes_late_changes_nothing(database: Database, clock: HandClock) -> None:
    """Notifications out of order, or of a pair of Alertmanagers, keep the newest Watchdog."""
    probe_context = Scene(database, clock)
    clock.move(60)
    probe_context.record_heartbeat()
    clock.move(-60)
    probe_context.record_heartbeat()
    with database.read() as connection:
        assert detectors.heartbeat_states(connection)["prod-eu"].seen_at == NOW + timedelta(minutes=1)
    with database.transaction() as connection:
        detectors.save(connection, [HeartbeatState(cluster="prod-eu", seen_at=NOW, since=NOW, watched_at=NOW)])
    with database.read() as connection:
        assert detectors.heartbeat_states(connection)["prod-eu"].seen_at == NOW
