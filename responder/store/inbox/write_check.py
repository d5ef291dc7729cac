"""Whether a webhook could be kept now: found out by a write that goes the same way to the disk."""

from __future__ import annotations

import secrets

from sqlalchemy import Connection, delete, insert

from responder.store.database import Database
from responder.store.schema.tables import rejects

_BYTES = 6000
"""As much as a small webhook: more than one page of SQLite. At random, or PostgreSQL would compress it away."""


def try_to_keep(database: Database) -> None:
    """Raise StoreError unless a body could be kept now: one is written durably, and nobody ever sees it."""
    with database.write() as connection:
        write_and_take_away(connection)


def write_and_take_away(connection: Connection) -> None:
    """Both in one transaction; under a number of its own each time, so that no replica waits for another's row."""
    number = -1 - secrets.randbits(62)
    row = {"id": number, "received_at": 0.0, "remote": "", "status": 0, "error": "", "size": 0}
    connection.execute(insert(rejects).values(**row, body=secrets.token_bytes(_BYTES)))
    connection.execute(delete(rejects).where(rejects.c.id == number))
