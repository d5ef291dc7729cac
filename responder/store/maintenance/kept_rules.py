"""The last valid revision of the rules, in force where the rule files are invalid."""

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from responder.model.rule_text import RuleText
from responder.store.database import Database
from responder.store.schema.serialization import from_bytes, to_bytes, to_seconds
from responder.store.schema.tables import kept_rules

#: Id of the only row.
_ONLY = 1


def save(database: Database, text: RuleText, now: datetime) -> None:
    """Store a revision in place of the one before. Raises StoreError."""
    with database.read() as connection:
        if _last(connection) == text:
            return
    row = {"id": _ONLY, "revision": text.revision, "kept_at": to_seconds(now), "content": to_bytes(text)}
    with database.transaction() as connection:
        connection.execute(delete(kept_rules))
        connection.execute(insert(kept_rules), row)


def load(database: Database) -> RuleText | None:
    """The stored revision, None if there is none. Raises StoreError."""
    with database.read() as connection:
        return _last(connection)


def revision(database: Database) -> str:
    """Return the stored revision, empty if there is none. Raises StoreError."""
    with database.read() as connection:
        return connection.execute(select(kept_rules.c.revision)).scalar_one_or_none() or ""


def _last(connection: Connection) -> RuleText | None:
    content = connection.execute(select(kept_rules.c.content)).scalar_one_or_none()
    return None if content is None else from_bytes(RuleText, content)
