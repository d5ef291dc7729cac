"""Changes of an incident by time alone: a held resolve, and a contradiction that was not retracted. Pure."""

from dataclasses import replace
from datetime import datetime

from responder.model.incident import AlertState, Change, ChangeKind, Incident
from responder.model.text import number_of
from responder.model.timing import USUAL, Timing
from responder.triage.lifecycle import count_re_fires, is_confirmed, next_review


def review(incident: Incident, now: datetime, timing: Timing = USUAL) -> Change:
    """Return the change of an incident whose ``review_at`` has come, without a notification."""
    fire = tuple(each for each, known in incident.alerts.items() if is_confirmed(known, now, timing))
    if fire:
        return _fires_after_all(incident, fire, now, timing)
    if incident.open and incident.resolve_at is not None and now >= incident.resolve_at:
        return _change(ChangeKind.RESOLVED, f"resolved because {_since(incident)}", incident, timing)
    return _change(ChangeKind.REPEATED, "nothing to decide yet", incident, timing, resolve_later=True)


def _fires_after_all(incident: Incident, fire: tuple[str, ...], now: datetime, timing: Timing) -> Change:
    """Return the change for alerts still reported as firing: resolved too early, or one Alertmanager is cut off."""
    alerts = {
        each: replace(known, ends_at=None, doubted_at=None) for each, known in incident.alerts.items() if each in fire
    }
    count = number_of(len(fire), "alert")
    minutes = int(timing.peer.total_seconds()) // 60
    reason = f"{count} reported as firing after the resolve, and not reported as resolved within {minutes} minutes"
    again = not incident.open or bool(incident.resolve_reason)
    flaps = count_re_fires(incident, now, timing) if again else incident.flaps
    kind = ChangeKind.AGAIN if again else ChangeKind.GROWN
    return _change(kind, reason, incident, timing, added=fire, alerts={**incident.alerts, **alerts}, flaps=flaps)


def _since(incident: Incident) -> str:
    return incident.resolve_reason or "no further notification arrived"


def _change(
    kind: ChangeKind,
    reason: str,
    incident: Incident,
    timing: Timing,
    *,
    added: tuple[str, ...] = (),
    alerts: dict[str, AlertState] | None = None,
    flaps: int | None = None,
    resolve_later: bool = False,
) -> Change:
    known = incident.alerts if alerts is None else alerts
    resolve_at = incident.resolve_at if resolve_later else None
    return Change(
        kind=kind,
        reason=reason,
        added=added,
        alerts=known,
        flaps=incident.flaps if flaps is None else flaps,
        resolve_reason=incident.resolve_reason if resolve_later else "",
        resolve_at=resolve_at,
        review_at=next_review(known, resolve_at, timing),
    )
