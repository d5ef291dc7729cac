"""Pages that were not accepted and have no fallback yet, and resolves that a pager rejected."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, or_, select

from responder.model.message import OutboxMessage
from responder.model.report import DecisionRecord, MessageKind
from responder.store.outbox.claims import message_of
from responder.store.schema.serialization import from_bytes, to_time
from responder.store.schema.tables import WAITING, channel_states, contents, incidents, messages

#: Messages that one call returns.
_MOST = 100

_other = messages.alias("other")
_HAS_FALLBACK = exists().where(_other.c.replaces == messages.c.id)
_FIRST_KINDS = (MessageKind.START.value, MessageKind.AGAIN.value)
# A first message may have several steps on one channel, such as its details: the first step is the page.
_IS_LATER_STEP = exists().where(
    _other.c.incident == messages.c.incident,
    _other.c.channel == messages.c.channel,
    _other.c.kind == messages.c.kind,
    _other.c.written_at == messages.c.written_at,
    _other.c.id < messages.c.id,
)
_IS_RESOLVED = exists().where(incidents.c.id == messages.c.incident, ~incidents.c.open)
_ACCEPTED = exists().where(
    _other.c.incident == messages.c.incident,
    _other.c.state == "sent",
    _other.c.kind.in_((*_FIRST_KINDS, MessageKind.FALLBACK.value)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UndeliveredMessage:
    """A page; ``decision`` is the decision of the rules about it, ``resolved`` is True if its incident is.

    ``error`` is that of the last attempt, empty if none has ended.
    """

    id: int
    dead: bool
    resolved: bool
    message: OutboxMessage
    decision: DecisionRecord | None
    written_at: datetime
    error: str
    failing_since: datetime | None


def pages(
    connection: Connection, pagers: Collection[str], fallbacks: Collection[str], last_resorts: Collection[str]
) -> list[UndeliveredMessage]:
    """Return pages of ``pagers``, and fallback pages on ``fallbacks``, the worst and oldest first, at most 100.

    ``pagers`` are channels, and kinds by their names.

    Excludes pages that were not attempted yet on a working channel, and those of resolved incidents unless they are
    dead and no channel has accepted a page of their incident: without a fallback, such an incident would be known to no
    one. First messages on other channels are included if they are dead, except on the ``last_resorts``, which have no
    fallback.
    """
    troubled = or_(messages.c.error.is_not(None), channel_states.c.failing_since.is_not(None))
    others = messages.c.channel.not_in(list(last_resorts))
    first = and_(others, messages.c.kind.in_(_FIRST_KINDS), ~_IS_LATER_STEP)
    needs_fallback = and_(messages.c.state == "dead", or_(~_IS_RESOLVED, ~_ACCEPTED))
    dead = _statement(or_(_is_page(_is_on_pager(pagers), fallbacks), first), needs_fallback)
    # Those of a removed channel do not wait: only names are compared, which the index of waiting messages has.
    page = _is_page(messages.c.channel.in_(list(pagers)), fallbacks)
    waiting = _statement(page, and_(WAITING, troubled, ~_IS_RESOLVED))
    rows = [row for statement in (dead, waiting) for row in connection.execute(statement).mappings()]
    found = [
        UndeliveredMessage(
            id=row["id"],
            dead=row["state"] == "dead",
            resolved=bool(row["resolved"]),
            message=message_of(row),
            decision=from_bytes(DecisionRecord, row["decision"]) if row["decision"] else None,
            written_at=to_time(row["written_at"]),
            error=row["error"] or "",
            failing_since=to_time(row["failing_since"]) if row["failing_since"] is not None else None,
        )
        for row in rows
    ]
    return sorted(found, key=lambda page: (page.message.priority, page.written_at, page.id))[:_MOST]


def _is_page(on_pager: ColumnElement[bool], fallbacks: Collection[str]) -> ColumnElement[bool]:
    return or_(
        and_(on_pager, messages.c.kind.in_(_FIRST_KINDS)),
        and_(messages.c.channel.in_(list(fallbacks)), messages.c.kind == MessageKind.FALLBACK.value),
    )


def _is_on_pager(pagers: Collection[str]) -> ColumnElement[bool]:
    """Return the condition for messages of a channel that pages, also one that is not declared any more."""
    return or_(messages.c.channel.in_(list(pagers)), messages.c.channel_kind.in_(list(pagers)))


def _statement(is_page: ColumnElement[bool], state: ColumnElement[bool]) -> Select[tuple[object, ...]]:
    return (
        select(messages, channel_states.c.failing_since, contents.c.decision, _IS_RESOLVED.label("resolved"))
        .join(channel_states, channel_states.c.channel == messages.c.channel, isouter=True)
        .join(contents, contents.c.incident == messages.c.incident, isouter=True)
        .where(state, is_page, ~_HAS_FALLBACK)
        .order_by(messages.c.priority, messages.c.written_at, messages.c.id)
        .limit(_MOST)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnresolvedPage:
    """A resolve that a pager rejected although it had accepted the page. ``error`` is the vendor's reason."""

    id: int
    message: OutboxMessage
    error: str


def rejected_resolves(connection: Connection, pagers: Collection[str]) -> list[UnresolvedPage]:
    """Return those without a message about them, the oldest first, at most 100; not of reopened incidents."""
    accepted = exists().where(
        _other.c.incident == messages.c.incident,
        _other.c.channel == messages.c.channel,
        _other.c.state == "sent",
        _other.c.kind.in_((*_FIRST_KINDS, MessageKind.FALLBACK.value)),
    )
    open_again = exists().where(incidents.c.id == messages.c.incident, incidents.c.open)
    ended = and_(messages.c.kind == MessageKind.RESOLUTION.value, _is_on_pager(pagers))
    rows = connection.execute(
        select(messages)
        .where(messages.c.state == "dead", ended, accepted, ~open_again, ~_HAS_FALLBACK)
        .order_by(messages.c.id)
        .limit(_MOST)
    ).mappings()
    return [
        UnresolvedPage(id=row["id"], message=message_of(row), error=row["error"] or "no reason given") for row in rows
    ]
