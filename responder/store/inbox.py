"""Webhook bodies: kept before they are acknowledged, read once by triage, set aside where they could not be read."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from responder.model.delivery import Delivery
from responder.store.codec import to_seconds, to_time
from responder.store.database import CannotStore, Database
from responder.store.tables import deliveries, rejects

BATCH = 200
REJECT_BYTES = 256 * 1024
"""How much of a rejected body is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """A body that was authenticated and could not be taken; ``body`` is cut to REJECT_BYTES, ``size`` is not."""

    id: int
    received_at: datetime
    remote: str
    status: int
    error: str
    size: int
    body: bytes


class _Ticket:
    """One request that waits for its row to be durable."""

    __slots__ = ("error", "id", "row")

    def __init__(self, row: dict[str, Any]) -> None:
        self.row = row
        self.id: int | None = None
        self.error: CannotStore | None = None


class Inbox:
    """Where deliveries live.

    ``keep`` commits for everybody who waits: whoever gets the turn writes all waiting rows in one transaction, so that
    a burst of webhooks costs one fsync and not one each.
    """

    def __init__(self, database: Database, patience: float = 5.0) -> None:
        self._database = database
        self._patience = patience
        self._waiting: list[_Ticket] = []
        self._guard = threading.Lock()
        self._turn = threading.Lock()

    def keep(self, body: bytes, cluster: str, received_at: datetime) -> int:
        """Make a body durable and return the delivery's id; CannotStore where that is not possible within 5 seconds."""
        row = {"received_at": to_seconds(received_at), "cluster": cluster, "body": body, "state": "new"}
        ticket = _Ticket(row)
        with self._guard:
            self._waiting.append(ticket)
        if not self._turn.acquire(timeout=self._patience):
            self._withdraw(ticket)
        else:
            try:
                while ticket.id is None and ticket.error is None:
                    self._commit_waiting()
            finally:
                self._turn.release()
        if ticket.error is not None:
            raise ticket.error
        if ticket.id is None:
            raise CannotStore("the database did not answer in time")
        return ticket.id

    def _withdraw(self, ticket: _Ticket) -> None:
        with self._guard:
            if ticket in self._waiting:
                self._waiting.remove(ticket)

    def _commit_waiting(self) -> None:
        with self._guard:
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
        statement = insert(deliveries).returning(deliveries.c.id, sort_by_parameter_order=True)
        try:
            with self._database.write() as connection:
                ids = connection.execute(statement, [ticket.row for ticket in batch]).scalars().all()
            for ticket, number in zip(batch, ids, strict=True):
                ticket.id = number
        except CannotStore as error:
            for ticket in batch:
                ticket.error = error
        finally:
            for ticket in batch:
                if ticket.id is None and ticket.error is None:
                    ticket.error = CannotStore("the database refused the body")

    def set_aside(self, body: bytes, size: int, remote: str, status: int, error: str, received_at: datetime) -> int:
        """Keep a body that is refused for good, since Alertmanager will not send it again. Raises CannotStore."""
        row = {
            "received_at": to_seconds(received_at),
            "remote": remote,
            "status": status,
            "error": error,
            "size": size,
            "body": body[:REJECT_BYTES],
        }
        with self._database.write() as connection:
            return int(connection.execute(insert(rejects).returning(rejects.c.id), row).scalar_one())

    def rejected(self, limit: int) -> tuple[Reject, ...]:
        """The newest rejected bodies first."""
        with self._database.read() as connection:
            rows = connection.execute(select(rejects).order_by(rejects.c.id.desc()).limit(limit)).mappings()
            return tuple(_reject(row) for row in rows)

    def reject(self, number: int) -> Reject | None:
        """One rejected body by its id."""
        with self._database.read() as connection:
            row = connection.execute(select(rejects).where(rejects.c.id == number)).mappings().first()
            return _reject(row) if row else None

    def counts(self) -> dict[str, int]:
        """How many deliveries are in each state, and ``rejected``."""
        with self._database.read() as connection:
            by_state = select(deliveries.c.state, func.count()).group_by(deliveries.c.state)
            found: dict[str, int] = dict(connection.execute(by_state).all())
            total = connection.execute(select(func.count()).select_from(rejects)).scalar_one()
        return {"new": 0, "decided": 0, "failed": 0} | found | {"rejected": total}

    def find(self, number: int) -> Delivery | None:
        """One delivery by its id."""
        with self._database.read() as connection:
            row = connection.execute(select(deliveries).where(deliveries.c.id == number)).mappings().first()
            return _delivery(row) if row else None


def any_new(connection: Connection) -> bool:
    """Whether triage has anything to do."""
    return connection.execute(select(deliveries.c.id).where(deliveries.c.state == "new").limit(1)).first() is not None


def take(connection: Connection, limit: int) -> list[Delivery]:
    """The oldest undecided deliveries; on PostgreSQL those no other replica holds. Ours until the commit."""
    statement = select(deliveries).where(deliveries.c.state == "new").order_by(deliveries.c.id).limit(limit)
    return [_delivery(row) for row in connection.execute(statement.with_for_update(skip_locked=True)).mappings()]


def settle(connection: Connection, settled: Iterable[tuple[int, str, str | None, str]]) -> None:
    """Mark deliveries as done: id, state, incident, outcome."""
    rows = [
        {"key": key, "state": state, "incident": incident, "outcome": text} for key, state, incident, text in settled
    ]
    if rows:
        statement = update(deliveries).where(deliveries.c.id == bindparam("key"))
        connection.execute(statement, rows)


def _reject(row: Any) -> Reject:
    return Reject(**{**row, "received_at": to_time(row["received_at"])})


def _delivery(row: Any) -> Delivery:
    return Delivery(id=row["id"], received_at=to_time(row["received_at"]), cluster=row["cluster"], body=row["body"])
