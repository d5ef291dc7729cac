"""The messages that a report becomes. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime

from responder.model.message import Draft
from responder.model.report import Moment, Report
from responder.notify.contract import Channel
from responder.notify.fallback import NAMES
from responder.notify.route import PAGERS


def messages(
    report: Report,
    channels: Iterable[Channel],
    *,
    rank: int,
    due_at: datetime,
    enrich: bool = False,
    within: datetime | None = None,
) -> tuple[Draft, ...]:
    """The messages that a report becomes on each channel, in the order they must leave.

    Pages that wait before them for their diagnosis leave ``within`` that time. What follows a beginning (its details in
    the thread) is a rank less urgent: in a flood every page leaves before it.
    """
    began = report.moment is Moment.START
    return tuple(
        Draft(
            incident=report.incident,
            stream=report.dedup_key,
            channel=channel.name,
            step=step,
            rank=rank + 1 if began and place else rank,
            due_at=due_at,
            report=report,
            enrich=enrich,
            within=within,
        )
        for channel in channels
        for place, step in enumerate(channel.steps[report.moment])
    )


def left_open(report: Report, told: Collection[str], configured: Collection[str]) -> Report:
    """The end of an incident, with the pagers that were ``told`` of it and cannot be told any more."""
    gone = [NAMES[name] for name in told if name in PAGERS and name not in configured]
    if not gone:
        return report
    by_hand = f"close it by hand in {' and '.join(gone)}, which is not configured here any more"
    return replace(report, resolution=f"{report.resolution}; {by_hand}")
