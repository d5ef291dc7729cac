"""Pages that have not been accepted and that nothing stands in for yet, and ends that a pager refused."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, or_, select

from responder.model.content import DecisionRecord
from responder.model.message import OutboxMessage
from responder.model.report import MessageKind
from responder.store.outbox.claims import draft_of
from responder.store.schema.serialization import to_noun, to_time
from responder.store.schema.tables import WAITING, contents, incidents, lanes, messages

_MOST = 100

_stand_in = messages.alias("stand_in")
_ANSWERED_FOR = exists().where(_stand_in.c.origin == messages.c.id)
_BEGINNINGS = (MessageKind.START.value, MessageKind.AGAIN.value)
# A beginning may be several messages on one channel, such as its details: the first of them is what people miss.
_SAID_BEFORE = exists().where(
    _stand_in.c.incident == messages.c.incident,
    _stand_in.c.channel == messages.c.channel,
    _stand_in.c.moment == messages.c.moment,
    _stand_in.c.written_at == messages.c.written_at,
    _stand_in.c.id < messages.c.id,
)
_OVER = exists().where(incidents.c.id == messages.c.incident, ~incidents.c.open)


@dataclass(frozen=True, slots=True, kw_only=True)
class UndeliveredMessage:
    """A page of an incident that is open; ``decision`` is what the rules said about that.

    ``error`` is its last attempt's, empty where none has ended.
    """

    id: int
    dead: bool
    draft: OutboxMessage
    decision: DecisionRecord | None
    written_at: datetime
    error: str
    failing_since: datetime | None


def pages(
    connection: Connection, pagers: Collection[str], stations: Collection[str], last: Collection[str]
) -> list[UndeliveredMessage]:
    """Those of ``pagers``, and those on ``stations`` that stand in for one, the worst and oldest first, at most 100.

    A page that waits on a channel which takes messages, and that was not tried yet, is not among them. A beginning on
    any other channel is where it is dead, for nobody could read it; but for the ``last``, after which nothing comes.
    """
    troubled = or_(messages.c.error.is_not(None), lanes.c.failing_since.is_not(None))
    of_pagers = _of_pagers(pagers, stations)
    unread = and_(messages.c.channel.not_in(list(last)), messages.c.moment.in_(_BEGINNINGS), ~_SAID_BEFORE)
    dead = _looked_for(or_(of_pagers, unread), messages.c.state == "dead")
    waiting = _looked_for(of_pagers, and_(WAITING, troubled))
    rows = [row for statement in (dead, waiting) for row in connection.execute(statement).mappings()]
    found = [
        UndeliveredMessage(
            id=row["id"],
            dead=row["state"] == "dead",
            draft=draft_of(row),
            decision=to_noun(DecisionRecord, row["decision"]) if row["decision"] else None,
            written_at=to_time(row["written_at"]),
            error=row["error"] or "",
            failing_since=to_time(row["failing_since"]) if row["failing_since"] is not None else None,
        )
        for row in rows
    ]
    return sorted(found, key=lambda page: (page.draft.rank, page.written_at, page.id))[:_MOST]


def _of_pagers(pagers: Collection[str], stations: Collection[str]) -> ColumnElement[bool]:
    return or_(
        and_(messages.c.channel.in_(list(pagers)), messages.c.moment.in_(_BEGINNINGS)),
        and_(messages.c.channel.in_(list(stations)), messages.c.moment == MessageKind.FALLBACK.value),
    )


def _looked_for(is_page: ColumnElement[bool], state: ColumnElement[bool]) -> Select[tuple[object, ...]]:
    return (
        select(messages, lanes.c.failing_since, contents.c.decision)
        .join(lanes, lanes.c.channel == messages.c.channel, isouter=True)
        .join(contents, contents.c.incident == messages.c.incident, isouter=True)
        .where(state, is_page, ~_ANSWERED_FOR, ~_OVER)
        .order_by(messages.c.rank, messages.c.written_at, messages.c.id)
        .limit(_MOST)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnresolvedPage:
    """An end that a pager refused for good, though it had taken the beginning. ``error`` is what it said."""

    id: int
    draft: OutboxMessage
    error: str


def unclosed(connection: Connection, pagers: Collection[str]) -> list[UnresolvedPage]:
    """Those that nobody has been told of, the oldest first, at most 100; not of incidents that are open again."""
    begun = exists().where(
        _stand_in.c.incident == messages.c.incident,
        _stand_in.c.channel == messages.c.channel,
        _stand_in.c.state == "sent",
        _stand_in.c.moment.in_((*_BEGINNINGS, MessageKind.FALLBACK.value)),
    )
    open_again = exists().where(incidents.c.id == messages.c.incident, incidents.c.open)
    ended = and_(messages.c.moment == MessageKind.RESOLUTION.value, messages.c.channel.in_(list(pagers)))
    rows = connection.execute(
        select(messages)
        .where(messages.c.state == "dead", ended, begun, ~open_again, ~_ANSWERED_FOR)
        .order_by(messages.c.id)
        .limit(_MOST)
    ).mappings()
    return [UnresolvedPage(id=row["id"], draft=draft_of(row), error=row["error"] or "no reason") for row in rows]
