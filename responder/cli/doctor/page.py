"""The page that `doctor --send` sends: of the mildest severity, and taken back at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import responder
from responder.model.message import ClaimedMessage
from responder.model.report import MessageKind, Report, Status
from responder.model.rule import RuleBook
from responder.notify.contract import Channel


def letters(channel: Channel, book: RuleBook, now: datetime) -> list[ClaimedMessage]:
    """The messages of a page and of its end; all but the first lack what the acceptance of the first returns."""
    opening = report(book, now)
    closing = replace(
        opening,
        moment=MessageKind.RESOLUTION,
        status=Status.RESOLVED,
        ended_at=now,
        next_update=None,
        resolution="a test",
    )
    steps = [(told, step) for told in (opening, closing) for step in channel.steps[told.moment]]
    return [
        ClaimedMessage(
            id=number, channel=channel.name, step=step, rank=4, report=told, due_at=now, attempt=1, plain=False
        )
        for number, (told, step) in enumerate(steps, 1)
    ]


def report(book: RuleBook, now: datetime) -> Report:
    """A page that says that it is a test."""
    mildest = list(book.severities.values())[-1]
    return Report(
        moment=MessageKind.START,
        status=Status.INVESTIGATING,
        incident="INC-TEST",
        dedup_key=f"responder-doctor-{now:%Y%m%dT%H%M%S}",
        title=f"[{mildest.name}] a test by responder doctor: nothing is wrong ({book.environment})",
        severity=mildest.name,
        severity_reason="a test has the mildest severity",
        pagerduty_severity=mildest.pagerduty,
        pages=False,
        service="responder",
        environment=book.environment,
        namespace=book.namespace,
        alertname="ResponderDoctor",
        what="Somebody ran `responder doctor --send`. This message shows that pages arrive here.",
        impact="none",
        first_step="Nothing: it resolves by itself.",
        firing=1,
        labels={"alertname": "ResponderDoctor"},
        rule="none",
        made_by=f"responder {responder.__version__}, doctor",
        started_at=now,
        written_at=now,
    )
