"""Messages of the outbox with their composed reports, as a sender would have them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, select

from responder.model.message import ClaimedMessage
from responder.model.report import Report
from responder.notify.report.compose import compose_message
from responder.store.outbox import claims
from responder.store.schema.tables import messages


def claimed(
    connection: Connection, queue: claims.ChannelQueue, now: datetime, until: datetime, most: int
) -> list[ClaimedMessage]:
    """Claim what is due, composed as of ``now``."""
    return [compose_message(row, now) for row in claims.claim(connection, queue, now, until, most)]


def last_report(connection: Connection, incident: str, now: datetime) -> Report:
    """The report of the newest message of an incident, composed as of ``now``."""
    newest = connection.scalar(select(func.max(messages.c.id)).where(messages.c.incident == incident))
    row = claims.peek(connection, newest or 0)
    assert row is not None
    return compose_message(row, now).report


def message_counts(connection: Connection) -> dict[tuple[str, str], int]:
    """The number of messages by (channel, state)."""
    by = select(messages.c.channel, messages.c.state, func.count()).group_by(messages.c.channel, messages.c.state)
    return {(channel, state): count for channel, state, count in connection.execute(by)}
