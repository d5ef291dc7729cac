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
from responder.store.outbox import channel_state, claims, outbox
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
    channel_state.prepare(database, ["pagerduty"])
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
            channel_state.failed(connection, "pagerduty", now)
        elif reason == "paused":
            channel_state.pause(connection, "pagerduty", now.timestamp() + 30, 0.0)
        elif reason == "moving":
            channel_state.record_attempts(connection, "pagerduty", now, accepted=True, failed=False)
    assert readiness(client)[0] == 200
