"""The watch over the heartbeats: a cluster that falls silent is paged once, and its return is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from responder.engine.effects.context import DecisionContext, History
from responder.engine.effects.on_notification import follow
from responder.engine.jobs.scheduler import IncidentJob
from responder.model.alert import AlertGroup
from responder.model.decision import Decision
from responder.model.delivery import Effects, IncidentChanges, Notification
from responder.model.heartbeat import HeartbeatState
from responder.model.incident import Incident
from responder.model.rule import Action, ExpectedHeartbeat
from responder.store.inbox import inbox
from responder.store.incidents import detectors, incidents
from responder.triage.heartbeat import group_of, judge, unexpected, watched

_log = structlog.get_logger()

EVERY = timedelta(seconds=15)


def watch(
    known: Mapping[str, HeartbeatState],
    histories: Mapping[str, History],
    desk: DecisionContext,
    now: datetime,
    upto: datetime,
) -> IncidentChanges:
    """What is known of each expected cluster from now on, and the incidents that begin or end by it. Pure.

    ``histories`` are those of the clusters' incidents, by the cluster. ``upto``: see ``judge``.
    """
    book = desk.book
    pulses = [watched(each.cluster, known.get(each.cluster), now) for each in book.heartbeats]
    effects = []
    for heartbeat, pulse in zip(book.heartbeats, pulses, strict=True):
        history = histories.get(heartbeat.cluster, History())
        if found := judge(heartbeat, pulse, history.incident, book, upto):
            effects.append(_effects(*found, history, now, desk))
    for cluster in sorted(set(histories) - {each.cluster for each in book.heartbeats}):
        history = histories[cluster]
        if history.incident is not None and history.incident.open:
            decision, group = unexpected(history.incident, _as_it_was(history.incident, desk), book, now)
            effects.append(_effects(decision, group, history, now, desk))
    changed = [each.incident for each in effects if each.incident is not None]
    return IncidentChanges(
        effects=effects,
        added=[incident for incident in changed if incident.open],
        changed=[incident for incident in changed if not incident.open],
        pulses=pulses,
    )


class HeartbeatJob(IncidentJob):
    """Compares the heartbeats that arrived with those that the rules in force expect."""

    def is_due(self, _connection: Connection) -> bool:
        """Heartbeats are compared at each run."""
        return True

    def log(self, effects: Effects) -> None:
        """Log an incident that began or ended."""
        if effects.incident is not None:
            say = _log.error if effects.incident.open else _log.info
            event = "heartbeat.missing" if effects.incident.open else "heartbeat.back"
            say(event, cluster=effects.incident.cluster, incident=effects.incident.id, reason=effects.outcome)

    def decide(self, connection: Connection) -> IncidentChanges:
        """Decide about each cluster that has or had a heartbeat."""
        now = self.clock.now()
        known = detectors.pulses(connection)
        desk = self.desk()
        clusters = {*known, *(each.cluster for each in desk.book.heartbeats)}
        return watch(known, _histories(connection, clusters), desk, now, inbox.oldest_new(connection) or now)


def _histories(connection: Connection, clusters: set[str]) -> dict[str, History]:
    keys = {group_of(cluster).dedup_key: cluster for cluster in clusters}
    latest = incidents.latest(connection, keys) if keys else {}
    known = incidents.contents_of(connection, [each.id for each in latest.values() if each.open])
    return {keys[key]: History(incident, known.get(incident.id)) for key, incident in latest.items()}


def _effects(decision: Decision, group: AlertGroup, history: History, now: datetime, desk: DecisionContext) -> Effects:
    """The effects that a notification of the group would have; the second in which it is decided names the incident."""
    stand_in = Notification(id=int(now.timestamp()), received_at=now, cluster=group.cluster, body=b"")
    effects = follow(decision, group, stand_in, history, desk)
    incident = replace(effects.incident, delivery=0) if effects.incident else None
    return replace(effects, delivery=None, incident=incident)


def _as_it_was(incident: Incident, desk: DecisionContext) -> ExpectedHeartbeat:
    """A heartbeat that is gone from the rules, as far as its incident remembers it."""
    book = desk.book
    severity = incident.severity if incident.severity in book.severities else next(iter(book.severities))
    rule = replace(
        book.rules[-1],
        id=incident.rule,
        severity=severity,
        symptom="is not expected to send a Watchdog",
        action=Action.NOTIFY,
    )
    return ExpectedHeartbeat(cluster=incident.cluster, max_gap=0.0, rule=rule)
