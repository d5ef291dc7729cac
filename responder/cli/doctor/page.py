"""Test page of `doctor --send`: of the lowest severity, and resolved at once."""

from dataclasses import replace
from datetime import datetime

import responder
from responder.model.message import ClaimedMessage
from responder.model.report import MessageKind, Report, Status
from responder.model.rule import RuleBook
from responder.notify.contract import Channel


def messages(channel: Channel, book: RuleBook, now: datetime) -> list[ClaimedMessage]:
    """Return the messages of a page and its resolve; ``previous`` of all but the first is filled in when sending."""
    opening = report(book, now)
    closing = replace(
        opening,
        kind=MessageKind.RESOLUTION,
        status=Status.RESOLVED,
        ended_at=now,
        resolution="a test",
    )
    steps = [(notified, step) for notified in (opening, closing) for step in channel.steps[notified.kind]]
    return [
        ClaimedMessage(
            id=number,
            channel=channel.name,
            step=step,
            priority=4,
            report=notified,
            due_at=now,
            attempt=1,
            minimal=False,
        )
        for number, (notified, step) in enumerate(steps, 1)
    ]


def report(book: RuleBook, now: datetime) -> Report:
    """Return a page that says it is a test."""
    mildest = list(book.severities.values())[-1]
    return Report(
        kind=MessageKind.START,
        status=Status.INVESTIGATING,
        incident="INC-TEST",
        dedup_key=f"responder-doctor-{now:%Y%m%dT%H%M%S}",
        title=f"[{mildest.name}] test by responder doctor: no action required ({book.environment})",
        severity=mildest.name,
        severity_reason="a test has the lowest severity",
        pagerduty_severity=mildest.pagerduty,
        pages=False,
        service="responder",
        environment=book.environment,
        namespace="",
        alertname="ResponderDoctor",
        what="Test message of `responder doctor --send`: pages arrive here.",
        impact="",
        first_step="None: it resolves automatically.",
        firing=1,
        labels={"alertname": "ResponderDoctor"},
        rule="none",
        made_by=f"responder {responder.__version__}, doctor",
        started_at=now,
        written_at=now,
    )
