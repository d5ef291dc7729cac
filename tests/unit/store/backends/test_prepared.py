"""Statements that the driver of SQLite executes."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import bindparam, select
from sqlalchemy.exc import IntegrityError

from responder.store.backends.prepared import Prepared
from responder.store.backends.sqlite import DRIVER
from responder.store.database import Database
from responder.store.outbox import outbox
from responder.store.schema.migrate import migrate
from responder.store.schema.tables import channel_states

_NAMED = select(channel_states.c.channel).where(
    channel_states.c.channel.in_(bindparam("names", expanding=True)),
    channel_states.c.paused_until.in_([0.0, 1.0]),
    channel_states.c.full_at >= bindparam("least"),
)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """A migrated database with seven channels."""
    made = Database(f"sqlite:///{tmp_path / 'responder.db'}")
    migrate(made)
    outbox.prepare_states(made, [f"channel-{number}" for number in range(7)])
    return made


def test_a_list_of_any_length_finds_what_sqlalchemy_finds(database: Database) -> None:
    """None, a few that are no power of two, and more than SQLite takes as parameters of one text."""
    prepared = Prepared(_NAMED.order_by(channel_states.c.channel))
    for count in (0, 1, 3, 5, 7, 300):
        names = [f"channel-{number}" for number in range(count)]
        with database.read() as connection:
            rows = prepared.rows(connection, {"names": names, "least": 0.0})
        assert [row["channel"] for row in rows] == names[:7]


def test_a_row_that_breaks_a_constraint_is_an_error_of_the_program(database: Database) -> None:
    """Such an error is not retried for ever as one of the disk would be: it ends the process, which starts anew."""
    add = Prepared(channel_states.insert())
    row = {"channel": "channel-0", "full_at": 0.0, "paused_until": 0.0}
    with pytest.raises((DRIVER.IntegrityError, IntegrityError)), database.transaction() as connection:
        add.change(connection, [row])


def test_constants_are_in_the_text_and_quoted(database: Database) -> None:
    """SQLite plans a statement once, and a name of any characters stays a value."""
    name = "it's: 100 % ?"
    outbox.prepare_states(database, [name])
    prepared = Prepared(_NAMED.where(channel_states.c.channel == name).limit(2))
    with database.read() as connection:
        assert [row["channel"] for row in prepared.rows(connection, {"names": [name], "least": 0.0})] == [name]
    (text,) = prepared._texts.values()
    assert [place for place, _index in text.places][:2] == ["names", "least"]  # then the OFFSET of 0
