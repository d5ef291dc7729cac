"""Migration of a database to the schema of this version, once, by the process that starts first."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from responder.store.database import RIGHTS, Database, StoreError
from responder.store.schema.tables import HEAD, metadata

#: Names that earlier migrations create before a later one renames or drops them.
FORMER_TABLES = ("deliveries", "bodies", "studies", "lanes", "tallies")
_ELSEWHERE = "set RESPONDER_DATABASE_URL as for the service; `responder serve` creates one at its first start"


def migrate(database: Database) -> None:
    """Run missing migrations. Raises StoreError for database errors. Safe to call at every start, by every process."""
    refuse_unusable(database)
    if is_newest(database):
        return
    with database.migrating() as connection:
        found = revision(connection)
        if found is None:
            refuse_foreign_tables(connection, database.name)
        if found != HEAD:
            _upgrade(connection, database.name, found)


def refuse_unusable(database: Database) -> None:
    """Raise StoreError for what shows only after connecting: a pooler in transaction mode, or missing rights."""
    database.refuse_pooler()
    if database.is_sqlite:
        return
    lacking = text(
        "SELECT t || ' (' || p || ')' FROM unnest(CAST(:tables AS text[])) t, unnest(CAST(:rights AS text[])) p "
        "WHERE to_regclass(t) IS NOT NULL AND NOT has_table_privilege(to_regclass(t)::oid, p)"
    )
    with database.read() as connection:
        given = {"tables": sorted(metadata.tables), "rights": "{SELECT,INSERT,UPDATE,DELETE}"}
        missing = connection.execute(lacking, given).scalars().all()
    if missing:
        raise StoreError(f"database: no right to {missing[0]} and {len(missing) - 1} others; {RIGHTS}")


def is_newest(database: Database) -> bool:
    """Return True if no migration is missing. Raises StoreError for database errors."""
    with database.read() as connection:
        return revision(connection) == HEAD


def require(database: Database) -> None:
    """Raise StoreError unless the database exists and has the schema of this version."""
    if not database.exists():
        raise StoreError(f"there is no database {database.name}: {_ELSEWHERE}")
    found = known_revision(database)
    if found is None:
        raise StoreError(f"the database {database.name} has no tables of responder: {_ELSEWHERE}")
    if found != HEAD:
        raise StoreError(
            f"the database {database.name} has schema {found} and this version needs {HEAD}: "
            "use the version that serves, or start `responder serve` of this version, which migrates it"
        )


def known_revision(database: Database) -> str | None:
    """Return the migration of a database; None if it has no tables. Raises StoreError for what cannot be migrated."""
    with database.read() as connection:
        found = revision(connection)
        if found is None:
            refuse_foreign_tables(connection, database.name)
    if found is not None and found > HEAD:  # numbered: a later schema, or that of another program
        raise _unknown(database.name, found)
    return found


def revision(connection: Connection) -> str | None:
    """Return the migration of a database; None if it has no tables of responder."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def refuse_foreign_tables(connection: Connection, name: str) -> None:
    """Raise StoreError if another program's tables would collide with those of responder."""
    taken = sorted(set(inspect(connection).get_table_names()) & {*metadata.tables, *FORMER_TABLES})
    if taken:
        raise StoreError(
            f"the database {name} has a table {taken[0]} that responder did not create: name another in "
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
        f"the database {name} has schema {found}, which this version does not know; its own is {HEAD}: "
        "start the version that migrated it, or restore the backup made before the upgrade, or name another database "
        "in RESPONDER_DATABASE_URL"
    )
