"""Triage and diagnosis over a real database: what one step commits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from responder.diagnose.contract import ProbeContext, ProbeQuestion
from responder.engine.effects.context import DecisionContext
from responder.engine.workers.diagnosis import LATER, DiagnosisWorker
from responder.engine.workers.triage import BATCH, BATCH_BYTES, IncidentWriter, TriageWorker
from responder.model.clock import Deadline
from responder.model.clue import Clue, Role
from responder.model.delivery import DiagnosisJob, DiagnosisRequest
from responder.model.finding import Finding, Verdict
from responder.model.rule import ProbeSpec, SeverityFrom
from responder.model.secret import Secret
from responder.notify.channels.slack_pictures import SlackPictures
from responder.store.database import Database
from responder.store.inbox import inbox
from responder.store.inbox.inbox import Inbox
from responder.store.incidents import incidents
from responder.store.outbox import claims, outbox
from tests.conftest import HandClock
from tests.support.outbox_messages import claimed
from tests.unit.engine.test_pipeline import EVERYTHING, a_desk
from tests.unit.receive.test_alertmanager import a_body, an_alert, to_bytes

LABELS = {"alertname": "ServiceDown", "service": "plato", "severity": "critical"}
FIRING = an_alert(labels=LABELS)
OVER = an_alert(labels=LABELS, status="resolved", endsAt="2026-11-23T10:00:00Z")
ANEW = an_alert(labels=LABELS, startsAt="2026-11-23T10:01:00Z")


class Shop:
    """A triage and a diagnosis whose steps a test takes by hand."""

    def __init__(self, database: Database, clock: HandClock) -> None:
        self.database = database
        self.clock = clock
        self.inbox = Inbox(database)
        self.context: DecisionContext = a_desk()
        self.begun: list[DiagnosisJob] = []
        self.ended = threading.Semaphore(0)
        self.asked: list[tuple[ProbeQuestion, ...]] = []
        self.clue: Clue | None = None
        self.points: tuple[tuple[float, float], ...] = ()
        self.on_diagnosed: Callable[[DiagnosisRequest], None] = lambda _work: None
        self.diagnosis = DiagnosisWorker(
            database,
            lambda: self.context,
            self,  # type: ignore[arg-type]
            clock,
            on_end=self.ended.release,
            on_page=lambda _channels: None,
            on_diagnosed=self._diagnosed,
        )
        self.triage = TriageWorker(
            IncidentWriter(database, clock, self._follow, self.diagnosis.free_slots), lambda: self.context
        )

    def _follow(self, begun: list[DiagnosisJob], _told: Collection[str]) -> None:
        self.begun.extend(begun)

    def _diagnosed(self, work: DiagnosisRequest) -> None:
        self.on_diagnosed(work)

    def deliver(self, *payloads: dict[str, Any]) -> None:
        """Store payloads and decide all of them."""
        for body in payloads:
            self.inbox.keep(to_bytes(body), "", self.clock.now())
        while self.triage.step() == 0.0:
            pass

    def run(self, questions: tuple[ProbeQuestion, ...], _deadline: Deadline) -> tuple[Finding, ...]:
        """The prober: everything is bad."""
        self.asked.append(questions)
        return tuple(
            Finding(
                probe=question.probe,
                kind=question.kind,
                target=question.target,
                verdict=Verdict.BAD,
                headline="plato: refused after 1 ms",
                query=question.query,
                clue=self.clue,
                points=self.points,
            )
            for question in questions
        )

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the database."""
        with self.database.read() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]


@pytest.fixture
def shop(database: Database, clock: HandClock) -> Iterator[Shop]:
    """A shop of its own."""
    found = Shop(database, clock)
    yield found
    found.diagnosis.close()


def test_one_delivery_commits_incident_pages_and_work_together(shop: Shop) -> None:
    """The page's row, the incident, the diagnosis and the decided notification are committed together."""
    shop.deliver(a_body(alerts=[FIRING]))
    assert shop.rows("SELECT state FROM notifications") == [("decided",)]
    assert shop.rows("SELECT open, severity FROM incidents") == [(1, "P1")]
    assert shop.rows("SELECT channel, step, enrich FROM messages ORDER BY id") == [
        ("pagerduty", "trigger", 1),
        ("slack", "post", 1),
        ("slack", "details", 1),
    ]
    assert [job.attempt for job in shop.begun] == [1]


def test_a_backlog_keeps_its_order(shop: Shop) -> None:
    """Notifications that waited during downtime are decided as if they had arrived one by one."""
    shop.deliver(*[a_body(alerts=[FIRING])] * 3, a_body(alerts=[OVER], status="resolved"), a_body(alerts=[ANEW]))
    outcomes = [row[0] for row in shop.rows("SELECT outcome FROM notifications ORDER BY id")]
    words = ("new", "again", "repeated", "resolved")
    assert [word for outcome in outcomes for word in words if f"; {word}:" in outcome] == [
        "new",
        "repeated",
        "repeated",
        "resolved",
        "again",
    ]


def test_an_incident_may_end_and_return_in_one_batch(shop: Shop) -> None:
    """A flapping alert neither stops the queue nor opens a second incident."""
    shop.deliver(a_body(alerts=[FIRING]))
    shop.deliver(a_body(alerts=[OVER], status="resolved"), a_body(alerts=[ANEW]))
    assert shop.rows("SELECT open, flaps FROM incidents") == [(1, 1)]
    assert shop.rows("SELECT step FROM messages WHERE channel = 'pagerduty' ORDER BY id") == [
        ("trigger",),
        ("resolve",),
        ("trigger",),
    ]


def test_an_incident_may_end_and_another_begin_in_one_batch(shop: Shop) -> None:
    """An alert that fires long after the resolve is a new incident, also if both notifications waited together."""
    shop.deliver(a_body(alerts=[FIRING]))
    shop.inbox.keep(to_bytes(a_body(alerts=[OVER], status="resolved")), "", shop.clock.now())
    shop.clock.move(3600)
    shop.deliver(a_body(alerts=[ANEW]))
    assert shop.rows("SELECT open FROM incidents ORDER BY notification") == [(0,), (1,)]


def test_the_page_says_when_it_happened_before(shop: Shop) -> None:
    """The third page for the same cause says so and names the earlier incident."""
    for day in range(3):
        alert = an_alert(labels=LABELS, startsAt=f"{shop.clock.now():%FT%TZ}")
        shop.deliver(a_body(alerts=[alert]))
        shop.clock.move(42 * 60)
        over = alert | {"status": "resolved", "endsAt": f"{shop.clock.now():%FT%TZ}"}
        shop.deliver(a_body(alerts=[over], status="resolved"))
        shop.clock.move(86400 * (day + 1))
    first, second, third = (row[0] for row in shop.rows("SELECT id FROM incidents ORDER BY notification"))
    with shop.database.read() as connection:
        said = {
            name: content.decision.history
            for name, content in incidents.contents_of(connection, [first, second, third]).items()
        }
    assert said == {
        first: "",
        second: f"once in 30 days, last {first} at 2026-02-28 02:41 UTC for 42 minutes",
        third: f"2 times in 30 days, last {second} at 2026-03-01 03:23 UTC for 42 minutes",
    }


def test_a_doubt_survives_a_restart(shop: Shop) -> None:
    """A peer's contradiction of a resolve is stored, with the time of its decision."""
    shop.deliver(a_body(alerts=[FIRING]), a_body(alerts=[OVER], status="resolved"), a_body(alerts=[FIRING]))
    assert shop.rows("SELECT open, review_at IS NOT NULL FROM incidents") == [(0, 1)]


def test_more_than_a_batch_is_decided_batch_by_batch(shop: Shop) -> None:
    """Every notification of a storm is decided."""
    shop.deliver(*(a_body(alerts=[FIRING], groupKey=f"g{n}") for n in range(BATCH + 1)))
    assert shop.rows("SELECT state, count(*) FROM notifications GROUP BY state") == [("decided", BATCH + 1)]
    assert shop.rows("SELECT count(*) FROM incidents WHERE open") == [(BATCH + 1,)]


def test_a_batch_of_large_payloads_ends_early(shop: Shop) -> None:
    """Groups of thousands of alerts are not all in memory at once; the rest follows without a rest."""
    for number in range(3):
        large = {**FIRING, "annotations": {"description": "x" * (BATCH_BYTES // 2)}}
        shop.inbox.keep(to_bytes(a_body(alerts=[large], groupKey=f"g{number}")), "", shop.clock.now())
    assert shop.triage.step() == 0.0
    assert shop.rows("SELECT count(*) FROM notifications WHERE state = 'decided'") == [(2,)]
    assert shop.triage.step() > 0.0
    assert shop.rows("SELECT count(*) FROM notifications WHERE state = 'decided'") == [(3,)]


def test_a_delivery_that_breaks_triage_does_not_stop_those_behind_it(shop: Shop) -> None:
    """The broken one is paged as such, the next one as usual."""
    shop.inbox.keep(b"not what the receiver lets through", "", shop.clock.now())
    shop.deliver(a_body(alerts=[FIRING]))
    assert shop.rows("SELECT state FROM notifications ORDER BY id") == [("failed",), ("decided",)]
    assert shop.rows("SELECT count(*) FROM messages WHERE channel = 'pagerduty'") == [(2,)]


def test_a_bug_in_a_rule_is_paged(shop: Shop) -> None:
    """On any failure of triage the alert is still paged."""
    shop.context = a_desk(replace(EVERYTHING, severity="P9"))
    shop.deliver(a_body(alerts=[FIRING]))
    assert shop.rows("SELECT state FROM notifications") == [("failed",)]
    assert shop.rows("SELECT channel FROM messages ORDER BY id")[0] == ("pagerduty",)


def finished(shop: Shop) -> None:
    """Wait until no diagnosis is under way."""
    for _ in range(500):
        if not shop.rows("SELECT 1 FROM diagnoses WHERE state = 'waiting'"):
            return
        shop.diagnosis.step()
        time.sleep(0.01)
    pytest.fail("the diagnosis did not end")


def test_the_findings_are_in_the_page_and_release_it(shop: Shop) -> None:
    """The page leaves when the probes have answered, with the answers, and before its budget."""
    shop.deliver(a_body(alerts=[FIRING]))
    shop.clock.move(0.5)
    shop.diagnosis.begin(shop.begun)
    finished(shop)
    with shop.database.write() as connection:
        now = shop.clock.now()
        messages = claimed(connection, claims.ChannelQueue(("pagerduty",)), now, now + timedelta(seconds=6), 10)
    assert "refused after 1 ms" in messages[0].report.conclusion.likely
    assert messages[0].due_at == now


@pytest.mark.parametrize("points", [((0.0, 1.0), (60.0, 2.0)), ()])
def test_a_picture_follows_the_page_into_its_thread(shop: Shop, points: tuple[tuple[float, float], ...]) -> None:
    """A finding with a range writes one picture beside the page, which gets the place of the page once it is sent."""
    name = "slack.pictures"
    pictures = SlackPictures(Secret("t"), "https://slack.com", name=name)
    shop.context = replace(shop.context, channels={**shop.context.channels, name: pictures})
    shop.points = points
    shop.deliver(a_body(alerts=[FIRING]))
    shop.diagnosis.begin(shop.begun)
    finished(shop)
    with shop.database.write() as connection:
        now = shop.clock.now()
        (page, *_) = claimed(connection, claims.ChannelQueue(("slack",)), now, now + timedelta(seconds=6), 1)
        outbox.sent(connection, page, {"channel": "C1", "ts": "1.2"}, now)
        sent = claimed(connection, claims.ChannelQueue((name,)), now, now + timedelta(seconds=6), 10)
    assert [each.previous for each in sent] == ([{"channel": "C1", "ts": "1.2"}] if points else [])
    assert all(each.report.findings[0].points == points for each in sent)


def test_findings_that_are_late_follow_the_page(shop: Shop) -> None:
    """Findings after the page was sent follow as an update."""
    shop.deliver(a_body(alerts=[FIRING]))
    shop.clock.move(8)
    with shop.database.write() as connection:
        now = shop.clock.now()
        claims.claim(connection, claims.ChannelQueue((), rest=True), now, now + timedelta(seconds=6), 10)
    shop.diagnosis.begin(shop.begun)
    finished(shop)
    assert shop.rows("SELECT channel, step FROM messages WHERE attempt = 0 ORDER BY id") == [
        ("slack", "details"),
        ("pagerduty", "trigger"),
    ]


def test_late_findings_open_nothing_at_pagerduty_that_is_over(shop: Shop) -> None:
    """Findings after the resolve are no trigger: PagerDuty would open a new incident for it."""
    shop.deliver(a_body(alerts=[FIRING]))
    shop.clock.move(8)
    with shop.database.write() as connection:
        now = shop.clock.now()
        claims.claim(connection, claims.ChannelQueue((), rest=True), now, now + timedelta(seconds=6), 10)
    shop.deliver(a_body(alerts=[OVER], status="resolved"))
    shop.diagnosis.begin(shop.begun)
    finished(shop)
    steps = shop.rows("SELECT step FROM messages WHERE channel = 'pagerduty' ORDER BY id")
    assert steps == [("trigger",), ("resolve",)]


def test_a_dead_workers_diagnosis_is_taken_over(shop: Shop) -> None:
    """Another worker begins the probes again when the first one shows no sign of life."""
    shop.deliver(a_body(alerts=[FIRING]))
    shop.diagnosis.step()
    assert shop.asked == []
    shop.clock.move(5.1)
    shop.diagnosis.step()
    finished(shop)
    assert len(shop.asked) == 1


def test_a_living_workers_diagnosis_is_left_to_it(shop: Shop) -> None:
    """While a worker renews its claim no other repeats its probes."""
    shop.deliver(a_body(alerts=[FIRING]))
    (mine,) = shop.begun
    for _ in range(4):
        shop.clock.move(3)
        with shop.database.write() as connection:
            incidents.renew_diagnoses(connection, [mine], shop.clock.now() + timedelta(seconds=5))
        shop.diagnosis.step()
    assert shop.asked == []


def test_a_page_with_its_findings_leaves_before_we_look_for_other_work(shop: Shop) -> None:
    """Work left behind by another worker waits briefly for a ready page, and no longer."""
    shop.diagnosis.step()
    shop.deliver(a_body(alerts=[FIRING]))
    (mine,), now = shop.begun, shop.clock.now()
    with shop.database.write() as connection:
        incidents.write_diagnoses(connection, [(mine.request, now)], now, now, claims=0)
    shop.diagnosis.begin([mine])
    assert shop.ended.acquire(timeout=10)
    assert shop.diagnosis.step() == LATER
    assert shop.rows("SELECT DISTINCT enrich FROM messages WHERE channel = 'pagerduty'") == [(0,)]
    assert len(shop.asked) == 1
    shop.diagnosis.step()
    assert shop.ended.acquire(timeout=10)
    assert len(shop.asked) == 2


def test_the_probes_of_a_page_are_planned_once(shop: Shop) -> None:
    """Triage needs the names of the probes that can run; diagnosis uses the same plan."""
    planned: list[str] = []
    tcp = shop.context.probe_kinds["tcp"]

    def questions(probe: ProbeSpec[Any], probe_context: ProbeContext) -> tuple[ProbeQuestion, ...]:
        planned.append(probe_context.subject.name)
        return tcp.questions(probe, probe_context)

    shop.context = replace(shop.context, probe_kinds={"tcp": replace(tcp, questions=questions)})
    shop.deliver(a_body(alerts=[FIRING]))
    shop.diagnosis.begin(shop.begun)
    assert shop.ended.acquire(timeout=10)
    assert len(shop.asked) == 1
    assert planned == ["plato"]


def test_a_decision_that_another_process_was_faster_with_leaves_nothing(shop: Shop) -> None:
    """A notification that two processes decided pages once."""
    number = shop.inbox.keep(to_bytes(a_body(alerts=[FIRING])), "", shop.clock.now())
    context = shop.context

    def meanwhile() -> DecisionContext:
        with shop.database.write() as connection:
            inbox.settle(connection, [(number, "decided", None, "by the other one")])
        return context

    TriageWorker(IncidentWriter(shop.database, shop.clock, shop._follow, shop.diagnosis.free_slots), meanwhile).step()
    assert shop.rows("SELECT outcome FROM notifications") == [("by the other one",)]
    assert [shop.rows(f"SELECT id FROM {table}") for table in ("incidents", "messages", "diagnoses")] == [[], [], []]
    assert shop.begun == []


@pytest.mark.parametrize("apart", [True, False], ids=["later", "in the same batch"])
def test_what_becomes_a_p1_is_told_within_the_budget_of_a_p1(shop: Shop, apart: bool) -> None:
    """The wait for a page's diagnosis follows its current severity, not its first, milder one."""
    by_label = SeverityFrom(
        names=("severity",), mapping={"critical": "P1", "warning": "P2"}, unknown="P4", otherwise="P4"
    )
    shop.context = a_desk(replace(EVERYTHING, severity=by_label))
    mild = an_alert(labels={**LABELS, "severity": "warning"})
    worse = an_alert(labels={**LABELS, "pod": "plato-2"}, fingerprint="c0ffee")
    began = shop.clock.now()
    shop.inbox.keep(to_bytes(a_body(alerts=[mild])), "", began)
    if apart:
        shop.triage.step()
        assert {name: priority for name, priority, _ in pages(shop, began)}["pagerduty"] == 2
    shop.clock.move(1)
    shop.inbox.keep(to_bytes(a_body(alerts=[mild, worse])), "", shop.clock.now())
    shop.triage.step()
    assert {due for _, _, due in pages(shop, began)} == {9.0}
    assert ("pagerduty", 1, 9.0) in pages(shop, began)


def test_what_follows_a_p1_at_once_does_not_give_it_more_time(shop: Shop) -> None:
    """Two notifications decided together, the first a rise to P1: the page before them leaves as the P1 demands."""
    by_label = SeverityFrom(
        names=("severity",), mapping={"critical": "P1", "warning": "P2"}, unknown="P4", otherwise="P4"
    )
    shop.context = a_desk(replace(EVERYTHING, severity=by_label))
    mild = an_alert(labels={**LABELS, "severity": "warning"})
    worse = [an_alert(labels={**LABELS, "pod": pod}, fingerprint=pod) for pod in ("a", "b")]
    began = shop.clock.now()
    shop.deliver(a_body(alerts=[mild]))
    shop.clock.move(1)
    shop.deliver(a_body(alerts=[mild, worse[0]]), a_body(alerts=[mild, *worse]))
    assert {due for _, _, due in pages(shop, began)} == {9.0}


def test_what_comes_back_as_a_p1_is_told_within_the_budget_of_a_p1(shop: Shop) -> None:
    """A page that waits for its diagnosis though its incident is resolved delays no other page."""
    by_label = SeverityFrom(
        names=("severity",), mapping={"critical": "P1", "warning": "P2"}, unknown="P4", otherwise="P4"
    )
    shop.context = a_desk(replace(EVERYTHING, severity=by_label))
    mild = an_alert(labels={**LABELS, "severity": "warning"})
    began = shop.clock.now()
    shop.deliver(a_body(alerts=[mild]))
    shop.clock.move(1)
    over = {**mild, "status": "resolved", "endsAt": shop.clock.now().isoformat()}
    shop.deliver(a_body(alerts=[over], status="resolved"))
    shop.clock.move(1)
    again = shop.clock.now().isoformat()
    shop.deliver(a_body(alerts=[{**ANEW, "fingerprint": "c0ffee", "startsAt": again}]))
    assert {(priority, due) for channel, priority, due in pages(shop, began) if channel == "pagerduty"} == {(1, 10.0)}


def pages(shop: Shop, began: datetime) -> list[tuple[str, int, float]]:
    """The pages that wait for their diagnosis: channel, rank, seconds from ``began`` until they are due."""
    rows = shop.rows("SELECT channel, priority, due_at FROM messages WHERE enrich AND attempt = 0 ORDER BY id")
    return [(channel, priority, round(due_at - began.timestamp(), 3)) for channel, priority, due_at in rows]


def test_a_delivery_from_before_the_clock_was_put_back_is_due_as_if_it_came_now(shop: Shop) -> None:
    """An alert received at 4 o'clock, before the clock was corrected to 3, does not page at 4."""
    shop.inbox.keep(to_bytes(a_body(alerts=[FIRING])), "", shop.clock.now())
    shop.clock.put_back(3600)
    shop.triage.step()
    latest = max(due for (due,) in shop.rows("SELECT due_at FROM messages"))
    assert latest - shop.clock.now().timestamp() < 60


def test_a_page_names_the_last_incident_of_another_group_with_the_same_cause(shop: Shop) -> None:
    """On-call sees where the cause was before, and for how long."""
    clue = Clue(code="crash", role=Role.CAUSE, entity="Deployment/plato", says="exit 1: no DB_URL", reason="no DB_URL")
    shop.clue = clue
    shop.deliver(a_body(alerts=[FIRING]))
    shop.diagnosis.begin(shop.begun)
    shop.ended.acquire(timeout=5)
    shop.diagnosis.step()
    first = shop.rows("SELECT id FROM incidents")[0][0]
    nexus = an_alert(labels={**LABELS, "service": "nexus"}, fingerprint="2" * 16)
    shop.deliver(a_body(alerts=[nexus], groupKey="{}/{}:{service=nexus}"))
    shop.diagnosis.begin(shop.begun[1:])
    shop.ended.acquire(timeout=5)
    shop.diagnosis.step()
    with shop.database.read() as connection:
        second = next(each.id for each in incidents.open_ones(connection) if each.id != first)
        found = incidents.contents_of(connection, [first, second])
    assert found[first].conclusion.before == ""
    before = found[second].conclusion.before
    assert before.startswith(f"the same cause once elsewhere in 30 days, last {first} (plato) at ")
    assert before.endswith(", still open")
