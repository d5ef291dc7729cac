"""The outbox messages of an incident, one for each channel and step. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from responder.model.alert import AlertGroup
from responder.model.content import MessageFacts
from responder.model.incident import Incident
from responder.model.message import Draft
from responder.model.report import Moment
from responder.notify.contract import Channel
from responder.notify.delivery.route import pagers, title


def messages(
    incident: str,
    stream: str,
    moment: Moment,
    facts: MessageFacts,
    channels: Iterable[Channel],
    *,
    rank: int,
    due_at: datetime,
    enrich: bool = False,
    within: datetime | None = None,
) -> tuple[Draft, ...]:
    """The messages of an incident on each channel, in the order they must leave; ``stream`` is its dedup key.

    Pages that wait before them for their diagnosis leave ``within`` that time. What follows a first message (its
    details in the thread) is a rank less urgent: in a flood every page leaves before it.
    """
    began = moment is Moment.START
    return tuple(
        Draft(
            incident=incident,
            stream=stream,
            channel=channel.name,
            step=step,
            moment=moment,
            rank=rank + 1 if began and place else rank,
            due_at=due_at,
            facts=replace(facts, due_by=due_at),
            enrich=enrich,
            within=within,
        )
        for channel in channels
        for place, step in enumerate(channel.steps[moment])
    )


def left_open(notified: Collection[str], configured: Mapping[str, Channel]) -> str:
    """What a resolve says about pagers that were ``notified`` and are not configured any more; empty where none is."""
    paging = pagers(configured)
    gone = [title(name, configured) for name in notified if name in paging and name not in configured]
    return f"; close it by hand in {' and '.join(gone)}, which is not configured here any more" if gone else ""


def counts(incident: Incident) -> MessageFacts:
    """How many alerts of an incident fire and how many are resolved, as far as notifications said."""
    firing = sum(known.ends_at is None for known in incident.alerts.values())
    return MessageFacts(firing=firing, resolved=len(incident.alerts) - firing)


def group_counts(group: AlertGroup) -> MessageFacts:
    """How many alerts of a notification fire and how many are resolved."""
    return MessageFacts(firing=len(group.firing), resolved=len(group.alerts) - len(group.firing))
