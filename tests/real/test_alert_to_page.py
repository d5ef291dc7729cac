"""End to end, with the real Prometheus and the real Alertmanager of Debian: from a firing rule to the page."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from responder.standins import butterfly
from responder.standins.monitoring import (
    alerting_rule,
    alertmanager,
    alertmanager_config,
    prometheus,
    prometheus_config,
)
from responder.standins.stage import RUNBOOKS_URL, Stage
from tests.real.conftest import need, until
from tests.real.test_sigkill import rows

pytestmark = pytest.mark.real

RULE = alerting_rule(
    "ServiceDown",
    "application_up == 0",
    {"severity": "critical"},
    {"summary": "{{ $labels.service }} is down"},
)


@contextlib.contextmanager
def watched(stage: Stage, *alertmanagers: str) -> Iterator[str]:
    """A real Prometheus that scrapes the five services and sends to these Alertmanagers; its address."""
    need("prometheus", "prometheus-alertmanager")
    config = prometheus_config(stage.butterfly.scrape_targets, alertmanagers)
    with prometheus(stage.folder, config, RULE) as program:
        yield program.url


def test_a_real_alert_becomes_an_enriched_page_and_resolves(stage: Stage) -> None:
    """A rule fires in Prometheus; PagerDuty and Slack get runbook and findings; both get the resolve."""
    need("prometheus", "prometheus-alertmanager")
    stage.butterfly.set("plato", butterfly.down())
    config = alertmanager_config(stage.webhook_url, stage.token)
    with (
        alertmanager(stage.folder, config) as am,
        watched(stage, am.url) as url,
        stage.serve(prometheus_url=url, alertmanager_url=am.url),
    ):
        until(stage.pagerduty.open, 40)
        page = stage.pagerduty.events[0].body
        details = page["payload"]["custom_details"]
        assert page["payload"]["severity"] == "critical"
        assert page["links"][0]["href"] == f"{RUNBOOKS_URL}/common-issues.md#service-down"
        assert [link for link in page["links"] if "/#/silences/new?filter=" in link["href"]]
        assert "db" in details["03 Likely cause"]
        until(lambda: [message for message in stage.slack.messages if not message.thread_ts])
        (parent,) = [message for message in stage.slack.messages if not message.thread_ts]
        until(lambda: stage.slack.thread(parent.ts))
        assert "[P1] plato is down" in parent.text
        stage.butterfly.set("plato", butterfly.up())
        until(lambda: not stage.pagerduty.open(), 40)
        until(lambda: "Resolved after" in stage.slack.messages[0].text, 20)
    assert [event.action for event in stage.pagerduty.events] == ["trigger", "resolve"]
    assert len({event.dedup_key for event in stage.pagerduty.events}) == 1


def test_a_pair_of_alertmanagers_makes_one_incident(stage: Stage, tmp_path: Path) -> None:
    """Both replicas notify about the same group; on-call is paged once."""
    need("prometheus", "prometheus-alertmanager")
    stage.butterfly.set("plato", butterfly.down())
    config = alertmanager_config(stage.webhook_url, stage.token)
    with (
        alertmanager(tmp_path, config, name="alertmanager-a") as a,
        alertmanager(tmp_path, config, name="alertmanager-b") as b,
        watched(stage, a.url, b.url) as url,
        stage.serve(prometheus_url=url),
    ):
        until(lambda: len(rows(stage.database, "SELECT 1 FROM notifications WHERE state = 'decided'")) >= 2, 40)
        until(stage.pagerduty.open)
        assert rows(stage.database, "SELECT count(*) FROM incidents") == [(1,)]
        assert [event.action for event in stage.pagerduty.events] == ["trigger"]


def test_an_alert_that_fires_while_we_are_down_still_pages(stage: Stage) -> None:
    """Alertmanager retries while responder is down, and the page arrives when it is back."""
    need("prometheus", "prometheus-alertmanager")
    stage.butterfly.set("plato", butterfly.down())
    with (
        alertmanager(stage.folder, alertmanager_config(stage.webhook_url, stage.token)) as am,
        watched(stage, am.url) as url,
    ):
        until(lambda: "notify retry canceled" in am.log.read_text() or "connection refused" in am.log.read_text(), 40)
        assert stage.pagerduty.events == []
        with stage.serve(prometheus_url=url):
            until(stage.pagerduty.open, 40)
