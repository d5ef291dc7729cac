"""The dead man's switch: whose Watchdog arrived, whose stays away, and what is then decided. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from responder.model.alert import Alert, AlertGroup
from responder.model.decision import Decision, RuleMatch, Subject
from responder.model.heartbeat import LABEL, HeartbeatState
from responder.model.incident import AlertState, Change, ChangeKind, Incident
from responder.model.rule import ExpectedHeartbeat, RuleBook

GROUP_KEY: Final = "responder/heartbeat"
"""The group key of every silent cluster. Alertmanager's begin with a brace, so none of them is ever this one."""
BREAK: Final = timedelta(minutes=1)
"""Longer than this without anybody watching, and the silence is ours as much as theirs: it counts from now."""


def watched(cluster: str, pulse: HeartbeatState | None, now: datetime) -> HeartbeatState:
    """What is known of a cluster once somebody has looked again.

    After a break in watching, or a clock that jumped back, silence counts anew: a page must not leave because we were
    away. The grace is the cluster's ``max_gap``.
    """
    if pulse is None:
        return HeartbeatState(cluster=cluster, seen_at=None, since=now, watched_at=now)
    unbroken = timedelta(0) <= now - pulse.watched_at <= BREAK
    seen_at = min(pulse.seen_at, now) if pulse.seen_at else None
    since = min(pulse.since, now) if unbroken else now
    return HeartbeatState(cluster=cluster, seen_at=seen_at, since=since, watched_at=now)


def judge(
    heartbeat: ExpectedHeartbeat, pulse: HeartbeatState, incident: Incident | None, book: RuleBook, upto: datetime
) -> tuple[Decision, AlertGroup] | None:
    """What to decide about a cluster, None for nothing.

    ``incident`` is its latest, open or resolved. ``upto`` is the time until which all that arrived has been decided: a
    Watchdog that waits behind a storm of webhooks is not missing.
    """
    if incident is not None and incident.open:
        if pulse.seen_at is None or pulse.seen_at <= incident.opened_at:
            return None
        silence = _span(pulse.seen_at - incident.opened_at)
        reason = f"the Watchdog of {heartbeat.cluster} is back, {silence} after the page was written"
        return _decided(heartbeat, book, ChangeKind.RESOLVED, reason, incident.opened_at, pulse.seen_at)
    if upto - pulse.last <= timedelta(seconds=heartbeat.max_gap):
        return None
    when = "since it is expected" if pulse.seen_at is None else f"since {pulse.seen_at:%Y-%m-%d %H:%MZ}"
    allowed = _span(timedelta(seconds=heartbeat.max_gap))
    reason = f"no Watchdog from {heartbeat.cluster} {when}; at most {allowed} are allowed"
    return _decided(heartbeat, book, ChangeKind.NEW, reason, pulse.last, None)


def unexpected(
    incident: Incident, heartbeat: ExpectedHeartbeat, book: RuleBook, now: datetime
) -> tuple[Decision, AlertGroup]:
    """The end of an incident whose cluster the rules do not name any more."""
    reason = f"the rules expect no Watchdog from {heartbeat.cluster} any more"
    return _decided(heartbeat, book, ChangeKind.RESOLVED, reason, incident.opened_at, now)


def group_of(cluster: str, *alerts: Alert) -> AlertGroup:
    """The group that a silent cluster is, as if an Alertmanager had told us of it."""
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
        generator_url="",
        fingerprint=f"heartbeat-{cluster}",
    )
    known = {alert.fingerprint: AlertState(began.timestamp(), ended.timestamp() if ended else None)}
    severity = book.severities[str(rule.severity)]
    ruling = RuleMatch(alert=alert, rule=rule, severity=severity, reason="fixed by the heartbeat")
    names = (alert.fingerprint,)
    decision = Decision(
        ruling=ruling,
        rulings=(ruling,),
        subject=Subject(
            service=None,
            namespace=book.namespace,
            name=cluster,
            values={LABEL: cluster, "namespace": book.namespace},
            why="the heartbeat of the rule files",
            rejected=(),
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
