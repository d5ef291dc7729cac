"""The messages that a report becomes. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from responder.model.message import Draft
from responder.model.report import Moment, Report
from responder.notify.contract import Channel


def messages(
    report: Report, channels: Iterable[Channel], *, rank: int, due_at: datetime, enrich: bool = False
) -> tuple[Draft, ...]:
    """The messages that a report becomes on each channel, in the order they must leave.

    What follows a beginning (its details in the thread) is a rank less urgent: in a flood every page leaves before it.
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
        )
        for channel in channels
        for place, step in enumerate(channel.steps[report.moment])
    )
