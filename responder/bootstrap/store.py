"""Open the database: migrated for `serve`, unchanged for commands."""

import contextlib
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from responder.bootstrap.environment import SystemClock
from responder.model.clock import Clock
from responder.settings import Settings

if TYPE_CHECKING:
    from responder.engine.jobs.retention import RetentionJob
    from responder.store.database import Database

#: How long a start waits for another process that migrates the database.
MIGRATE_SECONDS = 60.0

#: How long a command may take to look at what a database holds, and waits for others that write.
LOOK_SECONDS = 60.0


def prepare_store(settings: Settings) -> None:
    """Bring the database to the newest schema, then let go of it. Raises StoreError."""
    from responder.store.database import Database
    from responder.store.schema.migrate import migrate

    with contextlib.closing(Database(settings.database_url.reveal(), busy_seconds=MIGRATE_SECONDS)) as database:
        migrate(database)


def check_store(settings: Settings) -> None:
    """Raise StoreError if the service could not use the database. Creates and migrates nothing."""
    from responder.store.database import Database, StoreError
    from responder.store.schema.migrate import known_revision, refuse_unusable

    with contextlib.closing(Database(settings.database_url.reveal(), create=False)) as database:
        if database.exists():
            refuse_unusable(database)
            known_revision(database)
        elif not os.access(Path(database.name).parent, os.W_OK | os.X_OK):
            raise StoreError(f"database {database.name}: no folder in which this user can create it")


def join_store(settings: Settings) -> None:
    """Prepare the store before the fork. Claims of dead processes are released if no other process runs."""
    from responder.store.database import Database
    from responder.store.maintenance import clock_correction
    from responder.store.schema import tables

    with contextlib.closing(Database(settings.database_url.reveal())) as found, found.joining() as alone:
        if alone:
            with found.transaction() as connection:
                for table in (tables.messages, tables.diagnoses):
                    clock_correction.shorten(connection, table, SystemClock().now(), timedelta())


@contextlib.contextmanager
def store_prepared_aside(settings: Settings) -> Iterator[None]:
    """Bring the database to the newest schema in a child process while the body runs; only before threads start.

    The memory of the migration ends with the child. Raises StoreError, at the latest at the end of the body.
    """
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    from responder.store.database import Database
    from responder.store.schema.migrate import is_newest, refuse_unusable

    with contextlib.closing(Database(settings.database_url.reveal())) as database:
        refuse_unusable(database)
        newest = is_newest(database)
    if newest:
        yield
        return
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as child:
        migration = child.submit(prepare_store, settings)
        yield
        migration.result()


@contextlib.contextmanager
def database(settings: Settings) -> "Iterator[Database]":
    """Open the database for commands, which neither create nor migrate it. Raises StoreError."""
    from responder.store.database import Database
    from responder.store.schema.migrate import require

    with contextlib.closing(Database(settings.database_url.reveal(), busy_seconds=LOOK_SECONDS)) as found:
        require(found)
        yield found


def back_up(settings: Settings, target: Path, seconds: float) -> None:
    """Copy the database, of any version, to a new file within ``seconds``. Raises StoreError."""
    from responder.store.database import Database

    with contextlib.closing(Database(settings.database_url.reveal())) as found:
        found.back_up(target, os.environ, seconds)


def retention(settings: Settings, database: "Database", clock: Clock) -> "RetentionJob":
    """Build the retention job."""
    from responder.engine.jobs.retention import RetentionJob

    return RetentionJob(database, clock, timedelta(days=settings.retention_days), settings.max_database_bytes)
