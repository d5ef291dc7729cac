"""What follows from what is found out about an incident without a notification. Pure: the ledger commits it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from responder.engine.effects.context import Desk
from responder.engine.effects.messages import left_open, messages
from responder.model.delivery import Effects
from responder.model.incident import Change, ChangeKind, Incident
from responder.model.message import Draft
from responder.model.report import Report
from responder.notify.report import without_notification


def changed(incident: Incident, change: Change, before: Report | None, desk: Desk, now: datetime) -> Effects:
    """The effects of a change that time made; ``before`` is the last report about the incident."""
    moved = replace(
        incident,
        alerts=change.alerts,
        flaps=change.flaps,
        hold=change.hold,
        held_until=change.held_until,
        review_at=change.review_at,
    )
    if change.kind is ChangeKind.RESOLVED:
        return resolved(moved, before, change.reason, desk, now)
    if change.kind not in {ChangeKind.AGAIN, ChangeKind.GROWN}:
        return _effects(moved, change.reason, (), now)
    again = change.kind is ChangeKind.AGAIN
    moved = replace(moved, open=True, resolved_at=None, changed_at=now, reopened_at=now if again else moved.reopened_at)
    report = without_notification.alarm(before, moved, change.reason, desk.book, now=now)
    return _effects(moved, change.reason, _drafts(report, moved, desk, now), now)


def resolved(incident: Incident, before: Report | None, why: str, desk: Desk, now: datetime) -> Effects:
    """The end of an incident, told to all who were told of its beginning."""
    over = replace(
        incident,
        open=False,
        resolved_at=now,
        changed_at=now,
        hold="",
        held_until=None,
        silenced="",
        gone_since=None,
    )
    report = without_notification.ending(before, over, why, desk.book, now=now)
    report = left_open(report, over.channels, desk.channels)
    return _effects(over, why, _drafts(report, over, desk, now), now)


def noted(incident: Incident, before: Report | None, update: str, desk: Desk, now: datetime) -> Effects:
    """Something people should know of an open incident, and need not be woken for; ``update`` empty tells nobody."""
    if not update:
        return _effects(incident, "", (), now)
    report = without_notification.news(before, incident, update, desk.book, now=now)
    drafts = tuple(each for each in _drafts(report, incident, desk, now) if each.channel not in desk.pagers)
    return _effects(incident, update, drafts, now)


def _drafts(report: Report, incident: Incident, desk: Desk, now: datetime) -> tuple[Draft, ...]:
    severities: Mapping[str, int] = {name: severity.rank for name, severity in desk.book.severities.items()}
    told = desk.configured(incident.channels)
    return messages(report, told, rank=severities.get(incident.severity, 1), due_at=now)


def _effects(incident: Incident, outcome: str, drafts: tuple[Draft, ...], now: datetime) -> Effects:
    return Effects(
        outcome=outcome,
        incident=incident,
        drafts=drafts,
        due_at=now,
    )
