"""Behaviour of the real Alertmanager when a payload cannot be stored, and of a pair of them."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import urllib.request
from collections.abc import Iterator
from hashlib import sha256

import pytest

from responder.standins import butterfly
from responder.standins.monitoring import (
    alerting_rule,
    alertmanager,
    alertmanager_config,
    prometheus,
    prometheus_config,
)
from responder.standins.processes import Program
from responder.standins.stage import Stage
from tests.real.conftest import need, until
from tests.real.test_sigkill import rows

pytestmark = pytest.mark.real

RULE = alerting_rule(
    "ServiceDown", "application_up == 0", {"severity": "critical"}, {"summary": "{{ $labels.service }} is down"}
)
GROUP_KEY = '{}:{alertname="ServiceDown", service="plato"}'


@pytest.fixture(autouse=True)
def the_servers() -> None:
    """Skip without the real programs."""
    need("prometheus", "prometheus-alertmanager")


@contextlib.contextmanager
def scraping(stage: Stage, *receivers: Program) -> Iterator[Program]:
    """Prometheus, sending to these Alertmanagers."""
    config = prometheus_config(stage.butterfly.scrape_targets, [receiver.url for receiver in receivers])
    with prometheus(stage.folder, config, RULE) as program:
        yield program


def failed(receiver: Program) -> float:
    """Number of failed attempts that an Alertmanager counts."""
    with urllib.request.urlopen(f"{receiver.url}/metrics", timeout=5) as response:
        lines = response.read().decode().splitlines()
    name = 'alertmanager_notification_requests_failed_total{integration="webhook"}'
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def test_what_cannot_be_kept_is_refused_and_comes_again(stage: Stage) -> None:
    """While the database is locked Alertmanager gets 503; it retries, and the page arrives."""
    config = alertmanager_config(stage.webhook_url, stage.token)
    with stage.serve() as program, alertmanager(stage.folder, config) as receiver, scraping(stage, receiver):
        with contextlib.closing(sqlite3.connect(stage.database, isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            stage.butterfly.set("plato", butterfly.down())
            until(lambda: failed(receiver), 40)
            assert rows(stage.database, "SELECT count(*) FROM notifications") == [(0,)]
            assert stage.pagerduty.events == []
            assert "webhook.store_failed" in program.log.read_text()
            holder.execute("ROLLBACK")
        until(stage.pagerduty.open, 30)
        assert len(stage.pagerduty.open()) == 1


def test_a_pair_that_cannot_talk_to_each_other_pages_and_resolves_once(stage: Stage) -> None:
    """Two replicas deliver the same group, and its end, each for itself: one incident opens, once, and is resolved."""
    config = alertmanager_config(stage.webhook_url, stage.token)
    with (
        stage.serve(),
        alertmanager(stage.folder, config, name="replica-a") as one,
        alertmanager(stage.folder, config, name="replica-b") as two,
        scraping(stage, one, two),
    ):
        stage.butterfly.set("plato", butterfly.down())
        until(lambda: senders(stage) == {one.url.rpartition(":")[2], two.url.rpartition(":")[2]}, 40)
        until(stage.pagerduty.open)
        stage.butterfly.set("plato", butterfly.up())
        until(lambda: len(rows(stage.database, "SELECT 1 FROM notifications WHERE state = 'decided'")) >= 4, 40)
        until(lambda: not stage.pagerduty.open())
    assert {event.dedup_key for event in stage.pagerduty.events} == {sha256(GROUP_KEY.encode()).hexdigest()}
    assert [event.action for event in stage.pagerduty.events] == ["trigger", "resolve"]
    assert rows(stage.database, "SELECT count(*) FROM incidents") == [(1,)]


def senders(stage: Stage) -> set[str]:
    """The ports of the Alertmanagers whose payloads were stored: externalURL identifies replicas."""
    payloads = [json.loads(body) for (body,) in rows(stage.database, "SELECT body FROM payloads")]
    assert {body["groupKey"] for body in payloads} <= {GROUP_KEY}
    return {body["externalURL"].rpartition(":")[2] for body in payloads}
