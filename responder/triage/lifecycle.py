"""State by comparison: how a notification differs from the incident as we know it."""

from __future__ import annotations

from collections.abc import Mapping

from responder.model.alert import Alert, AlertGroup
from responder.model.incident import Change, ChangeKind, Incident, Known


def compare(group: AlertGroup, incident: Incident | None, delivery: int) -> Change:
    """What a notification changes, with the reason.

    ``incident`` is the latest of the group's dedup key, open or resolved, or None; ``delivery`` the id of this one. A
    notification is the whole group and not a delta, so repeated and doubled ones are normal and change nothing. With
    ``truncated`` alerts a group is never resolved: Alertmanager computes its status from the alerts it kept.
    """
    before: Mapping[str, Known] = incident.alerts if incident is not None and incident.open else {}
    if incident is not None and delivery <= incident.delivery:
        reason = f"delivery {delivery} is older than delivery {incident.delivery}, which was applied already"
        return Change(kind=ChangeKind.STALE, reason=reason, added=(), resolved=(), alerts=before)
    added = tuple(alert.fingerprint for alert in group.firing if not _fires(before, alert))
    resolved = tuple(alert.fingerprint for alert in group.alerts if not alert.firing and _fires(before, alert))
    after = {**before, **{alert.fingerprint: _known(alert) for alert in group.alerts}}
    kind, reason = _judge(group, incident, added, resolved)
    if muted := sum(known.ends_at is None for known in after.values()) - len(group.firing) - group.truncated:
        reason += f"; {_alerts(muted)} known to fire not notified any more (silenced or inhibited)" if muted > 0 else ""
    return Change(kind=kind, reason=reason, added=added, resolved=resolved, alerts=after)


def _judge(
    group: AlertGroup, incident: Incident | None, added: tuple[str, ...], resolved: tuple[str, ...]
) -> tuple[ChangeKind, str]:
    firing = len(group.firing)
    if incident is None or not incident.open:
        if not firing:
            return ChangeKind.STALE, "nothing fires, and no incident is open for this group"
        again = "" if incident is None else f" again, after {incident.id} was resolved"
        return ChangeKind.NEW, f"{_alerts(firing)} began to fire{again}"
    if not firing and group.truncated:
        cut = f"{_alerts(group.truncated)} cut off by max_alerts may still fire"
        return ChangeKind.PARTLY_RESOLVED if resolved else ChangeKind.REPEATED, f"all shown are resolved, but {cut}"
    if not firing:
        return ChangeKind.RESOLVED, f"all {_alerts(len(group.alerts))} of the notification are resolved"
    if added:
        less = f", {len(resolved)} resolved" if resolved else ""
        return ChangeKind.GROWN, f"{_alerts(len(added))} more began to fire{less}; {firing} fire now"
    if resolved:
        return ChangeKind.PARTLY_RESOLVED, f"{_alerts(len(resolved))} resolved; {firing} still fire"
    return ChangeKind.REPEATED, f"the same {_alerts(firing)} still fire"


def _fires(before: Mapping[str, Known], alert: Alert) -> bool:
    known = before.get(alert.fingerprint)
    return known is not None and known.ends_at is None


def _known(alert: Alert) -> Known:
    """What to remember; a resolved alert whose end was not sent counts as ended when it began."""
    started = alert.starts_at.timestamp()
    if alert.firing:
        return Known(started)
    return Known(started, alert.ends_at.timestamp() if alert.ends_at else started)


def _alerts(count: int) -> str:
    return f"{count} alert" if count == 1 else f"{count} alerts"
