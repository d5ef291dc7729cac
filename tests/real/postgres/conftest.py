"""The same tests on a real PostgreSQL: a database of its own for each, made from one that is migrated already."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count

import pytest

from responder.store.database import Database
from responder.store.schema.migrate import migrate
from tests.support.postgres import PACKAGE, Postgres, postgres, programs

_number = count()


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """One server for the whole session; without fsync, since power is never cut. Under CI it must be there."""
    if programs() is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"sudo apt install {PACKAGE}")
    with postgres(fsync="off") as running:
        migrated = Database(running.create("migrated"))
        migrate(migrated)
        migrated.close()
        yield running


@pytest.fixture
def database_url(server: Postgres) -> Iterator[str]:
    """A migrated database of this test's own."""
    name = f"test{next(_number)}"
    yield server.create(name, template="migrated")
    server.drop(name)
