"""Three teams behind a real Prometheus and Alertmanager: each gets its alert, on its channels, with its links."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator

import pytest

from responder.standins.monitoring import alertmanager, alertmanager_config, prometheus, prometheus_config
from responder.standins.pagerduty import PagerDutyStandIn
from responder.standins.server import Reply, status
from responder.standins.stage import Stage
from tests.real.conftest import need, until
from tests.support import generic_webhook, teams
from tests.support.receivers import Receiver

pytestmark = pytest.mark.real

SIGNING = "0123456789abcdef0123456789abcdef"
RUNBOOKS = {
    "platform": "https://runbooks.prometheus-operator.dev/runbooks/node/nodefilesystemalmostoutofspace",
    "data": "https://runbooks.acme.example/postgresql",
    "payments": "https://runbooks.acme.example/checkout",
}
DASHBOARD = "https://grafana.acme.example/d/checkout"
ALERTS = {
    "platform": (
        "NodeFilesystemAlmostOutOfSpace",
        {"severity": "critical", "instance": "node-7:9100", "mountpoint": "/", "job": "node-exporter"},
        {"summary": "Filesystem has less than 3% space left.", "runbook_url": RUNBOOKS["platform"]},
    ),
    "data": (
        "PostgresqlDown",
        {"severity": "critical", "instance": "db-1:9187", "job": "postgres-exporter"},
        {"summary": "PostgreSQL on db-1 is down.", "runbook_url": RUNBOOKS["data"]},
    ),
    "payments": (
        "CheckoutErrors",
        {"severity": "critical", "deployment": "checkout-api", "label_team": "pay"},
        {"summary": "Checkout fails.", "runbook_url": RUNBOOKS["payments"], "dashboard_url": DASHBOARD},
    ),
}
TEAMS = """\
channels:
  platform-pager: {{kind: pagerduty, routing_key: {{secret: platform}}}}
  platform-slack: {{kind: slack, channel: "#platform-incidents"}}
  data-slack: {{kind: slack, channel: "#data-incidents"}}
  data-teams: {{kind: teams, webhook_url: {{secret: data-teams}}}}
  data-hook: {{kind: generic_webhook, url: {{secret: data-hook}}, signing_secret: {{secret: data-signing}}}}
  payments-pager: {{kind: pagerduty, routing_key: {{secret: payments}}, url: "{broken}"}}
  payments-slack: {{kind: slack, channel: "#payments-incidents"}}
teams:
  platform: {{channels: [platform-pager, platform-slack]}}
  data: {{channels: [data-slack, data-teams, data-hook]}}
  payments: {{channels: [payments-pager, payments-slack]}}
rules:
  - id: of-a-team
    match: alertname=~"NodeFilesystemAlmostOutOfSpace|PostgresqlDown|CheckoutErrors"
    severity: P1
    first_step: Open the runbook.
    team: {{from: [team, label_team], map: {{pay: payments}}, otherwise: platform}}
"""


def alerting_rules() -> str:
    """Rules that fire at once, with the labels of each alert."""
    found = []
    for team, (name, labels, notes) in ALERTS.items():
        own = labels if "label_team" in labels else {**labels, "team": team}
        found.append({"alert": name, "expr": "vector(1) > 0", "labels": own, "annotations": notes})
    return json.dumps({"groups": [{"name": "teams", "rules": found}]})


@pytest.fixture
def card() -> Iterator[Receiver]:
    """The Microsoft Teams channel of the data team."""
    with Receiver(lambda call: teams.refusal(call.body), Reply(202)) as found:
        yield found


@pytest.fixture
def hook() -> Iterator[Receiver]:
    """The webhook of the data team."""
    with Receiver(
        lambda call: generic_webhook.refusal(call.body, call.headers, SIGNING.encode(), time.time()), Reply(204)
    ) as found:
        yield found


@pytest.fixture
def broken() -> Iterator[PagerDutyStandIn]:
    """The PagerDuty of the payments team, which is down."""
    with PagerDutyStandIn() as found:
        found.faults.extend([status(503)] * 10_000)
        yield found


def test_each_alert_reaches_its_team_only_with_its_own_links(
    stage: Stage, card: Receiver, hook: Receiver, broken: PagerDutyStandIn
) -> None:
    """A broken pager of one team delays no other team, and no team sees the alert or the links of another."""
    need("prometheus", "prometheus-alertmanager")
    folder = stage.folder / "rules"
    shutil.copytree(stage.settings["RESPONDER_RULES"], folder, ignore=shutil.ignore_patterns("tests"))
    (folder / "05-teams.yaml").write_text(TEAMS.format(broken=broken.url))
    secrets = {
        "secret_platform": "platform".ljust(32, "0"),
        "secret_payments": "payments".ljust(32, "0"),
        "secret_data_teams": f"{card.url}/workflow",
        "secret_data_hook": f"{hook.url}/responder",
        "secret_data_signing": SIGNING,
    }
    config = alertmanager_config(stage.webhook_url, stage.token, group_by=("alertname", "team"))
    with (
        stage.serve(rules=str(folder), workers="1", **secrets) as program,
        alertmanager(stage.folder, config) as am,
        prometheus(stage.folder, prometheus_config(stage.butterfly.scrape_targets, [am.url]), alerting_rules()),
    ):
        until(lambda: stage.pagerduty.events and card.accepted and hook.accepted, 40)
        until(lambda: len(_parents(stage)) == 3, 40)
        until(lambda: "message.later" in program.log.read_text(), 20)
    _platform(stage)
    _data(stage, card, hook)
    [payments] = [call for call in broken.calls if call.method == "POST"][:1]
    assert json.loads(payments.body)["routing_key"].startswith("payments")
    shown = _channel(stage, "#payments-incidents")
    assert RUNBOOKS["payments"] in shown
    assert DASHBOARD in shown
    assert not _foreign("payments", shown)


def _parents(stage: Stage) -> set[str]:
    return {message.channel for message in stage.slack.messages if not message.thread_ts}


def _channel(stage: Stage, name: str) -> str:
    """All that was posted to a channel."""
    posted = [json.loads(call.body) for call in stage.slack.calls if call.path.endswith("chat.postMessage")]
    return json.dumps([body for body in posted if body["channel"] == name])


def _foreign(team: str, shown: str) -> list[str]:
    """Alert names and links of other teams that are shown."""
    others = [(name, RUNBOOKS[other]) for other, (name, _labels, _notes) in ALERTS.items() if other != team]
    return [text for pair in others for text in pair if text in shown]


def _platform(stage: Stage) -> None:
    keys = {event.body["routing_key"] for event in stage.pagerduty.events}
    assert keys == {"platform".ljust(32, "0")}
    page = json.dumps([event.body for event in stage.pagerduty.events])
    for shown in (page, _channel(stage, "#platform-incidents")):
        assert RUNBOOKS["platform"] in shown
        assert not _foreign("platform", shown)


def _data(stage: Stage, card: Receiver, hook: Receiver) -> None:
    for shown in (_channel(stage, "#data-incidents"), card.text, hook.text):
        assert RUNBOOKS["data"] in shown
        assert not _foreign("data", shown)
    assert json.loads(hook.accepted[0].body)["event"] == "start"
