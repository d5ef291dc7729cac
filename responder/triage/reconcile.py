"""What Alertmanager's own list means for an open incident whose end nobody told us of. Pure.

A silenced or inhibited alert is dropped before any receiver, and so is its end (Alertmanager ``notify/mute.go``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from responder.model.incident import Incident
from responder.model.text import tidy_line

MANY = 3
"""So many open incidents, and no alert listed at all: then the list is not believed, it has most likely been lost."""

# COMMON model/signature.go: what Alertmanager calls a fingerprint. Incidents of our own making have other names.
_FINGERPRINT = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Who hides alerts, until when, and why; the text is untrusted."""

    id: str
    who: str
    until: datetime
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedAlert:
    """One alert of the list. ``suppressed`` by silences (ids), by other alerts (their names), or by the time of day."""

    suppressed: bool
    silences: tuple[str, ...] = ()
    inhibitors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertmanagerView:
    """The answer of one Alertmanager: the alerts we asked about by fingerprint, and how many it lists in all.

    ``settling`` is set while it has not yet heard from the others of its cluster.
    """

    server: str
    up_since: datetime
    settling: bool
    total: int
    alerts: Mapping[str, ListedAlert]
    silences: Mapping[str, Silence] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AlertmanagerUnavailable:
    """An Alertmanager that did not answer, or not whole, and why."""

    server: str
    reason: str


class AlertPresence(StrEnum):
    """How an incident stands with Alertmanager."""

    FIRING = "firing"
    SUPPRESSED = "suppressed"
    GONE = "gone"
    OVER = "over"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ReconcileResult:
    """The standing, with its reason in one sentence, fit for people."""

    standing: AlertPresence
    reason: str


def asked_about(incident: Incident) -> frozenset[str]:
    """The alerts of an incident that an Alertmanager may know: those that fire, by what it calls them."""
    fires = (each for each, known in incident.alerts.items() if known.ends_at is None)
    return frozenset(filter(_FINGERPRINT.fullmatch, fires)) if incident.open else frozenset()


def reconcile(
    incident: Incident,
    answers: Sequence[AlertmanagerView | AlertmanagerUnavailable],
    now: datetime,
    grace: timedelta,
    incidents: int,
) -> ReconcileResult:
    """How an open incident stands.

    ``answers`` are those of every Alertmanager of its cluster: one that lists an alert is enough for it to fire, and
    all must have answered for it to be gone. ``grace`` is how long an alert must be gone, and an Alertmanager up,
    before that is believed. ``incidents`` is how many are open in the cluster.
    """
    views = [answer for answer in answers if isinstance(answer, AlertmanagerView)]
    asked = asked_about(incident)
    found = [(view, view.alerts[each]) for view in views for each in sorted(asked) if each in view.alerts]
    active = {view.server for view, listed in found if not listed.suppressed}
    if active:
        return ReconcileResult(AlertPresence.FIRING, f"{_names(active)} lists it as firing")
    if found:
        return ReconcileResult(AlertPresence.SUPPRESSED, _hidden(found))
    if doubt := _doubt(answers, views, now, grace, incidents):
        return ReconcileResult(AlertPresence.UNKNOWN, doubt)
    since = incident.gone_since or now
    servers = _names({view.server for view in views})
    reason = f"{servers} did not list it any more since {since:%H:%M}Z, and no notification told its end"
    hidden = f" ({incident.silenced})" if incident.silenced else ""
    return ReconcileResult(AlertPresence.OVER if now - since >= grace else AlertPresence.GONE, reason + hidden)


def _doubt(
    answers: Sequence[AlertmanagerView | AlertmanagerUnavailable],
    views: Sequence[AlertmanagerView],
    now: datetime,
    grace: timedelta,
    incidents: int,
) -> str:
    """Why an alert that nobody lists may fire all the same; empty where nothing speaks for it."""
    for answer in answers:
        if isinstance(answer, AlertmanagerUnavailable):
            return f"{answer.server} cannot be asked: {answer.reason}"
        if answer.settling:
            return f"{answer.server} has not heard from the others of its cluster yet"
        if now - answer.up_since < grace:
            return f"{answer.server} was started at {answer.up_since:%H:%M}Z and may not have heard of everything yet"
    if not views:
        return "no Alertmanager is configured for its cluster"
    if incidents >= MANY and not any(view.total for view in views):
        return f"{_names({view.server for view in views})} lists no alert at all while {incidents} incidents are open"
    return ""


def _hidden(found: Sequence[tuple[AlertmanagerView, ListedAlert]]) -> str:
    """``silenced by alice until 2026-02-28 05:00Z: deploying``: the longest silence, or else what inhibits it."""
    ids = {each for _view, listed in found for each in listed.silences}
    known = {silence.id: silence for view, _listed in found for silence in view.silences.values() if silence.id in ids}
    if known:
        last = max(known.values(), key=lambda silence: (silence.until, silence.id))
        who, why = tidy_line(last.who, 60) or "somebody", tidy_line(last.comment, 120)
        more = f" (and {len(ids) - 1} more)" if len(ids) > 1 else ""
        return f"silenced by {who}{more} until {last.until:%Y-%m-%d %H:%M}Z{': ' if why else ''}{why}"
    if ids:
        return f"silenced by {tidy_line(min(ids), 60)}, about which Alertmanager said nothing more"
    names = sorted({tidy_line(name, 60) for _view, listed in found for name in listed.inhibitors})
    return f"inhibited by {', '.join(names[:3])}" if names else "muted for the time of day"


def _names(servers: set[str]) -> str:
    return " and ".join(sorted(servers))
