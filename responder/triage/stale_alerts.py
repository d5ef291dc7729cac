"""What to believe of a notification: each alert is judged by its own times, whatever the order of deliveries.

Two Alertmanagers of a pair tell the same thing twice, and not at the same moment: one may still say "firing" after the
other said "resolved". A re-sent delivery tells what was true when it was first tried. An alert that begins anew has a
later ``startsAt``; one that is only told late has the one we know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from responder.model.alert import Alert, AlertGroup
from responder.model.incident import Incident, Known
from responder.model.timing import USUAL, Patience

AHEAD = 60.0
"""Seconds by which a doubt may be ahead of us for the clocks of two replicas; more, and the clock was put back."""


def believe(group: AlertGroup, incident: Incident | None, now: datetime, patience: Patience = USUAL) -> AlertGroup:
    """The group with one entry an alert, and those that tell an older truth than we know moved to ``outdated``.

    ``incident`` is the latest of the group, open or resolved. A firing alert is outdated where we know an end of it
    that is not before its start, and have known it for less than ``patience.late``; a resolved one where it has begun
    anew since.
    """
    newest: dict[str, Alert] = {}
    for alert in group.alerts:
        other = newest.get(alert.fingerprint)
        if other is None or (other.starts_at, other.firing) < (alert.starts_at, alert.firing):
            newest[alert.fingerprint] = alert
    known = incident.alerts if incident is not None else {}
    outdated = tuple(
        alert for alert in newest.values() if _outdated(known.get(alert.fingerprint), alert, now, patience)
    )
    if not outdated and len(newest) == len(group.alerts):
        return group
    return replace(group, alerts=tuple(each for each in newest.values() if each not in outdated), outdated=outdated)


def end(alert: Alert) -> float:
    """When a resolved alert ended; one whose end was not sent counts as ended when it began."""
    began = alert.starts_at.timestamp()
    return max(began, alert.ends_at.timestamp()) if alert.ends_at else began


def _outdated(known: Known | None, alert: Alert, now: datetime, patience: Patience) -> bool:
    if known is None:
        return False
    if not alert.firing:
        return known.ends_at is None and end(alert) < known.starts_at
    if known.ends_at is None or alert.starts_at.timestamp() > known.ends_at:
        return False
    return now.timestamp() - known.ends_at < patience.late.total_seconds()


def heard(known: Known | None, alert: Alert) -> Known:
    """What is known of an alert after a notification that is believed."""
    began = alert.starts_at.timestamp()
    flaps = known.flaps if known else 0
    if not alert.firing:
        since = max(began, known.starts_at) if known else began
        last = max(end(alert), known.ends_at) if known and known.ends_at is not None else end(alert)
        return Known(since, max(since, last), flaps=flaps)
    if known is None or known.ends_at is None:
        return Known(max(began, known.starts_at) if known else began, flaps=flaps)
    return Known(began, flaps=flaps + 1)


def doubted(known: Known, now: datetime) -> Known:
    """The same, after a notification that says it fires although we know its end."""
    return known if known.ends_at is None or known.doubted_at else replace(known, doubted_at=now.timestamp())


def believed_after_all(known: Known, now: datetime, patience: Patience = USUAL) -> bool:
    """Whether an alert was said to fire after its end, and nobody has taken that back in time.

    A doubt from the future was written before the clock was put back: nobody can tell how long it has lasted.
    """
    if known.doubted_at is None:
        return False
    return now >= _settled_at(known.doubted_at, patience) or known.doubted_at > now.timestamp() + AHEAD


def next_look(alerts: Mapping[str, Known], held_until: datetime | None, patience: Patience = USUAL) -> datetime | None:
    """When the incident must be looked at again without a notification; None where nothing waits for a time."""
    doubts = [known.doubted_at for known in alerts.values() if known.doubted_at is not None]
    moments = [_settled_at(min(doubts), patience)] if doubts else []
    return min([*moments, *([held_until] if held_until else [])], default=None)


def _settled_at(doubted_at: float, patience: Patience) -> datetime:
    return datetime.fromtimestamp(doubted_at, UTC) + patience.peer
