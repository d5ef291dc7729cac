"""A trial write that takes the same path to the disk as a webhook."""

import secrets

from sqlalchemy import Connection, delete, insert

from responder.store.database import Database
from responder.store.schema.tables import notifications, payloads, rejects

#: Size of a small webhook: more than one page of SQLite. Random, since PostgreSQL compresses other data.
_BODY_BYTES = 6000


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
