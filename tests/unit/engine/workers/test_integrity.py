"""Damage in the file of SQLite is found, logged and named by /readyz."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from structlog.testing import capture_logs

from responder.engine.workers.integrity import IntegrityCheck
from responder.model.secret import Secret
from responder.store.database import Database, StoreError
from responder.store.inbox.inbox import Inbox
from responder.store.schema.tables import payloads
from responder.web import health
from responder.web.app import create_app, guard
from responder.web.metrics import StoreCollector
from tests.conftest import HandClock
from tests.support.builders import NOW


@pytest.fixture
def damaged(database: Database) -> Database:
    """A database in which a page of payloads is overwritten, far from where the next ones go."""
    for _ in range(40):
        Inbox(database).keep(b"x" * 1000, "", NOW)
    file = Path(database.name)
    database.close()
    with contextlib.closing(sqlite3.connect(file)) as connection:
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'payloads'").fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        leaf = int.from_bytes(read(file, (root - 1) * size + 24, 2))
        child = int.from_bytes(read(file, (root - 1) * size + leaf, 4))
    with file.open("r+b") as page:
        page.seek((child - 1) * size)
        page.write(b"\xff")  # the type of the page, which there is not: a wrong place of a row is not always noticed
    return Database(f"sqlite:///{file}", create=False)


def read(file: Path, offset: int, count: int) -> bytes:
    """Some bytes of a file."""
    with file.open("rb") as source:
        source.seek(offset)
        return source.read(count)


@pytest.fixture
def client(damaged: Database, clock: HandClock) -> FlaskClient:
    """The health routes over the damaged file."""
    metrics = StoreCollector(database=damaged, clock=clock)
    config = health.HealthConfig(guard=guard(Secret(""), Secret("")), database=damaged, clock=clock, metrics=metrics)
    return create_app(health.blueprint(config)).test_client()


def test_damage_is_found_after_the_start(damaged: Database, client: FlaskClient, clock: HandClock) -> None:
    """A file that still takes notifications is unready once its damage is known, and the log has it once."""
    assert client.get("/readyz").status_code == 200
    check = IntegrityCheck(damaged, clock)
    with capture_logs() as log:
        for _ in range(20):
            check.step()
    assert [each["event"] for each in log] == ["database.damaged"]
    assert "table payloads is damaged" in log[0]["reason"]
    clock.move(2)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.text.count("\n")) == (503, 1)
    assert "table payloads is damaged" in answer.text
    assert "restore a backup" in answer.text


def test_damage_that_a_query_meets_is_named(damaged: Database, client: FlaskClient, clock: HandClock) -> None:
    """An error while running makes the instance unready for good, although the next write succeeds."""
    with pytest.raises(StoreError, match="malformed"), damaged.read() as connection:
        connection.execute(select(payloads)).fetchall()
    clock.move(2)
    answer = client.get("/readyz")
    assert (answer.status_code, "malformed" in answer.text) == (503, True)


def test_a_sound_file_is_left_alone(database: Database, clock: HandClock) -> None:
    """Nothing is logged about a file without damage."""
    check = IntegrityCheck(database, clock)
    with capture_logs() as log:
        for _ in range(20):
            check.step()
    assert (log, database.damage) == ([], "")
