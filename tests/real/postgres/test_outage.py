"""A PostgreSQL that ends sessions, restarts, freezes or is turned read-only: refused in time, then as before."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from responder.store.database import Database, StoreError
from responder.store.inbox import inbox
from responder.store.inbox.inbox import Inbox
from responder.store.schema.migrate import migrate
from tests.real.conftest import until
from tests.support.builders import NOW
from tests.support.postgres import Postgres, postgres

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def own(server: Postgres) -> Iterator[Postgres]:  # noqa: ARG001 - it says whether PostgreSQL is installed
    """A server that may be broken."""
    with postgres() as running:
        yield running


@pytest.fixture
def database(own: Postgres) -> Iterator[Database]:
    """A database on it, with little patience."""
    name = f"outage{time.monotonic_ns()}"
    found = Database(own.create(name), busy_seconds=1.0)
    migrate(found)
    yield found
    found.close()


def test_a_restart_of_the_server_costs_nothing_but_a_refusal(database: Database, own: Postgres) -> None:
    """While PostgreSQL is down webhooks get 503 with a reason; when it is back they are stored, without a restart."""
    box = Inbox(database)
    first = box.keep(b"one", "", NOW)
    own.stop()
    with pytest.raises(StoreError, match="refused"):
        box.keep(b"two", "", NOW)
    own.start()
    assert box.keep(b"three", "", NOW) > first
    with database.read() as connection:
        assert [each.body for each in inbox.oldest_undecided(connection, 10)] == [b"one", b"three"]


def test_a_restart_between_two_webhooks_is_not_even_noticed(database: Database, own: Postgres) -> None:
    """Idle connections that broke are replaced before they are used."""
    box = Inbox(database)
    box.keep(b"one", "", NOW)
    own.restart()
    assert box.keep(b"two", "", NOW) > 0


def test_a_killed_server_has_kept_what_was_acknowledged(database: Database, own: Postgres) -> None:
    """A PostgreSQL that loses power while webhooks arrive has every one that got 202."""
    box = Inbox(database)
    kept: list[bytes] = []
    stopping = threading.Event()

    def send() -> None:
        while not stopping.is_set():
            body = b"%d" % len(kept)
            try:
                box.keep(body, "", NOW)
            except StoreError:
                return
            kept.append(body)

    sender = threading.Thread(target=send)
    sender.start()
    until(lambda: len(kept) >= 50)
    own.kill()
    stopping.set()
    sender.join()
    own.start()
    with database.read() as connection:
        assert {each.body for each in inbox.oldest_undecided(connection, 10_000)} >= set(kept)


def test_a_frozen_server_is_given_up_in_time(database: Database, own: Postgres) -> None:
    """A server that keeps its connections and answers nothing holds a webhook for seconds, not for ever."""
    box = Inbox(database)
    box.keep(b"one", "", NOW)
    own.freeze()
    try:
        began = time.monotonic()
        with pytest.raises(StoreError, match=r"no answer|timeout"):
            box.keep(b"two", "", NOW)
        assert time.monotonic() - began < 10
    finally:
        own.thaw()
    assert box.keep(b"three", "", NOW) > 0


def test_a_turn_whose_connection_dies_writes_nothing(database: Database, own: Postgres) -> None:
    """A process that lost the triage lock while computing cannot commit its result."""
    Inbox(database).keep(b"{}", "", NOW)
    with database.read() as connection:
        batch = inbox.oldest_undecided(connection, 10)

    def decide_late() -> None:
        with database.alone("triage") as adjustment:
            assert adjustment
            own.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'")
            with database.alone("triage") as another:
                assert another, "the turn is free at once"
            with adjustment.transaction() as connection:
                inbox.settle(connection, [(batch[0].id, "decided", None, "")])

    with pytest.raises(StoreError, match="terminat"):
        decide_late()
    with database.read() as connection:
        assert len(inbox.oldest_undecided(connection, 10)) == 1


def test_a_server_that_became_read_only_is_left(database: Database, own: Postgres) -> None:
    """After a failover connections to the old primary are dropped, and the next ones find the new one."""
    box = Inbox(database)
    box.keep(b"one", "", NOW)
    own.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    own.execute("SELECT pg_reload_conf()")
    try:
        until(lambda: _refused(box, "read-only"))
    finally:
        own.execute("ALTER SYSTEM RESET default_transaction_read_only")
        own.execute("SELECT pg_reload_conf()")
    until(lambda: not _refused(box, ""))


def _refused(box: Inbox, reason: str) -> bool:
    try:
        box.keep(b"two", "", NOW)
    except StoreError as error:
        return reason in str(error)
    return False


def test_a_stuck_neighbour_costs_a_refusal(database: Database) -> None:
    """Waiting for a lock that is held too long ends with a reason."""
    number = Inbox(database).keep(b"{}", "", NOW)
    with database.write() as holder:
        inbox.settle(holder, [(number, "decided", None, "")])
        with pytest.raises(StoreError, match="timeout"), database.write() as connection:
            inbox.settle(connection, [(number, "failed", None, "")])


def test_news_of_a_commit_reaches_the_other_replica_at_once(database: Database, own: Postgres) -> None:
    """A notification stored by one replica triggers the others, also after their listening connection was lost."""
    heard: list[str] = []
    listener = database.listener(heard.append)
    assert listener
    listener.step()
    heard.clear()
    Inbox(database).keep(b"{}", "", NOW)
    began = time.monotonic()
    listener.step()
    assert heard == ["notifications"]
    assert time.monotonic() - began < 0.4
    own.restart()
    with pytest.raises(StoreError):
        listener.step()
    heard.clear()
    listener.step()
    assert heard == ["actions", "diagnoses", "messages", "notifications"], "something may have been missed meanwhile"
    listener.close()


@pytest.mark.usefixtures("server")
def test_a_failover_to_a_synchronous_standby_loses_nothing() -> None:
    """The primary dies, the standby is promoted: what was acknowledged is there, and webhooks go on by themselves."""
    with postgres() as primary, postgres(follows=primary) as standby:
        primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.execute("SELECT pg_reload_conf()")
        primary.create("outage")
        database = Database(primary.url_with(standby, "outage"), busy_seconds=1.0)
        migrate(database)
        box = Inbox(database)
        kept = [box.keep(b"%d" % n, "", NOW) for n in range(20)]
        primary.kill()
        with pytest.raises(StoreError, match=r"refused|read-only"):
            box.keep(b"while nobody is primary", "", NOW)
        standby.promote()
        until(lambda: not _refused(box, ""))
        with database.read() as connection:
            assert [each.id for each in inbox.oldest_undecided(connection, 20)] == kept
        database.close()
