"""A database that version 0.1.0 left behind, killed while busy, is taken over by this version: nothing open is lost.

tests/fixtures/0.1.0/make.py has written it and says what happened in it.
"""

from __future__ import annotations

import gc
import json
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, inspect, text

from responder import bootstrap
from responder.bootstrap import workers
from responder.converse.timeline import timeline
from responder.engine.workers.loop_failures import LoopFailures
from responder.model.clock import Clock
from responder.settings import Settings, read
from responder.standins.slack import SlackMessage
from responder.standins.stage import Stage, stage
from responder.store.database import Database, StoreError
from responder.store.inbox.inbox import Inbox
from responder.store.incidents import records
from responder.store.schema import migrate as migration
from responder.store.schema.migrate import migrate
from responder.store.schema.tables import HEAD

ROOT = Path(__file__).parents[2]
FIXTURE = ROOT / "tests" / "fixtures" / "0.1.0"
#: What the database of 0.1.0 holds; a new fixture needs new values here.
RESOLVED_BY_WHAT_WAITS = "TargetDown"
OPENED_BY_WHAT_WAITS = {"NodeNotReady", "HighLatency"}


class Later:
    """The machine's clock, set to half a minute after the database was written."""

    def __init__(self, written_at: float) -> None:
        self._clock = bootstrap.SystemClock()
        self._ahead = datetime.fromtimestamp(written_at, UTC) + timedelta(seconds=30) - self._clock.now()

    def now(self) -> datetime:
        """The wall clock then."""
        return self._clock.now() + self._ahead

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return self._clock.monotonic()


@dataclass(frozen=True, slots=True)
class Before:
    """State that was open when 0.1.0 was killed."""

    incidents: set[str]
    undecided: set[int]
    unsent: set[int]
    undiagnosed: set[int]
    written_at: float


def before() -> Before:
    """Read by its own tables, before anything is migrated."""
    with closing(in_memory()) as rows:
        numbers = "SELECT id FROM {} WHERE state = '{}'"
        return Before(
            {each for (each,) in rows.execute("SELECT id FROM incidents WHERE open")},
            {each for (each,) in rows.execute(numbers.format("deliveries", "new"))},
            {each for (each,) in rows.execute(numbers.format("messages", "waiting"))},
            {each for (each,) in rows.execute(numbers.format("studies", "waiting"))},
            rows.execute("SELECT max(received_at) FROM deliveries").fetchone()[0],
        )


def in_memory() -> sqlite3.Connection:
    """The database of 0.1.0, for reading."""
    connection = sqlite3.connect(":memory:")
    connection.executescript((FIXTURE / "sqlite.sql").read_text())
    return connection


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Path of a copy of the database."""
    path = tmp_path / "old.db"
    with closing(in_memory()) as source, closing(sqlite3.connect(path)) as target:
        source.backup(target)
    return f"sqlite:///{path}"


@pytest.fixture
def theatre(tmp_path: Path) -> Iterator[Stage]:
    """Stand-ins, of which Slack knows the messages that 0.1.0 has sent; rules with those of the fixture."""
    rules = Path(shutil.copytree(ROOT / "rules", tmp_path / "rules"))
    shutil.copy(FIXTURE / "07-fixture.yaml", rules)
    with stage(tmp_path, rules=rules, runbooks=ROOT / "runbooks") as found, closing(in_memory()) as rows:
        refs = [
            json.loads(ref) for (ref,) in rows.execute("SELECT ref FROM messages WHERE channel = 'slack' AND ref > ''")
        ]
        found.slack.messages += [SlackMessage(ref["channel"], ref["ts"], "", "", [], 0.0) for ref in refs]
        yield found


@contextmanager
def working(settings: Settings, database: Database, clock: Clock) -> Iterator[Callable[[], None]]:
    """The engine of this version; calling the yielded function triggers it."""
    first = bootstrap.loaded(settings, bootstrap.channels(settings))
    engine = workers._engine(settings, database, first, clock, lambda: None, LoopFailures(clock))
    engine.start()
    try:
        yield engine.wake
        assert engine.alive
    finally:
        engine.stop(4.0)
        for each in gc.get_objects():  # the engine leaves its connections to the end of its process
            if type(each).__name__ in {"Outgoing", "Patient"}:
                each.close()


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.05)


#: Tables of 0.1.0, by the names that migration 0005 gave them; the counters are known to be dropped.
FORMER_NAMES = {"notifications": "deliveries", "payloads": "bodies", "diagnoses": "studies", "channel_states": "lanes"}
#: What must be the same after each migration, with the columns that tell the rows apart.
KEPT = {
    "incidents": "id, dedup_key, group_key, severity, open, opened_at, resolved_at",
    "messages": "id, incident, channel, step, state, due_at, attempt, ref, error, written_at, ended_at",
    "notifications": "id, state, incident, outcome",
    "payloads": "body",
    "diagnoses": "id, incident, state, due_at",
    "rejects": "id, status, error, body",
    "gathered_groups": "dedup_key, incident",
    "heartbeats": "cluster, seen_at",
    "floods": "severity",
    "timers": "name, due_at",
    "channel_states": "channel, failing_since",
}
#: Rows of the fixture, in the order of KEPT.
ROWS = dict(zip(KEPT, (13, 54, 23, 23, 10, 1, 2, 1, 2, 7, 3), strict=True))


def held(connection: Connection) -> dict[str, list[str]]:
    """Rows of each table, under its name of now."""
    there = set(inspect(connection).get_table_names())
    names = {name: name if name in there else FORMER_NAMES[name] for name in KEPT}
    rows = {name: connection.execute(text(f"SELECT {KEPT[name]} FROM {table}")) for name, table in names.items()}
    return {name: sorted(str(tuple(row)) for row in found) for name, found in rows.items()}


def test_each_migration_keeps_every_row(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Incidents, messages, dead letters, notifications and the rest are the same after each migration, one by one."""
    database = Database(url)
    versions = sorted(each.name[1:5] for each in Path(migration.__file__).parent.glob("migrations/versions/m*.py"))
    assert versions[-1] == HEAD
    with database.read() as connection:
        first = held(connection)
    assert {name: len(rows) for name, rows in first.items()} == ROWS
    for version in versions:
        with monkeypatch.context() as then:
            then.setattr(migration, "HEAD", version)
            migrate(database)
        with database.read() as connection:
            assert migration.revision(connection) == version
            assert held(connection) == first, version
    with database.read() as connection:
        for (number,) in connection.execute(text("SELECT id FROM incidents")).all():
            found = records.of_incident(connection, number)
            assert found is not None
            shown = Counter(each.kind.value for each in timeline(found))
            states = Counter(each.state for each in found.messages)
            assert (shown["sent"], shown["failed"]) == (states["sent"], states["dead"]), number
    database.close()


def test_an_older_version_refuses_a_newer_database(url: str) -> None:
    """After a downgrade the start is refused in one sentence that names the ways out, and nothing is changed."""
    database = Database(url)
    migrate(database)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with database.read() as connection:
        newer = held(connection)
    with pytest.raises(StoreError, match=r"has schema 9999, .*: start the version that migrated it, or restore"):
        migrate(database)
    with database.read() as connection:
        assert (migration.revision(connection), held(connection)) == ("9999", newer)
    database.close()


def test_nothing_open_is_lost(url: str, theatre: Stage) -> None:
    """Open incidents stay open, waiting messages are sent, stored notifications are decided, diagnoses are ended."""
    old = before()
    assert len(old.incidents) == 11
    assert (len(old.undecided), len(old.unsent), len(old.undiagnosed)) == (3, 9, 1)
    settings = read({**theatre.settings, "RESPONDER_DATABASE_URL": url})
    database = Database(url)
    migrate(database)
    clock = Later(old.written_at)

    def run(sql: str) -> list[tuple[Any, ...]]:
        with database.read() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    def pending() -> list[tuple[Any, ...]]:
        return [
            *run("SELECT id FROM notifications WHERE state = 'new'"),
            *run("SELECT id FROM messages WHERE state = 'waiting'"),
            *run("SELECT id FROM diagnoses WHERE state = 'waiting'"),
        ]

    try:
        with working(settings, database, clock) as wake:
            until(lambda: not pending())
            states = dict(run("SELECT id, state FROM messages"))
            assert {number: states[number] for number in old.unsent} == dict.fromkeys(old.unsent, "sent")
            decided = dict(run("SELECT id, state FROM notifications"))
            assert {decided[number] for number in old.undecided} == {"decided"}
            keys = dict(run("SELECT id, dedup_key FROM incidents"))
            still = {each for (each,) in run("SELECT id FROM incidents WHERE open")}
            titles = dict(run("SELECT id, group_key FROM incidents"))
            [over] = old.incidents - still
            assert RESOLVED_BY_WHAT_WAITS in titles[over]
            new = still - old.incidents
            assert {name for name in OPENED_BY_WHAT_WAITS if any(name in titles[each] for each in new)} == (
                OPENED_BY_WHAT_WAITS
            )
            _resolve(database, clock, run, wake)
            database_0 = next(each for each in old.incidents if '"database-0"' in titles[each])
            until(lambda: _resolved(theatre, keys[database_0]))
    finally:
        database.close()


def _resolve(
    database: Database, clock: Clock, run: Callable[[str], list[tuple[Any, ...]]], wake: Callable[[], None]
) -> None:
    """Let Alertmanager resolve an incident that 0.1.0 paged for."""
    bodies = (bytes(body) for (body,) in run("SELECT body FROM payloads ORDER BY notification"))
    notification = json.loads(next(each for each in bodies if b'"database-0"' in each))
    notification["status"] = "resolved"
    for alert in notification["alerts"]:
        alert |= {"status": "resolved", "endsAt": clock.now().isoformat()}
    Inbox(database).keep(json.dumps(notification).encode(), "", clock.now())
    wake()


def _resolved(theatre: Stage, key: str) -> bool:
    """PagerDuty got the resolve under the key that 0.1.0 paged with."""
    return any((each.action, each.dedup_key) == ("resolve", key) for each in theatre.pagerduty.events)
