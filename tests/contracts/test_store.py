"""Guarantees of every store, with any database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from responder.model.delivery import DiagnosisRequest
from responder.model.finding import NOTHING, Finding
from responder.model.message import OutboxMessage, OutboxRow
from responder.model.report import MessageKind
from responder.notify.report.compose import compose_message as as_letter
from responder.store.database import Database, StoreError
from responder.store.inbox import history, inbox
from responder.store.inbox.inbox import Inbox, _insert_and_delete, check_write
from responder.store.incidents import incidents, pending
from responder.store.outbox import claims, outbox
from responder.store.schema import indexes
from responder.store.schema.migrate import migrate
from tests.support.builders import (
    NOW,
    a_conclusion,
    a_content,
    a_finding,
    a_subject,
    an_incident,
    some_findings,
)
from tests.support.outbox_messages import message_counts

LATER = NOW + timedelta(seconds=6)
EVERY = claims.ChannelQueue((), rest=True)


def a_draft(
    step: str = "post", ordering_key: str = "key", channel: str = "slack", priority: int = 1, due: float = 0.0
) -> OutboxMessage:
    """A message due ``due`` seconds from now."""
    return OutboxMessage(
        incident="INC-1",
        ordering_key=ordering_key,
        channel=channel,
        step=step,
        kind=MessageKind.START,
        priority=priority,
        due_at=NOW + timedelta(seconds=due),
        enrich=True,
    )


def written(database: Database, *messages: OutboxMessage) -> None:
    """Put messages into the outbox."""
    with database.write() as connection:
        outbox.write(connection, messages, NOW)


def claimed(database: Database, after: float = 0.0, limit: int = 10) -> list[OutboxRow]:
    """Claim what is due ``after`` seconds from now."""
    now = NOW + timedelta(seconds=after)
    with database.write() as connection:
        return claims.claim(connection, EVERY, now, now + timedelta(seconds=6), limit)


def test_the_migrations_make_exactly_the_tables_the_code_uses(database: Database) -> None:
    """An upgraded database and a new one are the same."""
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, indexes.metadata) == []


def test_starting_twice_migrates_once(database: Database) -> None:
    """Several workers may start at the same moment."""
    failures: list[BaseException] = []

    def start() -> None:
        try:
            migrate(database)
        except BaseException as error:  # noqa: BLE001 - the test wants to see any of them
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_kept_body_is_read_back_byte_for_byte(database: Database) -> None:
    """Triage gets the payloads as Alertmanager sent them, in order of arrival."""
    payloads = [bytes([n]) * 100 + b"\x00\xff\xe2\x80\xae" for n in range(5)]
    box = Inbox(database)
    numbers = [box.keep(body, "prod-eu", NOW) for body in payloads]
    with database.write() as connection:
        taken = inbox.oldest_undecided(connection, 10)
    assert numbers == sorted(numbers)
    assert [(each.id, each.body, each.cluster) for each in taken] == [
        (number, body, "prod-eu") for number, body in zip(numbers, payloads, strict=True)
    ]


def test_many_webhooks_at_once_each_get_their_own_id(database: Database) -> None:
    """A burst that is committed together does not mix up the incidents."""
    box = Inbox(database)
    ids: dict[bytes, int] = {}

    def send(start: int) -> None:
        for n in range(start, start + 25):
            body = str(n).encode()
            ids[body] = box.keep(body, "", NOW)

    threads = [threading.Thread(target=send, args=(100 * n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as connection:
        stored = connection.execute(text("SELECT body, notification FROM payloads")).all()
    assert len(ids) == 200
    assert {bytes(body): number for body, number in stored} == ids


def test_deliveries_become_visible_in_the_order_of_their_ids(database: Database, database_url: str) -> None:
    """Two replicas store payloads at once: none appears behind a decided one and is taken for an old one."""
    other = Database(database_url)
    seen: list[int] = []

    def send(where: Database) -> None:
        box = Inbox(where)
        for n in range(40):
            box.keep(b"%d" % n, "", NOW)

    threads = [threading.Thread(target=send, args=(where,)) for where in (database, other) for _ in range(2)]
    for thread in threads:
        thread.start()
    while len(seen) < 160:
        with database.read() as connection:
            found = [row[0] for row in connection.execute(text("SELECT id FROM notifications ORDER BY id"))]
        assert found[: len(seen)] == seen
        seen = found
    for thread in threads:
        thread.join()
    other.close()


def test_a_closed_store_refuses_with_a_reason(database: Database) -> None:
    """During shutdown Alertmanager gets an error, so that it retries."""
    database.close()
    with pytest.raises(StoreError, match="shutting down"):
        Inbox(database).keep(b"{}", "", NOW)


def test_decided_deliveries_are_not_taken_again(database: Database) -> None:
    """Each notification is decided once."""
    box = Inbox(database)
    number = box.keep(b"{}", "", NOW)
    with database.write() as connection:
        inbox.settle(connection, [(number, "decided", "INC-1", "new")])
    with database.write() as connection:
        assert inbox.oldest_undecided(connection, 10) == []
    assert [each.state for each in box.newest(10)] == ["decided"]


def test_an_aborted_decision_leaves_the_delivery_to_the_next_worker(database: Database) -> None:
    """Incident, page and decision are one transaction: all of it happens or none."""
    Inbox(database).keep(b"{}", "", NOW)

    def interrupted() -> None:
        with database.write() as connection:
            (notification,) = inbox.oldest_undecided(connection, 10)
            incidents.save(connection, [an_incident()], [])
            outbox.write(connection, [a_draft()], NOW)
            inbox.settle(connection, [(notification.id, "decided", None, "")])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with database.write() as connection:
        assert len(inbox.oldest_undecided(connection, 10)) == 1
        assert incidents.latest(connection, [an_incident().dedup_key]) == {}
    assert claimed(database, 100) == []


def test_rejected_bodies_are_counted_and_readable(database: Database) -> None:
    """Permanently refused payloads can be read, since they may never be sent again."""
    box = Inbox(database)
    number = box.set_aside(b'{"version": "3"}', 16, "10.0.0.1", 400, "$.version: is not 4", NOW)
    assert [each.id for each in box.rejected(10)] == [number]
    found = box.reject(number)
    assert found == box.rejected(10)[0]
    assert found is not None
    assert (found.body, found.status, found.error) == (b'{"version": "3"}', 400, "$.version: is not 4")


def test_whoever_asks_whether_a_body_could_be_kept_leaves_none(database: Database) -> None:
    """Readiness checks over years leave no row, and a rejected payload gets the next number."""
    box = Inbox(database)
    first = box.set_aside(b"{}", 2, "10.0.0.1", 400, "no", NOW)
    for _ in range(5):
        check_write(database)
    assert [each.id for each in box.rejected(10)] == [first]
    assert box.set_aside(b"{}", 2, "10.0.0.1", 400, "no", NOW) == first + 1


def test_replicas_ask_at_once_whether_a_body_could_be_kept(database: Database, database_url: str) -> None:
    """A readiness check that hangs makes no other one fail."""
    if database.is_sqlite:
        pytest.skip("SQLite has one writer, whose transactions end by themselves")
    other = Database(database_url, busy_seconds=0.2)
    with database.write() as connection:
        _insert_and_delete(connection)
        check_write(other)
    other.close()


def test_an_incident_comes_back_as_it_was_saved(database: Database) -> None:
    """State by comparison needs the state unharmed."""
    incident = an_incident()
    with database.write() as connection:
        incidents.save(connection, [incident], [])
    with database.read() as connection:
        assert incidents.latest(connection, [incident.dedup_key, "other"]) == {incident.dedup_key: incident}
        assert incidents.find(connection, incident.id) == incident


def test_the_open_incident_is_the_latest_whatever_the_clock_said(database: Database) -> None:
    """An incident that began after the clock was put back is found, and not the one before it."""
    before = an_incident(id="INC-1", open=False, notification=2)
    after = an_incident(id="INC-2", opened_at=before.opened_at - timedelta(hours=1), notification=3)
    with database.write() as connection:
        incidents.save(connection, [before, after], [])
    with database.read() as connection:
        assert incidents.latest(connection, [after.dedup_key]) == {after.dedup_key: after}


def test_what_happened_before_is_counted(database: Database) -> None:
    """The number of recent incidents is known for each key; old ones do not count."""
    past = [
        an_incident(id=f"INC-{age}", open=False, notification=100 - age, opened_at=NOW - timedelta(days=age))
        for age in (1, 20, 40)
    ]
    other = an_incident(id="INC-other", open=False, dedup_key="other", opened_at=NOW)
    with database.write() as connection:
        incidents.save(connection, [*past, other], [])
    key = past[0].dedup_key
    with database.read() as connection:
        assert incidents.count_by_key(connection, [key, "never"], NOW - timedelta(days=30)) == {key: 2}


def test_a_paging_channel_is_found_by_its_whole_name(database: Database) -> None:
    """An incident is known to a paging channel if that very name is among its channels, not one that contains it."""
    told = {"INC-1": ("slack",), "INC-2": ("slack", "pager"), "INC-3": ("pager-2", "a_pager"), "INC-4": ("pagerx",)}
    every = [
        replace(an_incident(), id=name, dedup_key=name, rule=name, channels=channels) for name, channels in told.items()
    ]
    with database.write() as connection:
        incidents.save(connection, every, [])
    with database.read() as connection:
        for pagers, unpaged_incidents in (
            (("pager",), {"INC-1", "INC-3", "INC-4"}),
            (("pager", "pagerx"), {"INC-1", "INC-3"}),
            (("a%pager",), set(told)),
            ((), set(told)),
        ):
            assert {rule for rule, _severity in pending.unpaged_kinds(connection, pagers)} == unpaged_incidents


def test_text_that_no_database_should_hold_loses_no_alert(database: Database) -> None:
    """A label value with the character NUL in it, in whatever column it ends up, is stored like any other."""
    box = Inbox(database)
    assert box.keep(b"{}", "prod\0eu", NOW) > 0
    box.set_aside(b"{}", 2, "10.0.0.1", 400, "$.a\0b: wrong", NOW)
    with database.write() as connection:
        incidents.save(connection, [replace(an_incident(), title="a\0b", group_key="{a='\0'}")], [])
        inbox.settle(connection, [(1, "decided", None, "because a\0b")])
        (found,) = incidents.latest(connection, [an_incident().dedup_key]).values()
    assert found.title in {"a\0b", "a\ufffdb"}


def test_nothing_leaves_before_it_is_due(database: Database) -> None:
    """A page may wait for its diagnosis until its budget, and not a moment less than written."""
    written(database, a_draft(due=8))
    assert claimed(database, 7.9) == []
    with database.read() as connection:
        due = claims.next_due(connection, EVERY, NOW)
    assert due == claims.NextDue((NOW + timedelta(seconds=8)).timestamp())
    assert len(claimed(database, 8)) == 1


def test_the_channels_of_waiting_messages_are_found(database: Database) -> None:
    """A sender learns which channels have messages that wait, due or not, and no others."""
    assert claims.waiting_channels(database) == frozenset()
    written(database, a_draft(channel="slack"), a_draft(channel="pagerduty"), a_draft(channel="a-b", due=8))
    assert claims.waiting_channels(database) == {"a-b", "pagerduty", "slack"}
    with database.write() as connection:
        (message,) = claims.claim(connection, claims.ChannelQueue(("slack",)), LATER, LATER, 1)
        outbox.sent(connection, as_letter(message, NOW), {}, LATER)
    assert claims.waiting_channels(database) == {"a-b", "pagerduty"}


def test_a_claim_is_exclusive_until_it_runs_out(database: Database) -> None:
    """Two workers do not send the same message, and a dead one does not keep it."""
    written(database, a_draft())
    (first,) = claimed(database)
    assert claimed(database, 5) == []
    (second,) = claimed(database, 6.1)
    assert (first.attempt, second.attempt) == (1, 2)


def test_a_worker_that_lost_its_claim_cannot_give_up_or_put_back(database: Database) -> None:
    """A slow worker does not overwrite what the one that took over has done."""
    written(database, a_draft())
    (first,) = claimed(database)
    (second,) = claimed(database, 6.1)
    with database.write() as connection:
        assert not outbox.schedule_retry(connection, as_letter(first, NOW), LATER, "HTTP 500", minimal=False)
        assert not outbox.give_up(connection, as_letter(first, NOW), "HTTP 400", LATER)
        assert outbox.sent(connection, as_letter(second, NOW), {"ts": "2"}, LATER)


def test_what_was_accepted_is_marked_whoever_holds_it_now(database: Database) -> None:
    """A worker that is slow to mark a message as sent still ends it: no other sends it a third time."""
    written(database, a_draft())
    (first,) = claimed(database)
    (second,) = claimed(database, 6.1)
    with database.write() as connection:
        assert outbox.sent(connection, as_letter(first, NOW), {"ts": "1"}, LATER)
        assert not outbox.sent(connection, as_letter(second, NOW), {"ts": "2"}, LATER)
    assert claimed(database, 100) == []


def test_a_claim_lasts_while_it_is_renewed(database: Database) -> None:
    """A worker that still sends says so, and no other one sends the same."""
    written(database, a_draft())
    (mine,) = claimed(database)
    with database.write() as connection:
        outbox.renew(connection, [mine], NOW + timedelta(seconds=9))
    assert claimed(database, 8.9) == []
    assert len(claimed(database, 9.1)) == 1


def test_messages_of_one_incident_and_channel_keep_their_order(database: Database) -> None:
    """The resolution never overtakes the page, even when the page must be retried."""
    written(database, a_draft("post"), a_draft("edit"), a_draft("trigger", channel="pagerduty"))
    messages = claimed(database)
    assert [(row.message.channel, row.message.step) for row in messages] == [
        ("slack", "post"),
        ("pagerduty", "trigger"),
    ]
    post, trigger = messages
    with database.write() as connection:
        outbox.sent(connection, as_letter(trigger, NOW), {}, NOW)
        outbox.schedule_retry(connection, as_letter(post, NOW), NOW + timedelta(seconds=30), "HTTP 500", minimal=False)
    assert claimed(database, 20) == []
    (retried,) = claimed(database, 30)
    with database.write() as connection:
        outbox.sent(connection, as_letter(retried, NOW), {"ts": "17.5", "channel": "C1"}, LATER)
    (edit,) = claimed(database, 31)
    assert (edit.message.step, dict(edit.previous)) == ("edit", {"ts": "17.5", "channel": "C1"})


def test_a_dead_message_does_not_block_those_behind_it(database: Database) -> None:
    """A message that Slack always rejects does not block the incident."""
    written(database, a_draft("post"), a_draft("edit"))
    (post,) = claimed(database)
    with database.write() as connection:
        outbox.give_up(connection, as_letter(post, NOW), "invalid_blocks", LATER)
    assert [row.message.step for row in claimed(database, 1)] == ["edit"]
    with database.read() as connection:
        assert message_counts(connection)["slack", "dead"] == 1


def test_each_channel_has_a_lane_of_its_own(database: Database) -> None:
    """A channel that hangs does not keep the messages of another one waiting."""
    written(database, a_draft(), a_draft("trigger", channel="pagerduty"), a_draft(channel="pigeon"))
    channel_states = (
        claims.ChannelQueue(("slack",)),
        claims.ChannelQueue(("pagerduty",)),
        claims.ChannelQueue(("slack", "pagerduty"), rest=True),
    )
    with database.write() as connection:
        taken = [
            [row.message.channel for row in claims.claim(connection, queue, NOW, LATER, 10)] for queue in channel_states
        ]
    assert taken == [["slack"], ["pagerduty"], ["pigeon"]]


def test_the_worst_severity_leaves_first(database: Database) -> None:
    """In a flood a P1 does not queue behind P4s."""
    written(database, *(a_draft(ordering_key=f"s{priority}", priority=priority) for priority in (4, 3, 1, 2)))
    assert {row.message.priority for row in claimed(database, limit=2)} == {1, 2}
    with database.read() as connection:
        left = (
            connection.execute(text("SELECT priority FROM messages WHERE attempt = 0 ORDER BY priority"))
            .scalars()
            .all()
        )
    assert left == [3, 4]


def test_findings_improve_a_page_that_is_still_here_and_release_it(database: Database) -> None:
    """The page leaves as soon as the diagnosis is done, with the diagnosis in it."""
    written(database, a_draft(due=8), a_draft("trigger", channel="pagerduty", due=8))
    bare = replace(a_content(), incident="INC-1", findings=(), conclusion=NOTHING)
    with database.write() as connection:
        incidents.save_contents(connection, [bare], (), NOW)
    with database.write() as connection:
        incidents.save_findings(connection, "INC-1", some_findings(), a_conclusion(), NOW)
        assert outbox.release(connection, "INC-1", NOW) == {"slack", "pagerduty"}
    diagnosed = replace(bare, findings=some_findings(), conclusion=replace(a_conclusion(), checked_at=NOW))
    assert [row.content for row in claimed(database)] == [diagnosed, diagnosed]


def test_findings_do_not_touch_a_page_that_has_left(database: Database) -> None:
    """A message that was sent, or is being sent, stays unchanged: late findings follow it."""
    written(database, a_draft())
    claimed(database)
    with database.write() as connection:
        assert outbox.release(connection, "INC-1", NOW) == frozenset()


def a_work() -> DiagnosisRequest:
    """A diagnosis to run."""
    return DiagnosisRequest(
        incident="INC-1",
        ordering_key="key",
        priority=1,
        probes=("health",),
        subject=a_subject(),
        channels=("slack",),
    )


def test_a_diagnosis_survives_its_worker(database: Database) -> None:
    """If a worker dies during its probes, another one restarts them."""
    with database.write() as connection:
        (mine,) = incidents.write_diagnoses(connection, [(a_work(), LATER)], NOW, NOW + timedelta(seconds=5))
        assert not incidents.any_free_diagnosis(connection, NOW)
        assert incidents.claim_diagnoses(connection, NOW, LATER, 10) == []
        incidents.renew_diagnoses(connection, [mine], NOW + timedelta(seconds=9))
        assert incidents.claim_diagnoses(connection, LATER, LATER, 10) == []
        (taken,) = incidents.claim_diagnoses(connection, NOW + timedelta(seconds=9), NOW + timedelta(seconds=14), 10)
        assert (taken.request, taken.attempt, taken.due_at) == (mine.request, 2, LATER)
        assert not incidents.finish_diagnosis(connection, mine, LATER)
        assert incidents.finish_diagnosis(connection, taken, LATER)
        assert not incidents.any_free_diagnosis(connection, NOW + timedelta(minutes=1))


def test_a_flood_of_diagnoses_is_not_hoarded_by_one_worker(database: Database) -> None:
    """Work beyond a worker's capacity is left to others, the most urgent first."""
    with database.transaction() as connection:
        due = [(a_work(), NOW + timedelta(seconds=seconds)) for seconds in (30, 8, 15)]
        (mine,) = incidents.write_diagnoses(connection, due, NOW, LATER, claims=1)
        taken = incidents.claim_diagnoses(connection, NOW, LATER, 10)
    assert mine.due_at == NOW + timedelta(seconds=8)
    assert {job.due_at for job in taken} == {NOW + timedelta(seconds=15), NOW + timedelta(seconds=30)}


def test_only_one_process_triages_at_a_time(database: Database, database_url: str) -> None:
    """Two workers do not decide the same notification, and the next one is free as soon as the first has ended."""
    other = Database(database_url)
    with database.alone("triage") as ours, other.alone("triage") as theirs:
        assert ours
        assert theirs is None
    with other.alone("triage") as theirs:
        assert theirs
    other.close()


def test_a_decision_about_a_settled_delivery_is_noticed(database: Database) -> None:
    """A decision made outside the transaction is committed only if no other process was faster."""
    box = Inbox(database)
    box.keep(b"{}", "", NOW)
    with database.read() as connection:
        batch = inbox.oldest_undecided(connection, 10)
    box.keep(b"{}", "", NOW)
    with database.transaction() as connection:
        batch += inbox.oldest_undecided(connection, 10)[1:]
        assert inbox.settle(connection, [(each.id, "decided", None, "") for each in batch])
        assert not inbox.settle(connection, [(each.id, "failed", None, "") for each in batch])


def test_a_diagnosis_that_kills_its_workers_is_left_alone(database: Database) -> None:
    """A probe that crashes the process does not do so for ever; the page has left anyway."""
    with database.write() as connection:
        incidents.write_diagnoses(connection, [(a_work(), LATER)], NOW, NOW)
        taken = [len(incidents.claim_diagnoses(connection, NOW, NOW, 10)) for _ in range(5)]
    assert taken == [1, 1, 0, 0, 0]


KEEPER = """
import sys
from datetime import UTC, datetime
from responder.store.database import Database
from responder.store.inbox.inbox import Inbox
box = Inbox(Database(sys.argv[1]))
n = 0
while True:
    n += 1
    box.keep(b"body %d" % n, "", datetime.now(UTC))
    print(n, flush=True)
"""


@pytest.fixture
def keeper(database_url: str) -> Iterator[subprocess.Popen[str]]:
    """A process that stores payloads as fast as it can and reports each."""
    process = subprocess.Popen([sys.executable, "-c", KEEPER, database_url], stdout=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.wait()


def test_nothing_acknowledged_is_lost_by_sigkill(database: Database, keeper: subprocess.Popen[str]) -> None:
    """A killed process has stored every payload that it acknowledged."""
    assert keeper.stdout is not None
    last = 0
    while last < 100:
        last = int(keeper.stdout.readline())
    os.kill(keeper.pid, signal.SIGKILL)
    last = max([last, *(int(line) for line in keeper.stdout if line.endswith("\n"))])
    keeper.stdout.close()
    with database.read() as connection:
        payloads = {bytes(row[0]) for row in connection.execute(text("SELECT body FROM payloads"))}
        assert not database.is_sqlite or connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
    assert {b"body %d" % n for n in range(1, last + 1)} <= payloads


def test_findings_come_back_whole(database: Database) -> None:
    """The sparkline of a probe survives the database."""
    finding = a_finding(points=((1.0, 2.5), (2.0, 3.5)))
    assert isinstance(finding, Finding)
    content = replace(a_content(), incident="INC-1")
    with database.write() as connection:
        incidents.save_contents(connection, [content], (), NOW)
        incidents.save_findings(connection, "INC-1", (finding,), content.conclusion, NOW)
        assert incidents.contents_of(connection, ["INC-1"])["INC-1"].findings == (finding,)


def test_incidents_of_other_groups_with_the_same_cause_are_found(database: Database) -> None:
    """The newest come first, at most as many as asked for; those of the own group, other causes and old ones do not."""
    causes = {"INC-1": "crash x", "INC-2": "crash x", "INC-3": "crash y", "INC-4": "crash x", "INC-5": "crash x"}
    keys = {"INC-5": "INC-1"}
    known = [replace(an_incident(), id=name, dedup_key=keys.get(name, name), open=name != "INC-5") for name in causes]
    with database.write() as connection:
        incidents.save(connection, known, ())
        for age, (name, cause) in enumerate(causes.items()):
            content = replace(a_content(), incident=name)
            incidents.save_contents(connection, [content], (), NOW)
            incidents.save_findings(
                connection, name, (), replace(a_conclusion(), signature=cause), NOW - timedelta(hours=age)
            )

        def found(since: timedelta, limit: int = 9) -> list[str]:
            """The ids that are found for INC-1."""
            alike = incidents.with_signature(connection, "crash x", "INC-1", NOW - since, limit)
            return [each.id for each in alike]

        assert found(timedelta(days=1)) == ["INC-2", "INC-4"]
        assert found(timedelta(days=1), limit=1) == ["INC-2"]
        assert found(timedelta(hours=2)) == ["INC-2"]
        assert incidents.with_signature(connection, "", "INC-1", NOW - timedelta(days=1), 9) == []


def test_a_notification_keeps_findings_until_the_incident_is_diagnosed_anew(database: Database) -> None:
    """Triage cannot overwrite what diagnosis found meanwhile; only a new diagnosis starts without findings."""
    found, stale = replace(a_content(), incident="INC-1"), replace(a_content(title="[P1] grown"), incident="INC-1")
    stale = replace(stale, findings=(), conclusion=NOTHING)
    with database.write() as connection:
        incidents.save_contents(connection, [found], (), NOW)
        incidents.save_contents(connection, [stale], (), NOW)
        kept = incidents.contents_of(connection, ["INC-1"])["INC-1"]
        incidents.save_contents(connection, [stale], ("INC-1",), NOW)
        anew = incidents.contents_of(connection, ["INC-1"])["INC-1"]
    assert (kept.decision.title, kept.findings) == ("[P1] grown", found.findings)
    assert anew == stale


def test_the_standing_of_a_channel_is_shared(database: Database) -> None:
    """Sent messages and unresponsive vendors are known to every replica."""
    outbox.prepare_states(database, ["slack", "pagerduty"])
    outbox.prepare_states(database, ["slack"])
    with database.transaction() as connection:
        assert outbox.lock_state(connection, "slack") == outbox.ChannelState()
        outbox.save_full_at(connection, "slack", 17.5)
        outbox.record_failing(connection, "slack", NOW)
        outbox.record_failing(connection, "slack", LATER)
        now = NOW.timestamp()
        assert outbox.state_of(connection, "slack") == outbox.ChannelState(17.5, 0.0, now)
        outbox.pause_channel(connection, "slack", now + 30, 18.5)
        assert outbox.state_of(connection, "slack") == outbox.ChannelState(18.5, now + 30, now)
        outbox.clear_failing(connection, "slack")
        assert outbox.state_of(connection, "slack").failing_since is None
        outbox.record_attempts(connection, "slack", NOW, accepted=False, failed=True)
        outbox.record_attempts(connection, "slack", LATER, accepted=True, failed=False)
        found = outbox.states_by_channel(connection)
        assert (found["slack"].failed_at, found["slack"].accepted_at) == (now, LATER.timestamp())
        assert found["pagerduty"] == outbox.ChannelState()


def test_two_replicas_give_a_channel_its_row_at_the_same_moment(database: Database) -> None:
    """Engines that start together do not stop each other."""
    failures: list[BaseException] = []

    def start() -> None:
        try:
            outbox.prepare_states(database, ["slack", "pagerduty", "log"])
        except BaseException as error:  # noqa: BLE001 - the test wants to see any of them
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_what_is_not_of_the_worst_severity_takes_only_what_is_spared(database: Database) -> None:
    """A limit leaves room for a P1 that has not happened yet."""
    written(
        database, *(a_draft(ordering_key=f"s{n}", priority=3) for n in range(4)), a_draft(ordering_key="p1", priority=1)
    )
    with database.transaction() as connection:
        taken = claims.claim(connection, EVERY, NOW, LATER, 4, 2)
        assert sorted(row.message.priority for row in taken) == [1, 3]
        assert claims.claim(connection, EVERY, NOW, LATER, 0, 0) == []


def test_what_was_received_can_be_read_again(database: Database) -> None:
    """A backtest reads history in pages and in order, and an explanation the webhooks of one incident."""
    box = Inbox(database)
    numbers = [box.keep(b"%d" % each, "eu", NOW + timedelta(hours=each)) for each in range(5)]
    with database.write() as connection:
        inbox.settle(connection, [(number, "decided", "INC-1", "") for number in numbers[1:3]])
        connection.execute(text("DELETE FROM payloads WHERE notification = :gone"), {"gone": numbers[4]})
    with database.read() as connection:
        assert (history.count(connection, None), history.count(connection, NOW + timedelta(hours=2))) == (4, 2)
        first = history.page(connection, None, 0, 3)
        rest = history.page(connection, None, first[-1].id, 3)
        late = history.page(connection, NOW + timedelta(hours=2), 0, 3)
        told = list(history.of_incident(connection, "INC-1"))
    assert [each.body for each in first + rest] == [b"0", b"1", b"2", b"3"]
    assert [each.body for each in late] == [b"2", b"3"]
    assert [(each.body, each.cluster) for each in told] == [(b"2", "eu"), (b"1", "eu")]
    assert first[1].received_at == NOW + timedelta(hours=1)
