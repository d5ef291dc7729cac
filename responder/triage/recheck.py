"""Changes of an incident by time alone: a held resolve, and a contradiction that was not retracted. Pure."""

from __future__ import annotations

from datetime import datetime

from responder.model.incident import AlertState, Change, ChangeKind, Incident
from responder.model.text import number_of
from responder.model.timing import USUAL, Timing
from responder.triage import flapping
from responder.triage.lifecycle import believed_after_all, next_look


def review(incident: Incident, now: datetime, patience: Timing = USUAL) -> Change:
    """Return the change of an incident whose ``review_at`` has come, without a notification."""
    fire = tuple(each for each, known in incident.alerts.items() if believed_after_all(known, now, patience))
    if fire:
        return _fires_after_all(incident, fire, now, patience)
    if incident.open and incident.held_until is not None and now >= incident.held_until:
        return _change(ChangeKind.RESOLVED, f"resolved because {_since(incident)}", incident, patience)
    return _change(ChangeKind.REPEATED, "nothing to decide yet", incident, patience, hold=True)


def _fires_after_all(incident: Incident, fire: tuple[str, ...], now: datetime, patience: Timing) -> Change:
    """Return the change for alerts still reported as firing: resolved too early, or one Alertmanager is cut off."""
    alerts = {
        each: AlertState(known.starts_at, flaps=known.flaps) for each, known in incident.alerts.items() if each in fire
    }
    count = number_of(len(fire), "alert")
    minutes = int(patience.peer.total_seconds()) // 60
    reason = f"{count} reported as firing after the resolve, and not reported as resolved within {minutes} minutes"
    again = not incident.open or bool(incident.hold)
    flaps = flapping.counted(incident, now, patience) if again else incident.flaps
    kind = ChangeKind.AGAIN if again else ChangeKind.GROWN
    return _change(kind, reason, incident, patience, added=fire, alerts={**incident.alerts, **alerts}, flaps=flaps)


def _since(incident: Incident) -> str:
    return incident.hold or "no further notification arrived"


def _change(
    kind: ChangeKind,
    reason: str,
    incident: Incident,
    patience: Timing,
    *,
    added: tuple[str, ...] = (),
    alerts: dict[str, AlertState] | None = None,
    flaps: int | None = None,
    hold: bool = False,
) -> Change:
    known = incident.alerts if alerts is None else alerts
    held_until = incident.held_until if hold else None
    return Change(
        kind=kind,
        reason=reason,
        added=added,
        resolved=(),
        alerts=known,
        flaps=incident.flaps if flaps is None else flaps,
        hold=incident.hold if hold else "",
        held_until=held_until,
        review_at=next_look(known, held_until, patience),
    )
