"""A database of an earlier version becomes one of this version, with what it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, text

from responder.model.report import NO_FACTS
from responder.store.database import Database
from responder.store.outbox import dead_letters, outbox
from responder.store.schema import migrate, tables
from responder.store.schema.serialization import to_bytes

VERSION_0_1_0 = "0002"


def test_a_database_of_0_1_0_loses_its_counters_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counters are no longer in the database; when a channel last accepted and failed is kept with the channel."""
    database = Database(f"sqlite:///{tmp_path / 'responder.db'}")
    with monkeypatch.context() as old:
        old.setattr(migrate, "HEAD", VERSION_0_1_0)
        migrate.migrate(database)
    with database.write() as connection:
        assert "tallies" in inspect(connection).get_table_names()
        for channel in ("slack", "pagerduty"):
            connection.execute(
                text("INSERT INTO lanes (channel, full_at, paused_until, failing_since) VALUES (:name, 1, 2, 3)"),
                {"name": channel},
            )
        for name, labels, value in (
            ("responder_channel_last_success_timestamp_seconds", "slack", 17.5),
            ("responder_channel_last_failure_timestamp_seconds", "slack", 18.5),
            ("responder_incidents", "P1\x1fopened", 4.0),
        ):
            connection.execute(
                text("INSERT INTO tallies (name, labels, value) VALUES (:name, :labels, :value)"),
                {"name": name, "labels": labels, "value": value},
            )
    migrate.migrate(database)
    with database.read() as connection:
        assert migrate.revision(connection) == tables.HEAD
        assert "tallies" not in inspect(connection).get_table_names()
        assert outbox.states_by_channel(connection) == {
            "slack": outbox.ChannelState(1.0, 2.0, 3.0, accepted_at=17.5, failed_at=18.5),
            "pagerduty": outbox.ChannelState(1.0, 2.0, 3.0),
        }
    database.close()


def test_messages_of_earlier_versions_have_no_kind_of_channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that waits in a database of the schema before 0009 is read as one of an unknown kind."""
    database = Database(f"sqlite:///{tmp_path / 'responder.db'}")
    with monkeypatch.context() as old:
        old.setattr(migrate, "HEAD", "0008")
        migrate.migrate(database)
    columns: dict[str, Any] = dict.fromkeys(("priority", "attempt", "due_at", "claimed_until", "written_at"), 1)
    columns |= {"enrich": False, "minimal": False, "state": "waiting", "kind": "start", "facts": to_bytes(NO_FACTS)}
    columns |= {"incident": "INC-1", "ordering_key": "a", "channel": "gone", "step": "trigger"}
    names = ", ".join(columns)
    with database.write() as connection:
        connection.execute(text(f"INSERT INTO messages ({names}) VALUES (:{', :'.join(columns)})"), columns)
    migrate.migrate(database)
    with database.read() as connection:
        (row,) = dead_letters.newest(connection, 10)
    assert (row.channel, row.channel_kind) == ("gone", "")
    database.close()
