"""A message to people: one row of the outbox, and what a channel makes of it on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from responder.model.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A message to be written to the outbox. ``step`` is the channel's own word for what it does with the report.

    Messages of one ``stream`` (the dedup key) and channel leave in the order they were written. ``rank`` is the
    severity's, 1 first. ``enrich`` marks a page that the diagnosis may still improve until it is due. ``origin`` is the
    id of the message that could not be delivered and that this one stands in for. Pages that wait before this message
    leave at ``within`` at the latest, where it says so.
    """

    incident: str
    stream: str
    channel: str
    step: str
    rank: int
    due_at: datetime
    report: Report
    enrich: bool = False
    origin: int | None = None
    within: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A claimed message. ``attempt`` counts from 1 and fences the claim; ``plain`` asks for the minimal form.

    ``written_at`` is when it was put into the outbox, None where that is not known.

    ``previous`` is the reference that the first accepted message of this incident on this channel returned.
    """

    id: int
    channel: str
    step: str
    rank: int
    report: Report
    due_at: datetime
    attempt: int
    plain: bool
    previous: Mapping[str, str] = field(default_factory=dict)
    written_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What a channel wants sent. ``url`` and ``headers`` may hold secrets: ``repr`` shows neither."""

    url: str = field(repr=False)
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Response:
    """What came back: at most the first 64 KiB of the body."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
