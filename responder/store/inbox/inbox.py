"""Webhook payloads: committed before they are acknowledged, read by triage, stored apart if rejected."""

import secrets
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from responder.model.delivery import Notification
from responder.store.backends.prepared import Prepared
from responder.store.database import Database, StoreError
from responder.store.schema.serialization import to_seconds, to_time
from responder.store.schema.tables import notifications, payloads, rejects

#: Notifications of one commit.
BATCH = 200
#: Bytes of a rejected payload that are stored.
REJECT_BYTES = 256 * 1024


_NEW = notifications.c.state == "new"
WHOLE = select(notifications, payloads.c.body).join(payloads, payloads.c.notification == notifications.c.id)
_SETTLE = Prepared(
    update(notifications)
    .where(notifications.c.id == bindparam("key"), _NEW)
    .values(state=bindparam("now"), incident=bindparam("incident"), outcome=bindparam("outcome"))
)
#: Size of a small webhook: more than one page of SQLite. Random, since PostgreSQL compresses other data.
_BODY_BYTES = 6000


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedPayload:
    """An authenticated payload that was rejected; ``body`` is cut to REJECT_BYTES, ``size`` is the full size."""

    id: int
    received_at: datetime
    remote: str
    status: int
    error: str
    size: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationSummary:
    """A notification without its payload. ``incident`` and ``outcome`` are empty before it is decided."""

    id: int
    received_at: datetime
    cluster: str
    state: str
    incident: str
    outcome: str


#: Seconds that a request waits for the one that commits its row.
PATIENCE_SECONDS = 5.0


class ClientGoneError(Exception):
    """The client closed the connection before its notification was committed; nothing was stored."""


class _PendingInsert:
    """A request that waits for its row to be durable; the one with ``leads`` commits for all waiting requests."""

    __slots__ = ("body", "error", "gone", "id", "leads", "row", "woken")

    def __init__(self, row: dict[str, Any], body: bytes, gone: Callable[[], bool]) -> None:
        self.row = row
        self.body = body
        self.gone = gone
        self.id: int | None = None
        self.error: StoreError | ClientGoneError | None = None
        self.leads = False
        self.woken = threading.Event()


class Inbox:
    """The store of notifications.

    ``keep`` groups commits: one request writes all waiting rows in one transaction, so that a burst of webhooks costs
    one fsync instead of one each. Then the first of those that arrived meanwhile does the same.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_PendingInsert] = []
        self._led = False
        self._guard = threading.Lock()

    def keep(self, body: bytes, cluster: str, received_at: datetime, gone: Callable[[], bool] = lambda: False) -> int:
        """Commit a payload and return the notification's id.

        ``gone`` is called immediately before the commit. Raises ClientGoneError if it returns True, and StoreError if
        the database does not respond in time.
        """
        row = {"received_at": to_seconds(received_at), "cluster": cluster, "state": "new"}
        pending = _PendingInsert(row, body, gone)
        with self._guard:
            self._waiting.append(pending)
            pending.leads, self._led = not self._led, True
        if not pending.leads and not pending.woken.wait(PATIENCE_SECONDS):
            self._withdraw(pending)
        if pending.leads:
            self._commit_waiting()
        if pending.error is not None:
            raise pending.error
        if pending.id is None:
            raise StoreError("the database did not respond in time")
        return pending.id

    def _withdraw(self, pending: _PendingInsert) -> None:
        with self._guard:
            if pending in self._waiting and not pending.leads:
                self._waiting.remove(pending)

    def _commit_waiting(self) -> None:
        with self._guard:
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
        wanted = list[_PendingInsert]()
        try:
            for pending in batch:
                if pending.gone():
                    pending.error = ClientGoneError()
                else:
                    wanted.append(pending)
            rows, blobs = [pending.row for pending in wanted], [pending.body for pending in wanted]
            ids = self._database.append(rows, notifications, blobs, payloads) if wanted else []
            for pending, number in zip(wanted, ids, strict=True):
                pending.id = number
        except StoreError as error:
            for pending in wanted:
                pending.error = error
        finally:
            self._pass_on(batch)

    def _pass_on(self, batch: list[_PendingInsert]) -> None:
        with self._guard:
            next_leader = self._waiting[:1]
            self._led = bool(next_leader)
            for pending in next_leader:
                pending.leads = True
        for pending in (*next_leader, *batch):
            pending.woken.set()

    def set_aside(self, body: bytes, size: int, remote: str, status: int, error: str, received_at: datetime) -> int:
        """Store a rejected payload, to be shown and replayed. Raises StoreError."""
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

    def rejected(self, limit: int, before: int | None = None) -> tuple[RejectedPayload, ...]:
        """Return the newest rejected payloads first, from below the id ``before``."""
        found = select(rejects).order_by(rejects.c.id.desc()).limit(limit)
        if before is not None:
            found = found.where(rejects.c.id < before)
        with self._database.read() as connection:
            return tuple(_reject(row) for row in connection.execute(found).mappings())

    def reject(self, number: int) -> RejectedPayload | None:
        """Return a rejected payload by its id."""
        with self._database.read() as connection:
            row = connection.execute(select(rejects).where(rejects.c.id == number)).mappings().first()
            return _reject(row) if row else None

    def newest(self, limit: int) -> tuple[NotificationSummary, ...]:
        """Return the newest notifications first."""
        with self._database.read() as connection:
            rows = connection.execute(select(notifications).order_by(notifications.c.id.desc()).limit(limit)).mappings()
            return tuple(
                NotificationSummary(
                    id=row["id"],
                    received_at=to_time(row["received_at"]),
                    cluster=row["cluster"],
                    state=row["state"],
                    incident=row["incident"] or "",
                    outcome=row["outcome"] or "",
                )
                for row in rows
            )

    def find(self, number: int) -> Notification | None:
        """Return a notification by its id."""
        with self._database.read() as connection:
            return find(connection, number)


@cache
def _oldest_new(limit: int) -> Prepared:
    return Prepared(WHOLE.where(_NEW).order_by(notifications.c.id).limit(limit))


def oldest_undecided(connection: Connection, limit: int, most_bytes: int = sys.maxsize) -> list[Notification]:
    """Return the oldest undecided notifications: up to ``limit``, and up to the first that reaches ``most_bytes``."""
    found, size = list[Notification](), 0
    for row in _oldest_new(limit).rows(connection, {}):
        found.append(notification_of(row))
        size += len(found[-1].body)
        if size >= most_bytes:
            break
    return found


def find(connection: Connection, number: int) -> Notification | None:
    """Return a notification by its id; None if it is no longer stored."""
    row = connection.execute(WHOLE.where(notifications.c.id == number)).mappings().first()
    return notification_of(row) if row else None


def oldest_new(connection: Connection) -> datetime | None:
    """Return when the oldest undecided notification arrived; None if all are decided."""
    oldest = select(notifications.c.received_at).where(_NEW).order_by(notifications.c.id).limit(1)
    found = connection.execute(oldest).scalar()
    return None if found is None else to_time(found)


def settle(connection: Connection, settled: Iterable[tuple[int, str, str | None, str]]) -> bool:
    """Mark notifications as decided: id, state, incident, outcome. False if one already was: then roll back.

    This is the fence of a decision that was made outside the transaction.
    """
    rows = [{"key": key, "now": state, "incident": incident, "outcome": text} for key, state, incident, text in settled]
    return not rows or _SETTLE.change(connection, rows) == len(rows)


def _reject(row: Any) -> RejectedPayload:
    return RejectedPayload(**{**row, "received_at": to_time(row["received_at"])})


def notification_of(row: Any) -> Notification:
    """Return the notification of a row of ``WHOLE``."""
    return Notification(id=row["id"], received_at=to_time(row["received_at"]), cluster=row["cluster"], body=row["body"])


def check_write(database: Database) -> None:
    """Raise StoreError unless a payload could be stored now. The trial row is never visible to readers."""
    with database.write() as connection:
        _insert_and_delete(connection)


def _insert_and_delete(connection: Connection) -> None:
    """Insert and delete a row in one transaction; a random id keeps replicas from waiting for each other."""
    number = -1 - secrets.randbits(62)
    refused = {"received_at": 0.0, "remote": "", "status": 0, "error": "", "size": 0, "body": b""}
    connection.execute(insert(notifications).values(id=number, received_at=0.0, cluster="", state="new"))
    connection.execute(insert(payloads).values(notification=number, body=secrets.token_bytes(_BODY_BYTES)))
    connection.execute(insert(rejects).values(id=number, **refused))
    for table in (rejects, payloads, notifications):
        connection.execute(delete(table).where(table.primary_key.columns[0] == number))
