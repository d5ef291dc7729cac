"""Pages that were not accepted and have no fallback yet, and resolves that a pager rejected."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, or_, select

from responder.model.content import DecisionRecord
from responder.model.message import OutboxMessage
from responder.model.report import MessageKind
from responder.store.outbox.claims import message_of
from responder.store.schema.serialization import from_bytes, to_time
from responder.store.schema.tables import WAITING, channel_states, contents, incidents, messages

_MOST = 100

_stand_in = messages.alias("stand_in")
_ANSWERED_FOR = exists().where(_stand_in.c.replaces == messages.c.id)
_BEGINNINGS = (MessageKind.START.value, MessageKind.AGAIN.value)
# A first message may have several steps on one channel, such as its details: the first step is the page.
_SAID_BEFORE = exists().where(
    _stand_in.c.incident == messages.c.incident,
    _stand_in.c.channel == messages.c.channel,
    _stand_in.c.kind == messages.c.kind,
    _stand_in.c.written_at == messages.c.written_at,
    _stand_in.c.id < messages.c.id,
)
_OVER = exists().where(incidents.c.id == messages.c.incident, ~incidents.c.open)
_ACCEPTED = exists().where(
    _stand_in.c.incident == messages.c.incident,
    _stand_in.c.state == "sent",
    _stand_in.c.kind.in_((*_BEGINNINGS, MessageKind.FALLBACK.value)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UndeliveredMessage:
    """A page; ``decision`` is the decision of the rules about it, ``over`` is True if its incident has been resolved.

    ``error`` is that of the last attempt, empty if none has ended.
    """

    id: int
    dead: bool
    over: bool
    message: OutboxMessage
    decision: DecisionRecord | None
    written_at: datetime
    error: str
    failing_since: datetime | None


def pages(
    connection: Connection, pagers: Collection[str], stations: Collection[str], last: Collection[str]
) -> list[UndeliveredMessage]:
    """Return pages of ``pagers``, and fallback pages on ``stations``, the worst and oldest first, at most 100.

    ``pagers`` are channels, and kinds by their names.

    Excludes pages that were not attempted yet on a working channel, and those of resolved incidents unless they are
    dead and no channel has accepted a page of their incident: without a fallback, such an incident would be known to no
    one. First messages on other channels are included if they are dead, except on the ``last`` channels, which have no
    fallback.
    """
    troubled = or_(messages.c.error.is_not(None), channel_states.c.failing_since.is_not(None))
    unread = and_(messages.c.channel.not_in(list(last)), messages.c.kind.in_(_BEGINNINGS), ~_SAID_BEFORE)
    unheard = and_(messages.c.state == "dead", or_(~_OVER, ~_ACCEPTED))
    dead = _looked_for(or_(_of_pagers(_paged(pagers), stations), unread), unheard)
    # Those of a removed channel do not wait: only names are compared, which the index of waiting messages has.
    waiting = _looked_for(_of_pagers(messages.c.channel.in_(list(pagers)), stations), and_(WAITING, troubled, ~_OVER))
    rows = [row for statement in (dead, waiting) for row in connection.execute(statement).mappings()]
    found = [
        UndeliveredMessage(
            id=row["id"],
            dead=row["state"] == "dead",
            over=bool(row["over"]),
            message=message_of(row),
            decision=from_bytes(DecisionRecord, row["decision"]) if row["decision"] else None,
            written_at=to_time(row["written_at"]),
            error=row["error"] or "",
            failing_since=to_time(row["failing_since"]) if row["failing_since"] is not None else None,
        )
        for row in rows
    ]
    return sorted(found, key=lambda page: (page.message.priority, page.written_at, page.id))[:_MOST]


def _of_pagers(is_of_pager: ColumnElement[bool], stations: Collection[str]) -> ColumnElement[bool]:
    return or_(
        and_(is_of_pager, messages.c.kind.in_(_BEGINNINGS)),
        and_(messages.c.channel.in_(list(stations)), messages.c.kind == MessageKind.FALLBACK.value),
    )


def _paged(pagers: Collection[str]) -> ColumnElement[bool]:
    """Return the condition for messages of a channel that pages, also one that is not declared any more."""
    return or_(messages.c.channel.in_(list(pagers)), messages.c.channel_kind.in_(list(pagers)))


def _looked_for(is_page: ColumnElement[bool], state: ColumnElement[bool]) -> Select[tuple[object, ...]]:
    return (
        select(messages, channel_states.c.failing_since, contents.c.decision, _OVER.label("over"))
        .join(channel_states, channel_states.c.channel == messages.c.channel, isouter=True)
        .join(contents, contents.c.incident == messages.c.incident, isouter=True)
        .where(state, is_page, ~_ANSWERED_FOR)
        .order_by(messages.c.priority, messages.c.written_at, messages.c.id)
        .limit(_MOST)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnresolvedPage:
    """A resolve that a pager rejected although it had accepted the page. ``error`` is the vendor's reason."""

    id: int
    message: OutboxMessage
    error: str


def unclosed(connection: Connection, pagers: Collection[str]) -> list[UnresolvedPage]:
    """Return those without a message about them, the oldest first, at most 100; not of reopened incidents."""
    begun = exists().where(
        _stand_in.c.incident == messages.c.incident,
        _stand_in.c.channel == messages.c.channel,
        _stand_in.c.state == "sent",
        _stand_in.c.kind.in_((*_BEGINNINGS, MessageKind.FALLBACK.value)),
    )
    open_again = exists().where(incidents.c.id == messages.c.incident, incidents.c.open)
    ended = and_(messages.c.kind == MessageKind.RESOLUTION.value, _paged(pagers))
    rows = connection.execute(
        select(messages)
        .where(messages.c.state == "dead", ended, begun, ~open_again, ~_ANSWERED_FOR)
        .order_by(messages.c.id)
        .limit(_MOST)
    ).mappings()
    return [
        UnresolvedPage(id=row["id"], message=message_of(row), error=row["error"] or "no reason given") for row in rows
    ]
