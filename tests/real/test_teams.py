"""Three teams share one `responder serve`: each gets its own pages, and only those."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from responder.standins.pagerduty import PagerDutyStandIn
from responder.standins.server import status
from responder.standins.stage import Stage
from tests.real.conftest import example, until
from tests.real.test_serve import serve

pytestmark = pytest.mark.real

KEYS = {name: name.ljust(32, "0") for name in ("payments", "search", "backup", "ops")}
TEAMS = """\
channels:
  payments-pager: {{kind: pagerduty, routing_key: {{secret: payments}}}}
  payments-slack: {{kind: slack, channel: "#payments-incidents"}}
  search-pager: {{kind: pagerduty, routing_key: {{secret: search}}, url: "{url}"}}
  search-backup: {{kind: pagerduty, routing_key: {{secret: backup}}}}
teams:
  payments: {{channels: [payments-pager, payments-slack]}}
  search: {{channels: [search-pager], fallback: [search-backup]}}
  platform: {{channels: [pagerduty, slack]}}
rules:
  - id: of-a-team
    match: alertname="FluxCapacitorDrift"
    severity: P1
    first_step: Look.
    team: {{from: team, map: {{pay: payments}}, otherwise: platform}}
"""


@pytest.fixture
def broken() -> Iterator[PagerDutyStandIn]:
    """The PagerDuty of one team, which is down."""
    with PagerDutyStandIn() as found:
        found.faults.extend([status(503)] * 1000)
        yield found


@pytest.fixture
def rules(stage: Stage, broken: PagerDutyStandIn) -> Path:
    """The shipped rules with three teams."""
    folder = stage.folder / "rules"
    shutil.copytree(stage.settings["RESPONDER_RULES"], folder)
    (folder / "05-teams.yaml").write_text(TEAMS.format(url=broken.url))
    return folder


def alert(team: str) -> bytes:
    """A notification about an alert of a team."""
    body = json.loads(example("unknown-alert"))
    body["groupKey"] = f'{{}}:{{team="{team}"}}'
    for labels in (body["commonLabels"], *(each["labels"] for each in body["alerts"])):
        labels["team"] = team
    return json.dumps(body).encode()


def keys(stage: Stage) -> list[str]:
    """The routing keys that got an event at the working PagerDuty."""
    return [str(event.body["routing_key"]).rstrip("0") for event in stage.pagerduty.events]


def test_each_team_gets_its_own_pages(stage: Stage, rules: Path) -> None:
    """A broken channel delays no other team, its page falls back, and a team that a reload adds is served."""
    secrets = {f"secret_{name}": key for name, key in KEYS.items()}
    with stage.serve(rules=str(rules), workers="1", fallback_seconds="2", **secrets) as program:
        assert stage.post(alert("search")).status == 202
        assert stage.post(alert("pay")).status == 202
        until(lambda: "payments" in keys(stage), 10)
        until(lambda: stage.slack.messages)
        until(lambda: "backup" in keys(stage), 30)
        assert set(keys(stage)) == {"payments", "backup"}
        assert len({message.channel for message in stage.slack.messages}) == 1
        assert stage.post(alert("no-such-team")).status == 202
        default = stage.settings["RESPONDER_PAGERDUTY_ROUTING_KEY"].rstrip("0")
        until(lambda: default in keys(stage))
        text = (rules / "05-teams.yaml").read_text()
        text = text.replace("teams:\n", "  ops-pager: {kind: pagerduty, routing_key: {secret: ops}}\nteams:\n", 1)
        text = text.replace("teams:\n", "teams:\n  ops: {channels: [ops-pager]}\n", 1)
        (rules / "05-teams.yaml").write_text(text)
        until(lambda: "rules.reloaded" in program.last_output(200), 30)
        assert stage.post(alert("ops")).status == 202
        until(lambda: "ops" in keys(stage), 10)
        assert KEYS["payments"] not in program.last_output(1000)


def test_serve_names_every_missing_secret(stage: Stage, rules: Path) -> None:
    """`serve --check` ends and says which channels lack which secrets."""
    ended = serve(stage, "--check", rules=str(rules), secret_search=KEYS["search"])
    said = ended.stdout + ended.stderr
    assert ended.returncode != 0
    assert said.count("missing-secret") == 2
    assert "channel 'payments-pager' has no secret payments" in said
    assert "RESPONDER_SECRET_BACKUP" in said
