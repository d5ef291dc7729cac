"""Bring a database to the schema this code needs, once, whoever starts first."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from responder.store.database import Database, StoreError
from responder.store.schema.tables import HEAD, metadata

_ELSEWHERE = "set RESPONDER_DATABASE_URL as the service has it; `responder serve` makes one at its first start"


def migrate(database: Database) -> None:
    """Run what is missing. Raises StoreError where the database refuses. Safe to call at every start, by everyone."""
    if is_newest(database):
        return
    with database.migrating() as connection:
        found = revision(connection)
        if found is None:
            refuse_strangers(connection, database.name)
        if found != HEAD:
            _upgrade(connection, database.name, found)


def is_newest(database: Database) -> bool:
    """Whether nothing is missing. Raises StoreError where the database refuses."""
    with database.read() as connection:
        return revision(connection) == HEAD


def require(database: Database) -> None:
    """Raise StoreError unless the database is there and has the schema of this program."""
    if not database.exists():
        raise StoreError(f"there is no database {database.name}: {_ELSEWHERE}")
    with database.read() as connection:
        found = revision(connection)
        if found is None:
            refuse_strangers(connection, database.name)
    if found is None:
        raise StoreError(f"the database {database.name} holds nothing of responder: {_ELSEWHERE}")
    if found > HEAD:  # they are numbered: no later one, nor one of another program, can be brought up to date
        raise _unknown(database.name, found)
    if found != HEAD:
        raise StoreError(
            f"the database {database.name} has the schema {found} and this program needs {HEAD}: "
            "use the version that serves, or start `responder serve` of this one, which brings it up to date"
        )


def revision(connection: Connection) -> str | None:
    """The migration a database is at; None for one without our tables."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def refuse_strangers(connection: Connection, name: str) -> None:
    """Raise StoreError for another program's tables that would be in the way of ours half-way through."""
    taken = sorted(set(inspect(connection).get_table_names()) & set(metadata.tables))
    if taken:
        raise StoreError(
            f"the database {name} has a table {taken[0]} that responder did not make: name another in "
            "RESPONDER_DATABASE_URL"
        )


def _upgrade(connection: Connection, name: str, found: str | None) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    known = {each.revision for each in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise _unknown(name, found)
    command.upgrade(config, HEAD)


def _unknown(name: str, found: str) -> StoreError:
    return StoreError(
        f"the database {name} has the schema {found}, which this program does not know; its own is {HEAD}: "
        "start the version that made it, or name another database in RESPONDER_DATABASE_URL"
    )
