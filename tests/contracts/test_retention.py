"""Retention guarantees of every store: only finished rows are deleted, the oldest first, and enough of them."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from responder.engine.jobs.retention import RetentionJob
from responder.model.clock import Deadline
from responder.model.flood import FloodCounter
from responder.model.message import OutboxRow
from responder.notify.report.compose import compose_message
from responder.store.database import Database
from responder.store.inbox import inbox
from responder.store.inbox.inbox import Inbox
from responder.store.incidents import detectors, incidents
from responder.store.maintenance.retention import POLICIES, SMALL, used
from responder.store.outbox import claims, outbox
from responder.store.outbox.claims import ChannelQueue
from responder.store.schema.tables import metadata
from tests.conftest import HandClock
from tests.contracts.test_store import a_draft, a_work
from tests.support.builders import NOW, a_content, an_incident

LONG_AGO = NOW - timedelta(days=100)
EVERY = ChannelQueue((), rest=True)
PATIENT = Deadline(float("inf"))


def rows(database: Database, sql: str) -> list[tuple[Any, ...]]:
    """Rows of the database."""
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(text(sql))]


def swept(database: Database, clock: HandClock, most_bytes: int = 10**12) -> dict[str, int]:
    """Prune with 90 days to keep; the number of deleted rows by table."""
    retention = RetentionJob(database, clock, timedelta(days=90), most_bytes)
    gone = [*retention.by_age(clock.now() - timedelta(days=90), PATIENT), *retention.by_size(PATIENT)]
    return {pruned.table: pruned.rows for pruned in gone if pruned.rows}


def an_old_incident(database: Database, name: str = "INC-1", *, at: datetime = LONG_AGO, over: bool = True) -> None:
    """An incident with everything that belongs to it: a decided notification, two sent messages, findings."""
    number = Inbox(database).keep(b"x" * 5000, "", at)
    incident = replace(
        an_incident(), id=name, dedup_key=name, open=not over, resolved_at=at if over else None, notification=number
    )
    with database.transaction() as connection:
        inbox.settle(connection, [(number, "decided", name, "new")])
        incidents.save(connection, [incident], [])
        work = replace(a_work(), incident=name)
        for job in incidents.write_diagnoses(connection, [(work, at)] * 2, at, at, claims=2):
            incidents.finish_diagnosis(connection, job, at)
        incidents.save_contents(connection, [replace(a_content(), incident=name)], (), at)
    told(database, name, at)


def told(database: Database, name: str, at: datetime) -> None:
    """Three sent messages, the first of which the others answer to."""
    messages = [
        replace(a_draft(step, ordering_key=name), incident=name, due_at=at) for step in ("post", "edit", "reply")
    ]
    with database.transaction() as connection:
        outbox.write(connection, messages, at)
    for n in range(len(messages)):
        with database.transaction() as connection:
            for row in claims.claim(connection, EVERY, at, at, 10):
                outbox.sent(connection, compose_message(row, at), {"ts": "17.5"} if n == 0 else {}, at)


def test_every_table_that_grows_is_pruned() -> None:
    """Every new table declares its retention."""
    beside = {policy.beside.name for policy in POLICIES.values() if policy.beside is not None}
    assert set(metadata.tables) == set(POLICIES) | beside | SMALL


def test_what_is_over_and_old_goes_with_all_that_belongs_to_it(database: Database, clock: HandClock) -> None:
    """After the retention time nothing is left of an incident: no body, no message, no findings."""
    an_old_incident(database)
    Inbox(database).set_aside(b"{}", 2, "10.0.0.1", 400, "wrong", LONG_AGO)
    assert swept(database, clock) == {
        "rejects": 1,
        "notifications": 1,
        "diagnoses": 2,
        "messages": 3,
        "incidents": 1,
    }
    assert rows(database, "SELECT notification FROM payloads") == []


def test_what_is_young_stays(database: Database, clock: HandClock) -> None:
    """Last month's alerts are there for a backtest."""
    an_old_incident(database, at=NOW - timedelta(days=89))
    assert swept(database, clock) == {}


def test_an_open_incident_keeps_what_its_next_message_needs(database: Database, clock: HandClock) -> None:
    """However old it is, its resolution finds the Slack thread, the incident's content and the findings."""
    an_old_incident(database, over=False)
    assert swept(database, clock) == {"notifications": 1, "diagnoses": 2, "messages": 2}
    assert rows(database, "SELECT step FROM messages ORDER BY id") == [("post",)]
    with database.write() as connection:
        assert set(incidents.latest(connection, ["INC-1"])) == {"INC-1"}
        assert incidents.contents_of(connection, ["INC-1"]) == {"INC-1": replace(a_content(), incident="INC-1")}
        outbox.write(connection, [replace(a_draft("edit", ordering_key="INC-1"), incident="INC-1")], NOW)
        (row,) = claims.claim(connection, EVERY, NOW, NOW, 10)
    assert row.previous == {"ts": "17.5"}


def the_next(database: Database, name: str) -> OutboxRow:
    """Another message of it, claimed by a sender."""
    with database.write() as connection:
        outbox.write(connection, [replace(a_draft("edit", ordering_key=name), incident=name)], NOW)
        (row,) = claims.claim(connection, EVERY, NOW, NOW + timedelta(minutes=1), 10)
    return row


@pytest.mark.parametrize("most_bytes", [1, 10**12])
def test_a_digest_that_is_on_keeps_what_its_next_message_needs(
    database: Database, clock: HandClock, most_bytes: int
) -> None:
    """However long a flood lasts, its updates and its end find the thread that its digest began."""
    for name in ("FLOOD-P1-ON", "FLOOD-P1-OVER"):
        told(database, name, LONG_AGO)
    with database.write() as connection:
        detectors.save_floods(
            connection, [FloodCounter(severity="P1", digest="FLOOD-P1-ON"), FloodCounter(severity="P2")]
        )
    assert swept(database, clock, most_bytes) == {"messages": 5}
    kept = rows(database, "SELECT incident, step FROM messages ORDER BY id")
    assert kept == [("FLOOD-P1-ON", "post")]
    assert the_next(database, "FLOOD-P1-ON").previous == {"ts": "17.5"}


def test_an_end_that_was_not_told_yet_keeps_what_it_answers_to(database: Database, clock: HandClock) -> None:
    """An old incident that resolves while Slack is down is updated in its thread later, and then deleted."""
    an_old_incident(database)
    told(database, "FLOOD-P1-OVER", LONG_AGO)
    ends = [the_next(database, name) for name in ("INC-1", "FLOOD-P1-OVER")]
    assert swept(database, clock)["messages"] == 4
    with database.write() as connection:
        for end in ends:
            row = claims.peek(connection, end.id)
            assert row is not None
            assert row.previous == {"ts": "17.5"}
            outbox.sent(connection, compose_message(row, NOW), {}, NOW)
    assert swept(database, clock)["messages"] == 2


def test_nothing_undecided_unsent_or_under_study_goes(database: Database, clock: HandClock) -> None:
    """Waiting work is never deleted, however old it is."""
    Inbox(database).keep(b"{}", "", LONG_AGO)
    with database.write() as connection:
        incidents.save(connection, [replace(an_incident(), id="INC-1", open=False, resolved_at=LONG_AGO)], [])
        outbox.write(connection, [a_draft()], LONG_AGO)
        incidents.write_diagnoses(connection, [(a_work(), LONG_AGO)], LONG_AGO, LONG_AGO)
    assert swept(database, clock, most_bytes=1) == {}


def test_a_message_and_a_diagnosis_that_were_given_up_go(database: Database, clock: HandClock) -> None:
    """Dead messages and diagnoses that killed their workers are shown for 90 days, not for ever."""
    with database.write() as connection:
        outbox.write(connection, [a_draft()], LONG_AGO)
        (row,) = claims.claim(connection, EVERY, NOW, NOW, 10)
        outbox.give_up(connection, compose_message(row, NOW), "invalid_blocks", LONG_AGO)
        incidents.write_diagnoses(connection, [(a_work(), LONG_AGO)], LONG_AGO, LONG_AGO)
        for _ in range(2):
            incidents.claim_diagnoses(connection, NOW, NOW, 10)
    assert swept(database, clock) == {"diagnoses": 1, "messages": 1}


def test_where_room_is_short_the_oldest_bodies_go_first(database: Database, clock: HandClock) -> None:
    """A storm deletes old payloads before anything else, and the newest hour is never touched."""
    an_old_incident(database, at=NOW - timedelta(days=30))
    chance = random.Random(1)
    box = Inbox(database)
    numbers = [box.keep(chance.randbytes(5000), "", NOW - timedelta(minutes=60 + 60 * n)) for n in range(200, -1, -1)]
    with database.write() as connection:
        inbox.settle(connection, [(number, "decided", None, "new") for number in numbers])
    with database.read() as connection:
        full = used(connection, 0)
    gone = swept(database, clock, most_bytes=full - 40_000)
    assert set(gone) == {"notifications"}
    assert 20 < gone["notifications"] < 150
    left = [row[0] for row in rows(database, "SELECT id FROM notifications ORDER BY id")]
    assert left == numbers[gone["notifications"] - 1 :]
    assert rows(database, "SELECT count(*) FROM payloads") == [(len(left),)]
    with database.read() as connection:
        assert used(connection, 0) < full - 40_000


def test_an_incident_of_today_stays_whatever_the_room(database: Database, clock: HandClock) -> None:
    """The next notification of a group is compared with its latest incident: it must not be gone."""
    an_old_incident(database, at=NOW - timedelta(hours=23))
    assert swept(database, clock, most_bytes=1) == {"notifications": 1}


def test_what_would_go_is_what_goes(database: Database, clock: HandClock) -> None:
    """Looking first shows the same rows and bytes as doing it."""
    for n in range(60):
        an_old_incident(database, f"INC-{n}")
    an_old_incident(database, "INC-open", over=False)
    retention = RetentionJob(database, clock, timedelta(days=90), 10**12)
    before = NOW - timedelta(days=90)
    would = retention.would(before)
    assert sum(pruned.rows for pruned in would) == 60 * 7 + 5
    assert list(retention.by_age(before, PATIENT)) == would
    assert sum(pruned.rows for pruned in retention.would(before)) == 0


def test_pruning_stops_in_time(database: Database) -> None:
    """A turn has an end; what is left waits for the next one."""

    class Ticking(HandClock):
        def monotonic(self) -> float:
            self.move(0.001)
            return super().monotonic()

    for n in range(20):
        an_old_incident(database, f"INC-{n}")
    gone = list(RetentionJob(database, Ticking(), timedelta(days=90), 10**12).by_age(NOW, Deadline(0.005)))
    assert 0 < sum(pruned.rows for pruned in gone) < 20 * 7


@pytest.mark.parametrize("most_bytes", [1, 10**12])
def test_the_job_does_both(database: Database, clock: HandClock, most_bytes: int) -> None:
    """Every few minutes one process prunes by age and by size."""
    an_old_incident(database)
    RetentionJob(database, clock, timedelta(days=90), most_bytes).run()
    assert rows(database, "SELECT count(*) FROM notifications") == [(0,)]
