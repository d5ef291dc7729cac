"""A message: its outbox row, and the request that a channel renders from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from responder.model.report import NO_FACTS, IncidentContent, MessageFacts, MessageKind, Report
from responder.model.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxMessage:
    """A message to be written to the outbox: what is sent, to whom and by when. Its words are composed when it is sent.

    ``step`` is the channel's own word for what it does with the message. Messages of one ``ordering_key`` (the dedup
    key) and channel leave in the order they were written. ``priority`` is the severity's, 1 first. ``facts`` is what is
    true of this message only. ``enrich`` marks a page that waits for its diagnosis until it is due. ``replaces`` is the
    id of the undelivered message that this one replaces. Pages that wait before this message leave at ``within`` at the
    latest, where it is set. ``channel_kind`` is the kind of the channel; rule files may stop declaring the channel.
    """

    incident: str
    ordering_key: str
    channel: str
    step: str
    kind: MessageKind
    priority: int
    due_at: datetime
    channel_kind: str = ""
    facts: MessageFacts = NO_FACTS
    enrich: bool = False
    replaces: int | None = None
    within: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """A message as it stands in the outbox, with the content of its incident.

    ``content`` is None where the incident's content is gone. ``attempt`` counts from 1 and fences the claim;
    ``minimal`` asks for the minimal form. ``previous`` is the reference that the first accepted message of this
    incident on this channel returned. ``vendor_incident`` is the id of the incident at the vendor that pages, if it is
    known, ``vendor_url`` its address. ``before`` is the recorded reason of the attempt before, empty for none, and None
    if its result was lost.
    """

    id: int
    message: OutboxMessage
    content: IncidentContent | None
    attempt: int
    minimal: bool
    written_at: datetime
    previous: Mapping[str, str] = field(default_factory=dict)
    vendor_incident: str = ""
    vendor_url: str = ""
    before: str | None = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedMessage:
    """A claimed message with its composed report: what a channel renders.

    ``attempt`` counts from 1 and fences the claim; ``minimal`` asks for the minimal form. ``written_at`` is when it was
    put into the outbox, None where that is not known. ``previous`` is the reference that the first accepted message of
    this incident on this channel returned. ``vendor_incident`` is the id of the incident at the vendor that pages, if
    it is known. ``before`` is the recorded reason of the attempt before, None if its result was lost.
    """

    id: int
    channel: str
    step: str
    priority: int
    report: Report
    due_at: datetime
    attempt: int
    minimal: bool
    previous: Mapping[str, str] = field(default_factory=dict)
    written_at: datetime | None = None
    vendor_incident: str = ""
    before: str | None = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """A server that takes mail. ``tls`` is starttls, tls or none; there is no login without a ``user``."""

    host: str
    port: int
    tls: str
    user: str
    password: Secret


@dataclass(frozen=True, slots=True)
class Request:
    """A request of a channel. ``url`` and ``headers`` may hold secrets: ``repr`` shows neither.

    Mail goes to ``mail_server``; an empty one only looks whether the server takes mail.
    """

    url: str = field(repr=False)
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    method: str = "POST"
    mail_server: MailServer | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """A response, with at most the first 64 KiB of its body."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
