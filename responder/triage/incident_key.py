"""Several Alertmanager groups as one incident: by which key, and what the state of one of them says about the whole.

A group is gathered where all its firing alerts meet rules with the same ``incident_key`` and have the same values for
its labels, none of them empty. Whatever it was gathered into, it stays in until that incident is over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from json import dumps

from responder.model.alert import AlertGroup
from responder.model.decision import Ruling
from responder.model.incident import Change, ChangeKind, Incident, Known, Member
from responder.model.rule import RuleBook
from responder.model.timing import USUAL, Patience
from responder.triage.lifecycle import next_look
from responder.triage.rule_index import Matching

_CUT = "cut off by max_alerts: "
"""Stands for the alerts of a group that ``max_alerts`` cut off, where a fingerprint would: they may still fire."""


def key_of(group: AlertGroup, matching: Matching) -> str:
    """What makes this group the same incident as others: 64 hex characters; empty where it is not gathered.

    The key covers the labels' names and values and the cluster, not the rule: rules with the same ``incident_key``
    gather together.
    """
    alerts = group.firing
    first = alerts[0] if alerts else None
    names = matching.first(first.labels).gather if first else ()
    if first is None or not names:
        return ""
    values = [first.labels.get(name, "") for name in names]
    same = all(
        matching.first(each.labels).gather == names and [each.labels.get(name, "") for name in names] == values
        for each in alerts
    )
    if not same or not all(values):
        return ""
    return sha256(f"incident_key\n{group.cluster}\n{dumps([*zip(names, values, strict=True)])}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Combined:
    """What a notification of one group means for its incident.

    ``ruling`` has the worst severity of all groups. ``members`` is empty for an incident of one group. ``joins`` says
    that another group made the incident as severe as it is.
    """

    change: Change
    ruling: Ruling
    members: Mapping[str, Member] = field(default_factory=dict)
    joins: bool = False


def combined(
    alone: Combined,
    key: str,
    rulings: Sequence[Ruling],
    group: AlertGroup,
    incident: Incident | None,
    book: RuleBook,
    now: datetime,
    patience: Patience = USUAL,
) -> Combined:
    """The meaning of a notification for an incident of several groups, if its incident is one.

    ``alone`` is its meaning for the group, ``key`` the one that the group has by its rules.
    """
    is_open = incident is not None and incident.open
    if not (incident is not None and incident.gathered) and (not key or is_open):
        return alone
    change = _merged(alone.change, incident, group, now, patience)
    members = _members(change, incident, group, rulings, alone.ruling.severity.name)
    other = _louder(alone.ruling, change, members, group, book)
    before = book.severities.get(incident.severity) if incident is not None and is_open else None
    as_severe = before is not None and before.rank <= alone.ruling.severity.rank
    return Combined(change, other or alone.ruling, members, joins=is_open and (other is not None or as_severe))


def view(incident: Incident | None, group: AlertGroup) -> Incident | None:
    """The incident as one of its groups knows it: with the alerts of that group only."""
    if incident is None or not incident.gathered:
        return incident
    own = {
        name: known
        for name, known in incident.alerts.items()
        if _is_of(incident, name, group) and not name.startswith(_CUT)
    }
    return replace(incident, alerts=own)


def _merged(
    change: Change, incident: Incident | None, group: AlertGroup, now: datetime, patience: Patience = USUAL
) -> Change:
    """What a change of one group means for the incident: it is over only where no other group of it fires."""
    others = _others(incident, group, change)
    alerts = {**others, **change.alerts}
    if group.truncated:
        alerts[_CUT + group.dedup_key] = Known(now.timestamp())
    firing = sum(known.ends_at is None for known in others.values())
    if firing and not group.firing and not group.truncated:
        # Alerts of this group that are not named any more would keep the incident open for ever.
        ended = {
            name: replace(known, ends_at=known.ends_at or now.timestamp()) for name, known in change.alerts.items()
        }
        kind = ChangeKind.PARTLY_RESOLVED if change.resolved else change.kind
        if kind in {ChangeKind.RESOLVED, ChangeKind.HELD}:
            kind = ChangeKind.REPEATED
        reason = f"{change.reason}, and {firing} of other groups of the incident still fire"
        change = replace(change, kind=kind, reason=reason, hold="", held_until=None)
        alerts = {**others, **ended}
    elif others and change.kind is ChangeKind.GROWN and not _has(incident, group):
        change = replace(change, reason=f"another group joined: {change.reason}")
    return replace(change, alerts=alerts, review_at=next_look(alerts, change.held_until, patience))


def _members(
    change: Change, incident: Incident | None, group: AlertGroup, rulings: Sequence[Ruling], worst: str
) -> Mapping[str, Member]:
    """The group, and the severity its rule gave, of each alert known after the change."""
    before = incident.gathered if incident is not None else {}
    own = {each.alert.fingerprint: Member(group.dedup_key, each.severity.name) for each in rulings}
    cut = Member(group.dedup_key, worst)
    return {name: own.get(name) or before.get(name, cut) for name in change.alerts}


def _louder(
    ruling: Ruling, change: Change, gathered: Mapping[str, Member], group: AlertGroup, book: RuleBook
) -> Ruling | None:
    """The ruling with the severity of another group of the incident, where that is worse; None where it is not."""
    firing = {
        gathered[name].severity
        for name, known in change.alerts.items()
        if known.ends_at is None and gathered[name].group != group.dedup_key
    }
    known = [book.severities[name] for name in firing if name in book.severities]
    worst = min(known, key=lambda each: each.rank, default=ruling.severity)
    if worst.rank >= ruling.severity.rank:
        return None
    reason = f"of another group of the incident; this one is {ruling.severity.name}, {ruling.reason}"
    return replace(ruling, severity=worst, reason=reason)


def _has(incident: Incident | None, group: AlertGroup) -> bool:
    """Whether the incident knows an alert of the group."""
    return incident is not None and any(each.group == group.dedup_key for each in incident.gathered.values())


def _others(incident: Incident | None, group: AlertGroup, change: Change) -> Mapping[str, Known]:
    if incident is None or change.kind is ChangeKind.NEW:
        return {}
    return {name: known for name, known in incident.alerts.items() if not _is_of(incident, name, group)}


def _is_of(incident: Incident, name: str, group: AlertGroup) -> bool:
    member = incident.gathered.get(name)
    return member is not None and member.group == group.dedup_key
