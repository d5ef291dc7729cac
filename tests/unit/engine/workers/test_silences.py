"""Silences, from the row that an entry point stored to Alertmanager and to the messages of all channels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from responder.engine.jobs.alertmanager_client import AlertmanagerClient
from responder.engine.jobs.reconcile import ReconcileJob
from responder.engine.workers.actions import ActionWorker
from responder.engine.workers.silences import GIVE_UP_SECONDS, SilenceWorker
from responder.engine.workers.triage import IncidentWriter
from responder.model.action import Action, ActionKind
from responder.model.delivery import IncidentChanges
from responder.model.report import Handling
from responder.outgoing import Outgoing
from responder.outgoing.silences import Silences
from responder.standins.alertmanager import AlertmanagerStandIn
from responder.standins.server import Fault, healthy, reset, status, swallow
from responder.store.database import Database
from responder.store.incidents import actions, incidents
from tests.conftest import HandClock
from tests.unit.engine.test_pipeline import EVERYTHING, a_desk
from tests.unit.engine.workers.test_actions import sent
from tests.unit.engine.workers.test_page_again import host, notified, over
from tests.unit.engine.workers.test_triage import Shop

GROUP = {"alertname": "HostUnreachable", "job": "node"}


class Killed(BaseException):
    """Stands for SIGKILL."""


class DyingWriter(IncidentWriter):
    """Dies instead of writing while ``dies`` is True."""

    dies = False

    def record(self, decide: Any) -> IncidentChanges:
        """Write, or die."""
        if self.dies:
            raise Killed
        return super().record(decide)


class Bench:
    """An open incident with one alert, an Alertmanager in which it fires, and the worker."""

    def __init__(self, database: Database, clock: HandClock, server: AlertmanagerStandIn, outgoing: Outgoing) -> None:
        self.shop = Shop(database, clock)
        self.shop.context = a_desk(replace(EVERYTHING, probes=()))
        notified(self.shop, host(1), groupLabels=GROUP)
        self.clock = clock
        self.server = server
        server.alerts["1".rjust(16, "0")] = {**GROUP, "instance": "host1"}
        self.writer = DyingWriter(database, clock)
        self.silences = Silences(outgoing, clock, {"": (server.url,)})
        self.worker = self.another()
        self._number = 0

    def another(self) -> SilenceWorker:
        """The worker of another process."""
        return SilenceWorker(self.shop.database, self.writer, lambda: self.shop.context, self.clock, self.silences)

    @property
    def incident(self) -> str:
        """The id of the incident."""
        return str(self.shop.rows("SELECT id FROM incidents ORDER BY opened_at DESC LIMIT 1")[0][0])

    def store(self, kind: ActionKind = ActionKind.SILENCE, **changes: Any) -> int:
        """Store an action by Ann; a silence lasts an hour."""
        self._number += 1
        now = self.clock.now()
        given: dict[str, Any] = {
            "incident": self.incident,
            "kind": kind,
            "entry": "cli",
            "key": f"k{self._number}",
            "actor": "Ann",
            "text": "deploying" if kind is ActionKind.SILENCE else "",
            "until": now + timedelta(hours=1) if kind is ActionKind.SILENCE else None,
            "at": now,
        }
        return actions.keep(self.shop.database, Action(**{**given, **changes}), now)

    def outcome(self, number: int) -> tuple[str, str]:
        """State and outcome of an action."""
        with self.shop.database.read() as connection:
            row = actions.find(connection, number)
        assert row is not None
        return row.state, row.outcome

    def done(self, kind: ActionKind = ActionKind.SILENCE, **changes: Any) -> str:
        """Store an action and carry it out; return its outcome."""
        number = self.store(kind, **changes)
        self.worker.step()
        return self.outcome(number)[1]

    @property
    def handling(self) -> Handling:
        """The handling of the incident by people."""
        with self.shop.database.read() as connection:
            return incidents.contents_of(connection, [self.incident])[self.incident].handling


@pytest.fixture
def bench(database: Database, clock: HandClock) -> Iterator[Bench]:
    """A bench of its own."""
    with AlertmanagerStandIn(now=clock.now) as server, closing(Outgoing(clock)) as outgoing:
        found = Bench(database, clock, server, outgoing)
        yield found
        found.shop.diagnosis.close()


def test_a_silence_is_created_and_every_channel_is_updated_once(bench: Bench) -> None:
    """The silence has the group's labels, the incident stays open and says who silenced it until when."""
    assert bench.done() == "silenced by Ann (command line) until 03:42 UTC: deploying"
    [silence] = bench.server.active
    assert {each["name"]: each["value"] for each in silence.matchers} == GROUP
    assert (silence.created_by, silence.comment.split(" · ")[0]) == ("Ann", "deploying")
    assert silence.comment.endswith(f"[responder {bench.incident}]")
    assert bench.handling.silence is not None
    assert bench.handling.silence.ids == (silence.id,)
    assert bench.shop.rows("SELECT open FROM incidents") == [(1,)]
    assert sent(bench.shop, "update") == [("slack", "edit"), ("slack", "reply")]
    bench.worker.step()
    assert len(bench.server.silences) == 1


def test_an_acknowledgement_does_not_wait_for_alertmanager(bench: Bench) -> None:
    """Actions about silences are in a queue of their own."""
    bench.server.manner = lambda _call: reset()
    bench.store()
    bench.worker.step()
    acknowledged = bench.store(ActionKind.ACKNOWLEDGE)
    ActionWorker(bench.shop.database, bench.writer, lambda: bench.shop.context, bench.clock).step()
    assert bench.outcome(acknowledged)[0] == "applied"


def test_killed_between_the_commit_and_the_post(bench: Bench) -> None:
    """The process dies with the action committed and nothing posted: another one creates the silence."""
    number = bench.store()

    bench.server.manner = lambda _call: reset()
    bench.worker.step()
    assert bench.outcome(number)[0] == "new"
    bench.server.manner = healthy
    bench.another().step()
    assert not bench.server.active, "the attempt of the first process may still run"
    bench.clock.move(8)
    bench.another().step()
    assert bench.outcome(number)[0] == "applied"
    assert len(bench.server.silences) == 1


def test_killed_between_the_post_and_the_mark(bench: Bench) -> None:
    """Alertmanager has the silence, and the action is still waiting: no second silence is created."""
    number = bench.store()
    bench.writer.dies = True
    with pytest.raises(Killed):
        bench.worker.step()
    assert len(bench.server.active) == 1
    assert bench.outcome(number)[0] == "new"
    bench.writer.dies = False
    bench.clock.move(8)
    bench.another().step()
    assert bench.outcome(number)[0] == "applied"
    assert len(bench.server.silences) == 1
    assert sent(bench.shop, "update") == [("slack", "edit"), ("slack", "reply")]


def test_an_answer_that_is_lost_leaves_one_silence(bench: Bench) -> None:
    """The connection ends after Alertmanager created the silence: the next attempt finds it."""
    number = bench.store()
    bench.server.manner = lambda call: swallow() if call.method == "POST" else Fault()
    bench.worker.step()
    assert bench.outcome(number)[0] == "new"
    bench.server.manner = healthy
    bench.clock.move(8)
    bench.worker.step()
    assert bench.outcome(number)[0] == "applied"
    assert len(bench.server.silences) == 1


def test_people_learn_that_nothing_is_silenced(bench: Bench) -> None:
    """Alertmanager is down: it is asked again for a minute, less and less often, then the thread says so."""
    number = bench.store()
    bench.server.manner = lambda _call: status(503)
    attempts = []
    for second in range(120):
        before = len(bench.server.calls)
        bench.worker.step()
        if len(bench.server.calls) > before:
            attempts.append(second)
        bench.clock.move(1)
    assert attempts == [0, 7, 14, 28, 56, 86]
    state, said = bench.outcome(number)
    assert state == "refused"
    assert said.startswith("NOT silenced, as asked by Ann (command line): no answer of Alertmanager for 1 min")
    assert attempts[-2] < GIVE_UP_SECONDS <= attempts[-1]
    assert sent(bench.shop, "note") == [("slack", "reply")]
    assert b"NOT silenced" in bench.shop.rows("SELECT facts FROM messages WHERE kind = 'note'")[0][0]
    assert bench.handling.silence is None
    assert bench.shop.rows("SELECT name FROM timers WHERE name LIKE 'silence %'") == []


def test_alertmanager_comes_back_in_time(bench: Bench) -> None:
    """A restart of Alertmanager costs a few seconds, and nothing that people notice."""
    number = bench.store()
    bench.server.manner = lambda _call: reset()
    bench.worker.step()
    bench.clock.move(10)
    bench.server.manner = healthy
    bench.worker.step()
    assert bench.outcome(number)[0] == "applied"


def test_a_refusal_is_passed_on_with_its_reason(bench: Bench) -> None:
    """Alertmanager's limits on silences: people read its words at once."""
    bench.server.manner = lambda call: (
        status(400, b'"exceeded maximum number of silences: 500"') if call.method == "POST" else Fault()
    )
    assert "exceeded maximum number of silences: 500" in bench.done()
    assert bench.handling.silence is None


def test_more_alerts_than_the_incident_has_are_not_silenced(bench: Bench) -> None:
    """Another group has the same labels: nothing is muted until the person agrees to the number."""
    bench.server.alerts["f" * 16] = {**GROUP, "instance": "host7"}
    assert "matches 2 alerts now, 1 of them not of this incident" in bench.done()
    assert not bench.server.silences
    assert bench.done(target="1").startswith("silenced by Ann")


def test_a_second_silence_extends_the_first(bench: Bench) -> None:
    """Pressed again with a later end: one silence, whose end moves."""
    bench.done()
    assert "until 06:42 UTC" in bench.done(until=bench.clock.now() + timedelta(hours=4), actor="Bob")
    [silence] = bench.server.silences.values()
    assert bench.handling.silence is not None
    assert (bench.handling.silence.by, bench.handling.silence.ids) == ("Bob", (silence.id,))


def test_a_silence_is_expired_from_the_same_place(bench: Bench) -> None:
    """Its end is an action too: the channels are updated, and a repetition is no error."""
    bench.done()
    assert bench.done(ActionKind.UNSILENCE) == "silence expired by Ann (command line)"
    assert not bench.server.active
    assert bench.handling.silence is None
    assert bench.done(ActionKind.UNSILENCE) == "no change: responder has not silenced it"


def test_a_resolved_incident_is_not_silenced_but_its_silence_can_be_expired(bench: Bench) -> None:
    """A silence outlives its incident; the next one of the group would be mute."""
    bench.done()
    notified(bench.shop, over(1), groupLabels=GROUP)
    assert bench.done() == "refused: the incident is resolved"
    assert bench.done(ActionKind.UNSILENCE) == "silence expired by Ann (command line)"
    assert not bench.server.active


def test_actions_on_one_incident_are_carried_out_in_their_order(bench: Bench) -> None:
    """Silenced and expired while Alertmanager was away: the incident is not silenced in the end."""
    first, second = bench.store(), bench.store(ActionKind.UNSILENCE)
    for _ in range(3):
        bench.worker.step()
    assert (bench.outcome(first)[0], bench.outcome(second)[0]) == ("applied", "applied")
    assert not bench.server.active


def test_an_end_that_has_passed_is_refused(bench: Bench) -> None:
    """The action waited longer than the silence would have lasted."""
    number = bench.store()
    bench.clock.move(3700)
    bench.worker.step()
    assert "its end is in the past" in bench.outcome(number)[1]


@pytest.mark.parametrize(
    ("labels", "why"),
    [({}, "a silence would mute everything"), ({"job": ""}, "a silence would mute everything")],
)
def test_a_group_without_labels_is_not_silenced(bench: Bench, labels: dict[str, str], why: str) -> None:
    """At least one equality with a value."""
    notified(bench.shop, host(1), host(2), groupLabels=labels)
    assert why in bench.done()
    assert not bench.server.silences


def reconciled(bench: Bench) -> None:
    """Compare open incidents with Alertmanager once."""
    asking = AlertmanagerClient(bench.silences.outgoing, bench.clock)
    shop, servers, grace = bench.shop, bench.silences.servers, timedelta(minutes=10)
    ReconcileJob(shop.database, bench.writer, lambda: shop.context, bench.clock, asking, servers, grace).run()


def test_reconciliation_does_not_announce_a_silence_that_people_asked_for(bench: Bench) -> None:
    """Also in the moment between Alertmanager's answer and the mark of the action."""
    bench.store()
    bench.writer.dies = True
    with pytest.raises(Killed):
        bench.worker.step()
    bench.writer.dies = False
    reconciled(bench)
    assert "silenced by Ann until 2026-02-28 03:42 UTC" in bench.shop.rows("SELECT silenced FROM incidents")[0][0]
    assert sent(bench.shop, "update") == []
    bench.clock.move(8)
    bench.worker.step()
    reconciled(bench)
    assert len(sent(bench.shop, "update")) == 2


def test_the_end_of_a_silence_is_announced_once(bench: Bench) -> None:
    """After its time the alert still fires: people learn it, and the incident is not silenced any more."""
    bench.done()
    reconciled(bench)
    bench.clock.move(3601)
    for _ in range(2):
        reconciled(bench)
    assert bench.handling.silence is None
    facts = [row[0] for row in bench.shop.rows("SELECT facts FROM messages WHERE kind = 'update' AND step = 'reply'")]
    assert [b"the silence by Ann has ended; still firing" in each for each in facts] == [False, True]


def test_a_member_that_does_not_know_the_silence_yet_ends_nothing(bench: Bench) -> None:
    """Gossip takes a moment: until every member knows the silence, some list the alert as firing."""
    bench.done()
    known = dict(bench.server.silences)
    bench.server.silences.clear()
    reconciled(bench)
    bench.server.silences.update(known)
    reconciled(bench)
    assert bench.handling.silence is not None
    assert len(sent(bench.shop, "update")) == 2


def test_an_alert_that_ends_under_a_silence_resolves_the_incident(bench: Bench) -> None:
    """Alertmanager sends no resolve for what it mutes: the comparison notices that the alert is gone."""
    bench.done()
    reconciled(bench)
    bench.server.alerts.clear()
    reconciled(bench)
    bench.clock.move(601)
    reconciled(bench)
    assert bench.shop.rows("SELECT open FROM incidents") == [(0,)]
    assert ("pagerduty", "resolve") in sent(bench.shop, "resolution")
