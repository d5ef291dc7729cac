"""The dead man's switch: which Watchdogs arrived, which are missing, and the decisions about them. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from responder.model.alert import Alert, AlertGroup
from responder.model.heartbeat import LABEL, Heartbeat, HeartbeatState
from responder.model.incident import AlertState, Change, ChangeKind, Decision, Incident, RuleMatch, Subject
from responder.model.rule import Action, ExpectedHeartbeat, RuleBook

#: Group key of every silent cluster. Alertmanager's own group keys begin with a brace, so they never collide.
GROUP_KEY: Final = "responder/heartbeat"
#: Gap in checking after which silence is counted anew: responder itself may have missed the Watchdogs.
BREAK: Final = timedelta(minutes=1)


def heartbeats(decision: Decision, group: AlertGroup, book: RuleBook, at: datetime) -> Iterator[Heartbeat]:
    """Yield the heartbeats of the expected clusters whose Watchdog fires in a notification that arrived ``at``.

    A cluster is named by the last segment of the webhook's URL and by the label ``cluster``, since one Alertmanager may
    serve many Prometheus servers; without either it is the environment of the rule files.
    """
    expected = {heartbeat.cluster for heartbeat in book.heartbeats}
    names = set()
    for match in decision.matches:
        if match.rule.action is Action.HEARTBEAT and match.alert.firing:
            names |= {group.cluster, match.alert.labels.get(LABEL, "")} - {""} or {book.environment}
    for name in sorted(names & expected):
        yield Heartbeat(name, at)


def after_check(cluster: str, heartbeat_state: HeartbeatState | None, now: datetime) -> HeartbeatState:
    """Return the state of a cluster after a check.

    After a gap in checking, or a wall clock that was set back, silence is counted anew, so that an outage of responder
    does not page. The grace is the cluster's ``max_gap``.
    """
    if heartbeat_state is None:
        return HeartbeatState(cluster=cluster, seen_at=None, since=now, watched_at=now)
    unbroken = timedelta(0) <= now - heartbeat_state.watched_at <= BREAK
    seen_at = min(heartbeat_state.seen_at, now) if heartbeat_state.seen_at else None
    since = min(heartbeat_state.since, now) if unbroken else now
    return HeartbeatState(cluster=cluster, seen_at=seen_at, since=since, watched_at=now)


def decide_heartbeat(
    heartbeat: ExpectedHeartbeat,
    heartbeat_state: HeartbeatState,
    incident: Incident | None,
    book: RuleBook,
    upto: datetime,
) -> tuple[Decision, AlertGroup] | None:
    """Return the decision about a cluster, None if there is nothing to do.

    ``incident`` is its latest incident, open or resolved. All notifications that arrived before ``upto`` are decided: a
    Watchdog that is queued behind a storm of webhooks is not missing.
    """
    if incident is not None and incident.open:
        if heartbeat_state.seen_at is None or heartbeat_state.seen_at <= incident.opened_at:
            return None
        silence = _span(heartbeat_state.seen_at - incident.opened_at)
        reason = f"Watchdog from {heartbeat.cluster} is back, {silence} after the page was written"
        return _decided(heartbeat, book, ChangeKind.RESOLVED, reason, incident.opened_at, heartbeat_state.seen_at)
    if upto - heartbeat_state.last <= timedelta(seconds=heartbeat.max_gap):
        return None
    when = (
        "since it was first expected"
        if heartbeat_state.seen_at is None
        else f"since {heartbeat_state.seen_at:%Y-%m-%d %H:%M UTC}"
    )
    allowed = _span(timedelta(seconds=heartbeat.max_gap))
    reason = f"no Watchdog from {heartbeat.cluster} {when} (limit {allowed})"
    return _decided(heartbeat, book, ChangeKind.NEW, reason, heartbeat_state.last, None)


def resolve_unexpected(
    incident: Incident, heartbeat: ExpectedHeartbeat, book: RuleBook, now: datetime
) -> tuple[Decision, AlertGroup]:
    """Return the resolve of an incident whose cluster is no longer in the rules."""
    reason = f"the rules no longer expect a Watchdog from {heartbeat.cluster}"
    return _decided(heartbeat, book, ChangeKind.RESOLVED, reason, incident.opened_at, now)


def group_of(cluster: str, *alerts: Alert) -> AlertGroup:
    """Return the alert group of a silent cluster, in the form in which Alertmanager would notify it."""
    labels = {"alertname": "WatchdogMissing", LABEL: cluster}
    return AlertGroup(
        group_key=GROUP_KEY,
        cluster=cluster,
        receiver="responder",
        group_labels=labels,
        common_labels=labels,
        common_annotations=alerts[0].annotations if alerts else {},
        external_url="",
        truncated=0,
        alerts=alerts,
    )


def _decided(
    heartbeat: ExpectedHeartbeat, book: RuleBook, kind: ChangeKind, reason: str, began: datetime, ended: datetime | None
) -> tuple[Decision, AlertGroup]:
    cluster, rule = heartbeat.cluster, heartbeat.rule
    alert = Alert(
        firing=ended is None,
        labels={"alertname": "WatchdogMissing", LABEL: cluster},
        annotations={"summary": reason[0].upper() + reason[1:]},
        starts_at=began,
        ends_at=ended,
        fingerprint=f"heartbeat-{cluster}",
    )
    known = {alert.fingerprint: AlertState(began.timestamp(), ended.timestamp() if ended else None)}
    severity = book.severities[str(rule.severity)]
    match = RuleMatch(alert=alert, rule=rule, severity=severity, reason="set by the heartbeat")
    names = (alert.fingerprint,)
    decision = Decision(
        match=match,
        matches=(match,),
        subject=Subject(
            service=None,
            namespace="",
            name=cluster,
            values={LABEL: cluster},
            why="the heartbeat of the rule files",
        ),
        change=Change(
            kind=kind, reason=reason, added=() if ended else names, resolved=names if ended else (), alerts=known
        ),
        reason=f"heartbeat {cluster}: {severity.name}; {kind.value}: {reason}",
    )
    return decision, group_of(cluster, alert)


def _span(length: timedelta) -> str:
    minutes = round(length.total_seconds() / 60)
    return f"{minutes} min" if minutes else f"{length.total_seconds():.0f} s"
