"""Comparison of an open incident with the alerts that Alertmanager lists, for resolves that are never sent. Pure.

Alertmanager drops a silenced or inhibited alert before any receiver, and its resolve with it (``notify/mute.go``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from responder.model.alert import FINGERPRINT
from responder.model.incident import Incident
from responder.model.silence import marker
from responder.model.text import sanitize_line

#: Suppressed alerts that are named.
NAMED = 3
#: Open incidents from which on an empty list of alerts is not believed: Alertmanager has probably lost its state.
MANY = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A silence: its author, end and comment, all of them untrusted text."""

    id: str
    who: str
    until: datetime
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedAlert:
    """An alert of the list; ``suppressed`` by silences (ids), by other alerts (names) or by a mute time interval.

    ``name`` says which alert it is, untrusted text.
    """

    suppressed: bool
    silences: tuple[str, ...] = ()
    inhibitors: tuple[str, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertmanagerView:
    """The response of one Alertmanager: the requested alerts by fingerprint, and how many it lists in all.

    ``settling`` is True while its gossip with the rest of the cluster has not settled.
    """

    server: str
    up_since: datetime
    settling: bool
    total: int
    alerts: Mapping[str, ListedAlert]
    silences: Mapping[str, Silence] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AlertmanagerUnavailable:
    """An Alertmanager that did not respond, or not completely, and the reason."""

    server: str
    reason: str


class AlertPresence(StrEnum):
    """State of an incident according to Alertmanager."""

    FIRING = "firing"
    SUPPRESSED = "suppressed"
    GONE = "gone"
    OVER = "over"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ReconcileResult:
    """The state, with its reason as one sentence. ``own`` is True if responder itself silenced all of it."""

    standing: AlertPresence
    reason: str
    own: bool = False


def expected_alerts(incident: Incident) -> frozenset[str]:
    """Return the fingerprints of an incident's firing alerts that an Alertmanager may know."""
    fires = (each for each, known in incident.alerts.items() if known.ends_at is None)
    return frozenset(filter(FINGERPRINT.fullmatch, fires)) if incident.open else frozenset()


def reconcile(
    incident: Incident,
    answers: Sequence[AlertmanagerView | AlertmanagerUnavailable],
    now: datetime,
    grace: timedelta,
    incidents: int,
) -> ReconcileResult:
    """Return the state of an open incident.

    ``answers`` are the responses of every Alertmanager of its cluster: one that lists an alert is enough for it to
    fire, and all must have responded for it to be gone. ``grace`` is how long an alert must be gone, and an
    Alertmanager up, before that is believed. ``incidents`` is the number of open incidents in the cluster.
    """
    views = [answer for answer in answers if isinstance(answer, AlertmanagerView)]
    asked = expected_alerts(incident)
    found = [(view, view.alerts[each]) for view in views for each in sorted(asked) if each in view.alerts]
    active = {view.server for view, listed in found if not listed.suppressed}
    if active:
        return ReconcileResult(AlertPresence.FIRING, f"{_names(active)} lists it as firing")
    if found:
        own = _is_own(incident, found)
        return ReconcileResult(AlertPresence.SUPPRESSED, f"{_which(found)}{_hidden(found, comment=not own)}", own)
    if doubt := _doubt(answers, views, now, grace, incidents):
        return ReconcileResult(AlertPresence.UNKNOWN, doubt)
    since = incident.gone_since or now
    servers = _names({view.server for view in views})
    reason = f"{servers} has not listed it since {since:%H:%M} UTC, and no resolve was received"
    hidden = f" ({incident.silenced})" if incident.silenced else ""
    return ReconcileResult(AlertPresence.OVER if now - since >= grace else AlertPresence.GONE, reason + hidden)


def _doubt(
    answers: Sequence[AlertmanagerView | AlertmanagerUnavailable],
    views: Sequence[AlertmanagerView],
    now: datetime,
    grace: timedelta,
    incidents: int,
) -> str:
    """Return why an unlisted alert may still fire; empty if nothing suggests it."""
    for answer in answers:
        if isinstance(answer, AlertmanagerUnavailable):
            return f"{answer.server} could not be queried: {answer.reason}"
        if answer.settling:
            return f"{answer.server} has not synchronized with its cluster yet"
        if now - answer.up_since < grace:
            return f"{answer.server} started at {answer.up_since:%H:%M} UTC and may not have received all alerts yet"
    if not views:
        return "no Alertmanager is configured for its cluster"
    if incidents >= MANY and not any(view.total for view in views):
        return f"{_names({view.server for view in views})} lists no alerts while {incidents} incidents are open"
    return ""


def _which(found: Sequence[tuple[AlertmanagerView, ListedAlert]]) -> str:
    """Return the names of the suppressed alerts, since others of the incident may not be listed at all."""
    names = sorted({sanitize_line(listed.name, 80) for _view, listed in found if listed.name})
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more} " if names else ""


def _is_own(incident: Incident, found: Sequence[tuple[AlertmanagerView, ListedAlert]]) -> bool:
    """Return True if responder has silenced every alert of the incident: people know, since they asked for it."""
    mine = {
        silence.id
        for view, _listed in found
        for silence in view.silences.values()
        if silence.comment.endswith(marker(incident.id))
    }
    return all(not mine.isdisjoint(listed.silences) for _view, listed in found)


def _hidden(found: Sequence[tuple[AlertmanagerView, ListedAlert]], *, comment: bool = True) -> str:
    """Return the longest silence, or else the inhibiting alerts.

    For example ``silenced by alice until 2026-02-28 05:00 UTC: deploying``.
    """
    ids = {each for _view, listed in found for each in listed.silences}
    known = {silence.id: silence for view, _listed in found for silence in view.silences.values() if silence.id in ids}
    if known:
        last = max(known.values(), key=lambda silence: (silence.until, silence.id))
        who, why = sanitize_line(last.who, 60) or "an unknown user", sanitize_line(last.comment, 120) if comment else ""
        more = f" (and {len(ids) - 1} more)" if len(ids) > 1 else ""
        return f"silenced by {who}{more} until {last.until:%Y-%m-%d %H:%M} UTC{': ' if why else ''}{why}"
    if ids:
        return f"silenced by {sanitize_line(min(ids), 60)} (no details available)"
    names = sorted({sanitize_line(name, 60) for _view, listed in found for name in listed.inhibitors})
    return f"inhibited by {', '.join(names[:3])}" if names else "muted by a time interval"


def _names(servers: set[str]) -> str:
    return " and ".join(sorted(servers))
