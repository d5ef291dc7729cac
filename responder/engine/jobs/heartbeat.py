"""The heartbeat job: pages once when a cluster's Watchdog is missing, and resolves when it is back."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from responder.engine.effects.context import NOTHING, DecisionContext, History, read_histories
from responder.engine.effects.on_notification import effects_of
from responder.engine.jobs.scheduler import IncidentJob
from responder.model.alert import AlertGroup
from responder.model.delivery import Effects, IncidentChanges, Notification
from responder.model.heartbeat import HeartbeatState
from responder.model.incident import Decision, Incident
from responder.model.rule import Action, ExpectedHeartbeat
from responder.store.inbox import inbox
from responder.store.incidents import detectors
from responder.triage.heartbeat import after_check, decide_heartbeat, group_of, resolve_unexpected

_log = structlog.get_logger()

EVERY = timedelta(seconds=15)


def watch(
    known: Mapping[str, HeartbeatState],
    histories: Mapping[str, History],
    context: DecisionContext,
    now: datetime,
    upto: datetime,
) -> IncidentChanges:
    """Return the heartbeat state of each expected cluster, and the incidents that open or resolve. Pure.

    ``histories`` are those of the clusters' incidents, by cluster. ``upto``: see ``decide_heartbeat``.
    """
    book = context.book
    heartbeat_states = [after_check(each.cluster, known.get(each.cluster), now) for each in book.heartbeats]
    effects = []
    for heartbeat, heartbeat_state in zip(book.heartbeats, heartbeat_states, strict=True):
        history = histories.get(heartbeat.cluster, NOTHING)
        if found := decide_heartbeat(heartbeat, heartbeat_state, history.incident, book, upto):
            effects.append(_effects(*found, history, now, context))
    for cluster in sorted(set(histories) - {each.cluster for each in book.heartbeats}):
        history = histories[cluster]
        if history.incident is not None and history.incident.open:
            decision, group = resolve_unexpected(history.incident, _as_it_was(history.incident, context), book, now)
            effects.append(_effects(decision, group, history, now, context))
    changed = [each.incident for each in effects if each.incident is not None]
    return IncidentChanges(
        effects=effects,
        added=[incident for incident in changed if incident.open],
        changed=[incident for incident in changed if not incident.open],
        heartbeat_states=heartbeat_states,
    )


class HeartbeatJob(IncidentJob):
    """Compares the heartbeats that arrived with those that the rules expect."""

    def is_due(self, _connection: Connection) -> bool:
        """Return True: heartbeats are compared at each run."""
        return True

    def log(self, effects: Effects) -> None:
        """Log an incident that opened or resolved."""
        if effects.incident is not None:
            say = _log.error if effects.incident.open else _log.info
            event = "heartbeat.missing" if effects.incident.open else "heartbeat.back"
            say(event, cluster=effects.incident.cluster, incident=effects.incident.id, reason=effects.outcome)

    def decide(self, connection: Connection) -> IncidentChanges:
        """Decide about each cluster that has or had a heartbeat."""
        now = self.clock.now()
        known = detectors.heartbeat_states(connection)
        context = self.context()
        clusters = {*known, *(each.cluster for each in context.book.heartbeats)}
        return watch(known, _histories(connection, clusters), context, now, inbox.oldest_new(connection) or now)


def _histories(connection: Connection, clusters: set[str]) -> dict[str, History]:
    keys = {group_of(cluster).dedup_key: cluster for cluster in clusters}
    return {keys[key]: history for key, history in read_histories(connection, keys).items()}


def _effects(
    decision: Decision, group: AlertGroup, history: History, now: datetime, context: DecisionContext
) -> Effects:
    """Return the effects that a notification of the group would have; the current second stands for its id."""
    stand_in = Notification(id=int(now.timestamp()), received_at=now, cluster=group.cluster, body=b"")
    effects = effects_of(decision, group, stand_in, history, context)
    incident = replace(effects.incident, notification=0) if effects.incident else None
    return replace(effects, notification=None, incident=incident)


def _as_it_was(incident: Incident, context: DecisionContext) -> ExpectedHeartbeat:
    """Return a heartbeat that was removed from the rules, reconstructed from its incident."""
    book = context.book
    severity = incident.severity if incident.severity in book.severities else next(iter(book.severities))
    rule = replace(
        book.rules[-1],
        id=incident.rule,
        severity=severity,
        symptom="is not expected to send a Watchdog",
        action=Action.NOTIFY,
    )
    return ExpectedHeartbeat(cluster=incident.cluster, max_gap=0.0, rule=rule)
