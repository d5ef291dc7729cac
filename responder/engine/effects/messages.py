"""The messages that a report becomes. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from responder.model.message import Draft
from responder.model.report import Moment, Report
from responder.notify.contract import Channel
from responder.notify.delivery.route import pagers, title


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


def left_open(report: Report, told: Collection[str], configured: Mapping[str, Channel]) -> Report:
    """Return the resolve, with the paging channels that were notified and are not configured any more."""
    paging = pagers(configured)
    gone = [title(name, configured) for name in told if name in paging and name not in configured]
    if not gone:
        return report
    by_hand = f"close it by hand in {' and '.join(gone)}, which is not configured here any more"
    return replace(report, resolution=f"{report.resolution}; {by_hand}")
