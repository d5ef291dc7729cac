"""`/readyz` and its checks of tables, backlog and database errors."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Blueprint
from flask.testing import FlaskClient
from sqlalchemy import text

from responder.model.message import OutboxMessage
from responder.model.report import MessageKind
from responder.model.secret import Secret
from responder.store.database import Database
from responder.store.inbox import inbox
from responder.store.inbox.inbox import Inbox
from responder.store.outbox import claims, outbox
from responder.web import health, webhook
from responder.web.app import create_app, guard
from responder.web.metrics import StoreCollector
from tests.conftest import HandClock
from tests.unit.receive.test_alertmanager import a_body, to_bytes

BODY = to_bytes(a_body())


@pytest.fixture
def client(database: Database, clock: HandClock) -> FlaskClient:
    """An application without authentication."""
    config = webhook.WebhookConfig(
        inbox=Inbox(database),
        guard=guard(Secret(""), Secret("")),
        clock=clock,
        max_body_bytes=20_000,
        on_kept=lambda: None,
    )
    given = health.HealthConfig(
        guard=config.guard, database=database, clock=clock, metrics=StoreCollector(database=database, clock=clock)
    )
    return create_app(webhook.blueprint(config), health.blueprint(given)).test_client()


def readiness(client: FlaskClient) -> tuple[int, str]:
    """Status and text of /readyz, which is one line."""
    answer = client.get("/readyz")
    assert answer.text.count("\n") == 1
    assert answer.mimetype == "text/plain"
    return answer.status_code, answer.text


@pytest.mark.parametrize("table", ["notifications", "payloads", "rejects"])
def test_a_table_that_a_webhook_needs_and_that_is_gone_is_not_ready(
    client: FlaskClient, database: Database, clock: HandClock, table: str
) -> None:
    """/readyz fails if any table that a webhook writes to cannot be written, and every answer is one line of text."""
    assert readiness(client) == (200, "ok\n")
    with database.write() as connection:
        connection.execute(text(f"ALTER TABLE {table} RENAME TO elsewhere"))
    clock.move(2)
    status, reason = readiness(client)
    assert (status, table in reason) == (503, True)
    refused = BODY if table != "rejects" else b"{}"
    answer = client.post("/webhook/alertmanager", data=refused, content_type="application/json")
    assert (answer.status_code, answer.mimetype, answer.text.count("\n")) == (503, "text/plain", 1)


def test_an_unexpected_error_in_a_request_is_one_line() -> None:
    """No client receives HTML: Alertmanager writes the answer into its log."""
    broken = Blueprint("broken", __name__)

    @broken.get("/broken")
    def fail() -> str:
        raise KeyError("a secret detail")

    answer = create_app(broken).test_client().get("/broken")
    assert (answer.status_code, answer.text) == (500, "internal error: see the log\n")


def test_a_notification_that_stays_undecided_is_not_ready(
    client: FlaskClient, database: Database, clock: HandClock
) -> None:
    """An instance whose triage does not work is unready a minute after a notification arrived, until it is decided."""
    number = Inbox(database).keep(BODY, "", clock.now())
    clock.move(59)
    assert readiness(client)[0] == 200
    clock.move(3)
    assert readiness(client) == (503, "a notification is undecided 62 s after it was received\n")
    with database.transaction() as connection:
        inbox.settle(connection, [(number, "decided", None, "")])
    assert readiness(client)[0] == 200


def a_page(clock: HandClock) -> OutboxMessage:
    """A page of the worst severity, due in eight seconds."""
    return OutboxMessage(
        incident="INC-1",
        ordering_key="key",
        channel="pagerduty",
        step="trigger",
        kind=MessageKind.START,
        priority=1,
        due_at=clock.now() + timedelta(seconds=8),
        enrich=True,
    )


def write(database: Database, clock: HandClock, *pages: OutboxMessage) -> None:
    """Put pages into the outbox."""
    outbox.prepare_states(database, ["pagerduty"])
    with database.transaction() as connection:
        outbox.write(connection, pages, clock.now())


def test_a_page_that_no_process_sends_is_not_ready(client: FlaskClient, database: Database, clock: HandClock) -> None:
    """An instance whose pages do not leave is unready a minute after the budget of the first one."""
    write(database, clock, a_page(clock))
    clock.move(67)
    assert readiness(client)[0] == 200
    clock.move(2)
    assert readiness(client) == (503, "a page for pagerduty was due 61 s ago and is not being sent\n")


@pytest.mark.parametrize("reason", ["tried", "failing", "paused", "moving", "not a page", "milder"])
def test_a_page_that_waits_for_its_vendor_is_ready(
    client: FlaskClient, database: Database, clock: HandClock, reason: str
) -> None:
    """Readiness does not depend on PagerDuty: restarting or bypassing an instance would not help."""
    page = a_page(clock)
    others = {"not a page": replace(page, kind=MessageKind.UPDATE), "milder": replace(page, priority=2)}
    write(database, clock, others.get(reason, page))
    clock.move(69)
    now = clock.now()
    with database.transaction() as connection:
        if reason == "tried":
            claims.claim(connection, claims.ChannelQueue(("pagerduty",)), now, now, 1)
        elif reason == "failing":
            outbox.record_failing(connection, "pagerduty", now)
        elif reason == "paused":
            outbox.pause_channel(connection, "pagerduty", now.timestamp() + 30, 0.0)
        elif reason == "moving":
            outbox.record_attempts(connection, "pagerduty", now, accepted=True, failed=False)
    assert readiness(client)[0] == 200


def test_the_paths_of_prometheus_work(client: FlaskClient) -> None:
    """/-/healthy and /-/ready answer like /healthz and /readyz, as tools for Prometheus and Alertmanager expect."""
    for theirs, ours in (("/-/healthy", "/healthz"), ("/-/ready", "/readyz")):
        assert client.get(theirs).get_data() == client.get(ours).get_data() == b"ok\n"
        assert client.head(theirs).status_code == 200


def test_metrics_are_openmetrics_where_the_client_accepts_it(client: FlaskClient) -> None:
    """Prometheus gets OpenMetrics, and a browser the text format."""
    asked = client.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})
    assert asked.mimetype == "application/openmetrics-text"
    assert asked.text.endswith("# EOF\n")
    assert client.get("/metrics").mimetype == "text/plain"


def _protected(database: Database, clock: HandClock, problems: list[tuple[str, ...]], prefix: str = "") -> FlaskClient:
    """An application with a token, whose reloads take their result from ``problems``."""
    needed = guard(Secret("0123456789abcdef"), Secret(""))
    given = health.HealthConfig(
        guard=needed,
        database=database,
        clock=clock,
        metrics=StoreCollector(database=database, clock=clock),
        reload=problems.pop,
        metrics_guard=needed,
    )
    return create_app(health.blueprint(given), prefix=prefix).test_client()


def test_a_reload_needs_credentials_and_answers_with_every_problem(database: Database, clock: HandClock) -> None:
    """POST /-/reload is 200 when the files are valid, 500 with the problems otherwise, and 401 without a credential."""
    results: list[tuple[str, ...]] = [(), ("rules/a.yaml:3:1: unknown key", "rules/b.yaml:1:1: no rules")]
    client, allowed = _protected(database, clock, results), {"Authorization": "Bearer 0123456789abcdef"}
    assert client.post("/-/reload").status_code == 401
    assert client.get("/-/reload", headers=allowed).status_code == 405
    assert len(results) == 2
    refused = client.post("/-/reload", headers=allowed)
    assert refused.status_code == 500
    assert refused.text.splitlines()[1:] == ["rules/a.yaml:3:1: unknown key", "rules/b.yaml:1:1: no rules"]
    assert client.post("/-/reload", headers=allowed).status_code == 200


def test_metrics_can_need_credentials(database: Database, clock: HandClock) -> None:
    """With RESPONDER_METRICS_AUTH=on a scrape without the credentials of the webhook is 401."""
    client = _protected(database, clock, [])
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer 0123456789abcdef"}).status_code == 200


def test_paths_work_with_and_without_the_prefix(database: Database, clock: HandClock) -> None:
    """Behind a proxy at /responder/ the routes answer whether the proxy removes its prefix or not, and no other."""
    client = _protected(database, clock, [], prefix="/responder/")
    assert client.get("/responder/healthz").status_code == client.get("/healthz").status_code == 200
    assert client.get("/responder/responder/healthz").status_code == 404
    assert client.get("/responderhealthz").status_code == 404
