"""The life of an incident under notifications of every kind, against a small model of their senders.

Alerts fire, resolve and are silenced, and two Alertmanagers notify: each late, each alone or clustered with
the other, at any rate. Their rules are those of ``notify/dedup_stage.go`` and ``dispatch/dispatch.go``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from responder.engine import pipeline
from responder.engine.effects.context import History
from responder.engine.effects.without_notification import changed
from responder.engine.jobs.reconcile import effects_of
from responder.model.alert import Alert, AlertGroup
from responder.model.delivery import Effects, Notification
from responder.model.incident import ChangeKind
from responder.triage.recheck import review
from responder.triage.reconcile import AlertmanagerView, ListedAlert, expected_alerts, reconcile
from tests.support.builders import STARTED, a_group, an_alert
from tests.unit.engine.test_pipeline import a_desk

#: Seconds per step.
STEP = 15
GROUP_WAIT, GROUP_INTERVAL, REPEAT_INTERVAL = 30, 300, 3600
GRACE = timedelta(minutes=10)
DESK = a_desk()
SEVERITIES = {"a": "critical", "b": "critical", "c": "warning"}
STEPS = st.sampled_from([0, 1, 3, 10, 25, 50, 150])
DELAYS = st.sampled_from([0.0, 15.0, 60.0, 240.0])
NAMES = st.sampled_from(sorted(SEVERITIES))


def fingerprint(name: str) -> str:
    """The alert as Alertmanager labels it."""
    return format(ord(name), "016x")


@dataclass(frozen=True)
class Life:
    """One episode of an alert: start and end (None while it fires), in seconds."""

    name: str
    began: float
    ended: float | None = None

    def alert(self) -> Alert:
        """The alert as a notification lists it."""
        labels = {"instance": self.name, "severity": SEVERITIES[self.name]}
        ends = STARTED + timedelta(seconds=self.ended) if self.ended is not None else None
        begun = an_alert(labels=labels, starts_at=STARTED + timedelta(seconds=self.began), ends_at=ends)
        return replace(begun, firing=ends is None, fingerprint=fingerprint(self.name))


#: Alertmanager's notification log: the alerts notified as firing, and those notified as resolved.
Told = tuple[frozenset[str], frozenset[str]]


@dataclass
class Peer:
    """One Alertmanager: the alerts it received ``lag`` seconds late, and its sent notifications."""

    lag: float
    latency: float
    most: int = 0
    coming: list[tuple[float, Life]] = field(default_factory=list)
    group: dict[str, Life] = field(default_factory=dict)
    lists: dict[str, Life] = field(default_factory=dict)
    notified: Told | None = None
    notified_at: float = 0.0
    flush_at: float | None = None
    unsent: tuple[float, AlertGroup, Told] | None = None

    def listen(self, now: float) -> None:
        """Receive the state of Prometheus."""
        for at, life in self.coming:
            if at > now:
                break
            self.lists[life.name] = life
            if life.ended is None or life.name in self.group:
                self.flush_at = now + GROUP_WAIT if self.flush_at is None else self.flush_at
                self.group[life.name] = life
        self.coming = [(at, life) for at, life in self.coming if at > now]

    def view(self, asked: frozenset[str], silenced: set[str]) -> AlertmanagerView:
        """Response of its API."""
        fires = {name for name, life in self.lists.items() if life.ended is None}
        listed = {
            fingerprint(name): ListedAlert(suppressed=name in silenced, silences=("s",) if name in silenced else ())
            for name in fires
        }
        alerts = {each: found for each, found in listed.items() if each in asked}
        day = timedelta(days=1)
        return AlertmanagerView(
            server="am", up_since=STARTED - day, settling=False, total=len(fires) + 1, alerts=alerts
        )

    def flush(self, now: float, silenced: set[str]) -> None:
        """Notify about the group if it has changed, and forget resolved alerts."""
        self.flush_at = now + GROUP_INTERVAL
        shown = [life for name, life in sorted(self.group.items()) if name not in silenced]
        fires = frozenset(life.name for life in shown if life.ended is None)
        over = frozenset(life.name for life in shown if life.ended is not None)
        if shown and self._needs(fires, over, now):
            kept = shown[: self.most] if self.most else shown
            group = a_group(*(life.alert() for life in kept), truncated=len(shown) - len(kept))
            self.unsent = now, group, (fires, over)
        self.group = {name: life for name, life in self.group.items() if life.ended is None}
        if not self.group:
            self.flush_at = None

    def _needs(self, fires: frozenset[str], over: frozenset[str], now: float) -> bool:
        if self.notified is None:
            return bool(fires)
        told_firing, resolve_accepted = self.notified
        if fires - told_firing:
            return True
        if not fires:
            return bool(told_firing)
        return bool(over - resolve_accepted) or now - self.notified_at >= REPEAT_INTERVAL


class LifeOfIncidents(RuleBasedStateMachine):
    """Random events, and the invariants that hold after each."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.lives: dict[str, Life] = {}
        self.silenced: set[str] = set()
        self.peers: list[Peer] = []
        self.hidden = False
        self.gossip = False
        self.questions = False
        self.number = 0
        self.history = History()
        self.open: dict[str, bool] = {}
        self.paged = False
        self.pages = 0
        self.causes = 0
        self.told_ends: dict[str, float] = {}
        self.heard: list[AlertGroup] = []
        self.heard_at = 0.0

    @initialize(
        delays=st.lists(st.tuples(DELAYS, DELAYS), min_size=1, max_size=2),
        most=st.sampled_from([0, 0, 1]),
        gossip=st.booleans(),
        questions=st.booleans(),
    )
    def world(self, delays: list[tuple[float, float]], most: int, gossip: bool, questions: bool) -> None:
        """An Alertmanager or a pair, which may truncate groups, be clustered, and list its alerts."""
        self.peers = [Peer(lag, latency, most) for lag, latency in delays]
        self.gossip, self.questions = gossip, questions or bool(most)

    @rule(name=NAMES, steps=STEPS)
    def adjustments(self, name: str, steps: int) -> None:
        """An alert begins to fire, or ends; then time passes."""
        life = self.lives.get(name)
        if life is None or life.ended is not None:
            self.causes += SEVERITIES[name] == "critical"
            self._happens(Life(name, self.now + 1))
        else:
            self._happens(replace(life, ended=self.now + 1))
        self._pass(steps)

    @rule(name=NAMES, steps=STEPS, late=st.booleans())
    def comes_and_goes(self, name: str, steps: int, late: bool) -> None:
        """An alert that flaps a few times; a peer may notify each change late."""
        for _ in range(4):
            self.adjustments(name, steps)
            if late:
                self.comes_late(1)

    @rule(name=NAMES, steps=STEPS)
    def is_silenced(self, name: str, steps: int) -> None:
        """Silence an alert, or remove the silence."""
        self.causes += name in self.silenced and SEVERITIES[name] == "critical"
        self.silenced ^= {name}
        self.hidden = True  # the end of a silenced alert is never sent: only who asks finds out
        self._pass(steps)

    @rule()
    def is_sent_again(self) -> None:
        """The last notification arrives once more: its answer was lost on the way."""
        for group in self.heard[-1:]:
            self._deliver(group)

    @rule(steps=st.sampled_from([0, 1, 10]))
    def comes_late(self, steps: int) -> None:
        """A peer that lags by at most a ``group_interval`` sends the previous state, and then the current one."""
        for group in self.heard[-2:] if self.now - self.heard_at <= GROUP_INTERVAL else ():
            self._deliver(group)
            self._pass(steps)

    def _pass(self, steps: int) -> None:
        for _ in range(steps):
            self._step()

    def _happens(self, life: Life) -> None:
        self.now = life.ended or life.began
        self.lives[life.name] = life
        for peer in self.peers:
            peer.coming.append((self.now + peer.lag, life))

    def _step(self) -> None:
        self.now += STEP
        for peer in self.peers:
            if peer.unsent and self.now - peer.unsent[0] >= peer.latency:
                (_, group, told), peer.unsent = peer.unsent, None
                for each in self.peers if self.gossip else (peer,):
                    each.notified, each.notified_at = told, self.now
                self._deliver(group)
            peer.listen(self.now)
            if peer.flush_at is not None and peer.flush_at <= self.now and not peer.unsent:
                peer.flush(self.now, self.silenced)
        self._time_decides()

    def _time(self) -> datetime:
        return STARTED + timedelta(seconds=self.now)

    def _deliver(self, group: AlertGroup) -> None:
        """Decide the notification, and check that every required page is sent."""
        self.number += 1
        self.heard, self.heard_at = [*self.heard[-1:], group], self.now
        owed = not self.paged and any(self._is_news(alert) for alert in group.firing)
        notification = Notification(id=self.number, received_at=self._time(), body=b"")
        effects = pipeline.triage(group, notification, self.history, DESK)
        self._apply(effects)
        assert self.paged or not owed, "a new fire pages when it is told, and not later"
        for alert in group.alerts:
            if alert.ends_at:
                told = self.told_ends.get(alert.fingerprint, 0.0)
                self.told_ends[alert.fingerprint] = max(told, alert.ends_at.timestamp())
        kind, incident = (effects.decision.change.kind if effects.decision else None), self.history.incident
        if kind is ChangeKind.RESOLVED:
            assert incident is not None
            assert not group.truncated, "what was cut off may fire"
            assert not any(known.ends_at is None for known in incident.alerts.values()), "something fires"

    def _is_news(self, alert: Alert) -> bool:
        """True if a P1 fired after every announced resolve."""
        critical = alert.labels["severity"] == "critical"
        return critical and alert.starts_at.timestamp() > self.told_ends.get(alert.fingerprint, 0.0)

    def _time_decides(self) -> None:
        """The two jobs that look at incidents without a notification."""
        incident, now = self.history.incident, self._time()
        if incident is not None and incident.review_at is not None and incident.review_at <= now:
            self._apply(changed(incident, review(incident, now), self.history.content, DESK, now))
        incident = self.history.incident
        if self.questions and incident is not None and incident.open and self.now % 60 < STEP:
            views = [peer.view(expected_alerts(incident), self.silenced) for peer in self.peers]
            verdict = reconcile(incident, views, now, GRACE, 1)
            effects = effects_of(incident, verdict, self.history.content, DESK, now)
            if effects is not None:
                self._apply(effects)

    def _apply(self, effects: Effects) -> None:
        """Commit the incident, and send its events to PagerDuty."""
        if effects.incident is not None:
            self.open[effects.incident.id] = effects.incident.open
        content = effects.content or self.history.content
        self.history = History(effects.incident or self.history.incident, content)
        for message in effects.messages:
            if message.channel == "pagerduty":
                self.pages += message.step == "trigger" and not self.paged
                self.paged = message.step == "trigger"
        assert self.pages <= self.causes, "nobody is woken more often than critical alerts began, or were shown again"

    @invariant()
    def one_incident_is_open_at_most(self) -> None:
        """Duplicate notifications of one group give one incident."""
        assert sum(self.open.values()) <= 1

    @invariant()
    def the_pager_shows_what_is_open(self) -> None:
        """PagerDuty has an open incident exactly while the incident is open and pages."""
        incident = self.history.incident
        assert self.paged == (incident is not None and incident.open and "pagerduty" in incident.channels)

    def teardown(self) -> None:
        """After three quiet hours everything is announced, and the state is correct."""
        for _ in range(3 * 3600 // STEP):
            self._step()
        fires = {name for name, life in self.lives.items() if life.ended is None}
        if not self.peers:
            return
        shown = {name for name in fires if name not in self.silenced and SEVERITIES[name] == "critical"}
        if shown:
            assert self.paged, f"{shown} fires, and the pager does not say so"
        if not fires and (self.questions or not self.hidden):
            assert not any(self.open.values()), "nothing fires, and an incident is open"


# The same worlds each time, so that nobody's landing fails for another's change; LIFE=5000 looks at so many new ones.
LIFE = int(os.environ.get("LIFE", "0"))
LifeOfIncidents.TestCase.settings = settings(max_examples=LIFE or 50, derandomize=not LIFE, stateful_step_count=25)
TestLifeOfIncidents = LifeOfIncidents.TestCase


@pytest.mark.parametrize("steps", [1, 3, 10, 25, 50, 150])
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("gossip", [False, True])
def test_one_alert_that_comes_and_goes(steps: int, late: bool, gossip: bool) -> None:
    """The simplest life, at every rate, notified in time and late, by one Alertmanager and by a cluster of two."""
    world = LifeOfIncidents()
    world.world(delays=[(0.0, 0.0), (60.0, 15.0)][: 1 + gossip], most=0, gossip=gossip, questions=False)
    world.comes_and_goes("a", steps, late)
    world.comes_late(1)
    world.one_incident_is_open_at_most()
    world.the_pager_shows_what_is_open()
    world.teardown()
