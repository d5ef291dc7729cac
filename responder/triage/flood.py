"""Floods: when a digest replaces single pages, which incidents are still paged, when a flood ends. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from responder.model.alert import Labels
from responder.model.flood import FloodCounter, FloodState
from responder.model.incident import Decision
from responder.model.rule import Severity
from responder.model.text import sanitize_line

#: Seconds over which new incidents are counted.
WINDOW = 60
#: Incidents of a flood with one alert name from which on the next one with that name belongs to the flood.
ALIKE = 3
#: Alert kinds, names, services and labels that are counted; beyond it only the most frequent half is kept.
MOST = 200
#: Seconds between the first two messages of a digest, and the longest interval: each is twice the one before.
FIRST_UPDATE, LAST_UPDATE = 60.0, 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FloodVerdict:
    """The flood after one more incident; ``suppressed_by`` says why it is only in the digest, else empty."""

    flood: FloodCounter
    suppressed_by: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewIncident:
    """A new incident as a flood counts it. ``kind`` is its name in a digest; ``service`` is in the catalog."""

    severity: Severity
    pages: bool
    name: str
    kind: str
    service: str = ""


def decide_paging(
    decision: Decision, shared: Labels, channels: tuple[str, ...], flood_state: FloodState, notification: int
) -> FloodVerdict | None:
    """Decide if a new incident is paged separately; None if its severity has no flood limit.

    Below the limit every incident is. Above it, an incident of a severity that pages still is if it is unlike the
    flood: fewer than ALIKE incidents of the flood have its alert name, or none is about its service of the catalog.
    Of the former as many as the limit are paged per minute, of the latter half as many.
    """
    new_incident = _new_incident(decision)
    severity = new_incident.severity
    if not severity.flood_above:
        return None
    now = flood_state.now.timestamp()
    second = int(now)
    flood = flood_state.floods.get(severity.name) or FloodCounter(severity=severity.name)
    arrivals, alone = _more(_recent(flood.arrivals, second), second), _recent(flood.alone, second)
    rate = sum(arrivals.values())
    if not flood.digest and rate <= severity.flood_above:
        return FloodVerdict(flood=replace(flood, arrivals=arrivals, alone=alone))
    begun: dict[str, Any] = {} if flood.digest else {"digest": _digest(severity.name, notification), "began_at": now}
    counted = begun | _counted(flood, new_incident, _telling(decision, shared))
    if unlike := _unlike(new_incident, flood, sum(alone.values())):
        flood = replace(flood, arrivals=arrivals, alone=_more(alone, second), **counted)
        return FloodVerdict(flood=flood, why=f"paged separately from digest {flood.digest}: {unlike}")
    concerned = tuple(dict.fromkeys((*flood.channels, *channels)))
    flood = replace(flood, arrivals=arrivals, alone=alone, in_digest=flood.in_digest + 1, channels=concerned, **counted)
    why = f"only in digest {flood.digest}: {rate} new {severity.name} incidents within {WINDOW} s"
    return FloodVerdict(flood=flood, suppressed_by=why)


def due(flood: FloodCounter, now: datetime) -> bool:
    """Return True if the digest has grown and its next update is due."""
    wait = min(LAST_UPDATE, FIRST_UPDATE * 2**flood.updates)
    return flood.in_digest > flood.notified_in_digest and now.timestamp() - flood.notified_at >= wait


def has_receded(flood: FloodCounter, severity: Severity | None, now: datetime) -> bool:
    """Return True if a flood has ended: at most half of the limit arrived within the last minute."""
    if not flood.digest:
        return False
    limit = severity.flood_above if severity else 0
    return rate(flood, now) <= limit // 2


def rate(flood: FloodCounter, now: datetime) -> int:
    """Return the number of new incidents within the last minute."""
    return sum(_recent(flood.arrivals, int(now.timestamp())).values())


def follow_up_limit(flood: FloodCounter, severity: Severity, now: datetime) -> int:
    """Return the number of incidents of ended floods to page now: half of the limit per minute, 0 in a flood."""
    if not severity.pages or flood.digest:
        return 0
    paged = sum(_recent(flood.alone, int(now.timestamp())).values())
    return max(0, max(1, severity.flood_above // 2) - paged)


def with_follow_ups(flood: FloodCounter, count: int, now: datetime) -> FloodCounter:
    """Return the flood's counters after ``count`` incidents of an earlier flood were paged."""
    second = int(now.timestamp())
    return replace(flood, alone=_more(_recent(flood.alone, second), second, count))


def ended(flood: FloodCounter) -> FloodCounter:
    """Return the counters that are kept after a flood: those of the last minute."""
    return FloodCounter(severity=flood.severity, arrivals=flood.arrivals, alone=flood.alone)


def _unlike(new_incident: NewIncident, flood: FloodCounter, paged: int) -> str:
    """Return why an incident is not part of the flood, empty if it is; ``paged`` were sent in the last minute."""
    if not new_incident.pages:
        return ""
    limit = new_incident.severity.flood_above
    if paged < limit and flood.names.get(new_incident.name, 0) < ALIKE:
        return f"fewer than {ALIKE} of its incidents are {new_incident.name}"
    if paged < limit // 2 and new_incident.service and new_incident.service not in flood.services:
        return f"none of its incidents is about {new_incident.service}"
    return ""


def _counted(flood: FloodCounter, new_incident: NewIncident, shared: Labels) -> dict[str, Any]:
    """Return the counts of a flood with one more incident."""
    pairs = (sanitize_line(f"{key}={value}", 120) for key, value in shared.items())
    return {
        "counted": flood.counted + 1,
        "kinds": _add(flood.kinds, (new_incident.kind,)),
        "names": _add(flood.names, (new_incident.name,)),
        "services": _add(flood.services, (new_incident.service,)) if new_incident.service else flood.services,
        "labels": _add(flood.labels, pairs),
    }


def _new_incident(decision: Decision) -> NewIncident:
    name = sanitize_line(decision.match.alert.name, 100) or "an alert without a name"
    subject = decision.subject
    about = sanitize_line(subject.service or subject.values.get("workload") or subject.name, 63)
    return NewIncident(
        severity=decision.severity,
        pages=decision.pages,
        name=name,
        kind=f"{name} of {about}" if about not in {"", "unknown subject"} else name,
        service=subject.service or "",
    )


def _telling(decision: Decision, shared: Labels) -> Labels:
    """Return the labels that incidents can have in common: without those of an exporter."""
    subject = decision.subject
    left_out = {"alertname", "severity", *(each.partition(":")[0] for each in subject.rejected)}
    left_out |= set() if subject.namespace == shared.get("namespace") else {"namespace"}
    return {name: value for name, value in shared.items() if name not in left_out}


def _digest(severity: str, notification: int) -> str:
    """Return the flood's id. It depends on the opening notification only, so that deciding twice opens one flood."""
    return f"FLOOD-{severity}-" + sha256(f"{severity}/{notification}".encode()).hexdigest()[:8].upper()


def _recent(seconds: Mapping[int, int], now: int) -> dict[int, int]:
    """Return the counts of the last minute; seconds in the future, left by a clock set back, are dropped."""
    return {second: count for second, count in seconds.items() if -WINDOW < now - second < WINDOW}


def _more(seconds: Mapping[int, int], second: int, count: int = 1) -> dict[int, int]:
    return {**seconds, second: seconds.get(second, 0) + count}


def _add(counts: Mapping[str, int], keys: Iterable[str]) -> dict[str, int]:
    found = dict(counts)
    for key in keys:
        found[key] = found.get(key, 0) + 1
    if len(found) <= MOST:
        return found
    biggest = sorted(found, key=lambda key: -found[key])[: MOST // 2]
    return {key: found[key] for key in biggest}
