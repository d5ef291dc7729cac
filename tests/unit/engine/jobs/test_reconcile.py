"""Open incidents are compared with a server that speaks Alertmanager's API, and differences are announced."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from responder.engine.jobs.alertmanager_client import AlertmanagerClient
from responder.engine.jobs.recheck import RecheckJob
from responder.engine.jobs.reconcile import ReconcileJob
from responder.engine.workers.triage import IncidentWriter
from responder.outgoing import Outgoing
from responder.store.database import Database
from responder.triage.reconcile import AlertmanagerUnavailable, AlertmanagerView
from tests.conftest import HandClock
from tests.unit.engine.workers.test_triage import FIRING, OVER, Shop
from tests.unit.receive.test_alertmanager import a_body, an_alert

FINGERPRINT = FIRING["fingerprint"]
TWO = an_alert(labels={"alertname": "Other"}, fingerprint="2222222222222222")


class Answers:
    """An Alertmanager of a few lines: what it says is set by the test."""

    def __init__(self) -> None:
        self.since = "2026-01-01T00:00:00.000Z"
        self.alerts: list[dict[str, Any]] = [self.listed("ffffffffffffffff", name="Watchdog")]
        self.raw: dict[str, bytes] = {}
        self.asked: list[str] = []
        answers = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answers.asked.append(self.path)
                body = answers.body(self.path)
                self.send_response(200 if body else 503)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def listed(self, fingerprint: str, state: str = "active", name: str = "ServiceDown", **by: Any) -> dict[str, Any]:
        """An alert as API v2 lists it."""
        status = {"state": state, "silencedBy": [], "inhibitedBy": []} | by
        return {"fingerprint": fingerprint, "labels": {"alertname": name}, "status": status}

    def body(self, path: str) -> bytes:
        """The answer to a path; empty stands for 503."""
        if path in self.raw:
            return self.raw[path]
        if path.startswith("/api/v2/silence/"):
            told = {"createdBy": "alice", "comment": "deploying", "endsAt": "2026-02-28T05:00:00.000Z"}
            return json.dumps({"id": path.rpartition("/")[2], **told}).encode()
        status = {"uptime": self.since, "cluster": {"status": "disabled"}, "versionInfo": {}}
        return json.dumps(status if path == "/api/v2/status" else self.alerts).encode()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def answers() -> Iterator[Answers]:
    """A server of its own."""
    found = Answers()
    yield found
    found.close()


class Scene(Shop):
    """A shop that compares its open incidents with one Alertmanager."""

    def __init__(self, database: Database, clock: HandClock, url: str) -> None:
        super().__init__(database, clock)
        self.alertmanagers = AlertmanagerClient(Outgoing(clock), clock)
        self.writer = IncidentWriter(database, clock)
        servers = {"": (url,)}
        grace = timedelta(minutes=10)
        args = (database, self.writer, lambda: self.context, clock)
        self.job = ReconcileJob(*args, self.alertmanagers, servers, grace)
        self.review = RecheckJob(*args)

    def compare(self, minutes: float = 0) -> None:
        """Let time pass, then compare."""
        self.clock.move(60 * minutes)
        self.job.run()

    def notified(self, channel: str) -> list[tuple[str, str]]:
        """Each step that was written for a channel, with its update."""
        rows = self.rows(f"SELECT step, facts FROM messages WHERE channel = '{channel}' ORDER BY id")
        return [(step, json.loads(report)["update"]) for step, report in rows]

    def is_open(self) -> bool:
        """State of the single incident."""
        return bool(self.rows("SELECT open FROM incidents")[0][0])


@pytest.fixture
def probe_context(database: Database, clock: HandClock, answers: Answers) -> Iterator[Scene]:
    """An open incident, and an Alertmanager to ask."""
    found = Scene(database, clock, answers.url)
    found.deliver(a_body(alerts=[FIRING]))
    yield found
    found.diagnosis.close()


def test_a_silence_is_told_once_and_wakes_nobody(probe_context: Scene, answers: Answers) -> None:
    """The thread says which alert is silenced, by whom and until when; the incident stays open."""
    answers.alerts.append(answers.listed(FINGERPRINT, "suppressed", silencedBy=["s1"]))
    probe_context.compare()
    probe_context.compare(60)
    assert probe_context.notified("slack")[2:] == [
        (step, "still firing, ServiceDown silenced by alice until 2026-02-28 05:00 UTC: deploying")
        for step in ("edit", "reply")
    ]
    assert len(probe_context.notified("pagerduty")) == 1
    assert probe_context.is_open()
    answers.alerts[-1] = answers.listed(FINGERPRINT)
    probe_context.compare()
    assert probe_context.notified("slack")[4:] == [
        (step, "no longer suppressed; still firing") for step in ("edit", "reply")
    ]


def test_what_is_gone_is_resolved_with_the_reason(probe_context: Scene, answers: Answers) -> None:
    """Ten minutes after Alertmanager stopped listing it, all its channels get the resolve, with the reason."""
    probe_context.compare()
    probe_context.compare(9)
    assert probe_context.is_open()
    probe_context.compare(1)
    assert not probe_context.is_open()
    step, why = probe_context.notified("pagerduty")[-1]
    assert step == "resolve"
    assert f"{answers.url} has not listed it since 02:41 UTC, and no resolve was received" in why


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v2/status", b""),
        ("/api/v2/alerts", b""),
        ("/api/v2/alerts", b'[{"fingerprint": "f'),
        ("/api/v2/alerts", b'{"status": "success", "data": []}'),
        ("/api/v2/alerts", b'[{"labels": {}}]'),
    ],
)
def test_half_an_answer_ends_nothing(probe_context: Scene, answers: Answers, path: str, body: bytes) -> None:
    """An Alertmanager that fails, breaks off or says something else is no witness."""
    answers.raw[path] = body
    probe_context.compare()
    probe_context.compare(60)
    probe_context.compare(60)
    assert probe_context.is_open()
    assert isinstance(probe_context.alertmanagers.view(answers.url, {FINGERPRINT}), AlertmanagerUnavailable)


def test_a_restart_in_between_starts_the_clock_anew(probe_context: Scene, answers: Answers) -> None:
    """A restarted, empty Alertmanager is given time to receive its alerts again."""
    probe_context.compare()
    probe_context.compare(9)
    answers.since = probe_context.clock.now().isoformat()
    probe_context.compare(1)
    probe_context.compare(8)
    assert probe_context.is_open()
    probe_context.compare(2)
    probe_context.compare(9)
    assert probe_context.is_open()
    probe_context.compare(1)
    assert not probe_context.is_open()


def test_one_that_comes_back_to_the_list_is_not_ended(probe_context: Scene, answers: Answers) -> None:
    """Gone means gone without a break."""
    probe_context.compare()
    answers.alerts.append(answers.listed(FINGERPRINT))
    probe_context.compare(9)
    answers.alerts.pop()
    probe_context.compare(2)
    probe_context.compare(9)
    assert probe_context.is_open()


def test_a_silenced_part_keeps_the_incident_open_while_it_is_listed(probe_context: Scene, answers: Answers) -> None:
    """Without a list to look at it would have ended after six minutes; the list says that it still fires."""
    probe_context.deliver(a_body(alerts=[FIRING, TWO]), a_body(alerts=[OVER], status="resolved"))
    answers.alerts.append(answers.listed(TWO["fingerprint"], "suppressed", silencedBy=["s1"]))
    probe_context.compare()
    probe_context.clock.move(3600)
    probe_context.review.run()
    assert probe_context.is_open()


def test_nobody_is_asked_while_nothing_is_open(probe_context: Scene, answers: Answers) -> None:
    """A quiet night costs Alertmanager nothing."""
    probe_context.deliver(a_body(alerts=[OVER], status="resolved"))
    answers.asked.clear()
    probe_context.compare()
    assert answers.asked == []


def test_only_our_alerts_are_kept_of_a_long_list(probe_context: Scene, answers: Answers) -> None:
    """A resolve by reconciliation is counted, and its state removed."""
    answers.alerts += [answers.listed(FINGERPRINT, "suppressed", inhibitedBy=["ffffffffffffffff"])]
    view = probe_context.alertmanagers.view(answers.url, {FINGERPRINT})
    assert isinstance(view, AlertmanagerView)
    assert (view.total, set(view.alerts)) == (2, {FINGERPRINT})
    assert view.alerts[FINGERPRINT].inhibitors == ("Watchdog",)
