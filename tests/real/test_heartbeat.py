"""The dead man's switches: one pages when a cluster is silent, the other is pinged while responder can page."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from responder import bootstrap
from responder.bootstrap import SystemClock
from responder.model.heartbeat import HeartbeatState
from responder.standins.server import Call, Reply, StandIn
from responder.standins.stage import Stage
from responder.store.incidents import detectors
from tests.real.conftest import example, until

pytestmark = pytest.mark.real

EXPECTED = """\
heartbeats:
  - {{cluster: prod-eu, max_gap: 1s, channels: [pagerduty, slack], probes: [prometheus-ready]}}
probes:
  prometheus-ready: {{kind: http, url: "{url}/-/ready", timeout: 3s}}
"""


class Switch(StandIn):
    """An external dead man's switch: it records pings."""

    def answer(self, call: Call) -> Reply:
        """Always fine."""
        return Reply(200, b"OK")

    @property
    def heard(self) -> list[str]:
        """The requested paths."""
        with self.lock:
            return [call.path for call in self.calls]


def expecting(stage: Stage) -> str:
    """The shipped rules with a heartbeat that is missing after a second."""
    folder = stage.folder / "rules"
    shutil.copytree(stage.settings["RESPONDER_RULES"], folder)
    Path(folder / "06-heartbeats.yaml").write_text(EXPECTED.format(url=stage.prometheus.url))
    return str(folder)


def watched(stage: Stage) -> None:
    """A database of an earlier process that has looked for the Watchdog until now, in vain."""
    settings, now = stage.read_settings(), SystemClock().now()
    bootstrap.prepare_store(settings)
    state = HeartbeatState(cluster="prod-eu", seen_at=None, since=now - timedelta(hours=1), watched_at=now)
    with bootstrap.database(settings) as database, database.transaction() as connection:
        detectors.save(connection, [state])


def test_a_silent_cluster_wakes_somebody_and_its_return_ends_it(stage: Stage) -> None:
    """From silence to a page that says what Prometheus answered, and from a Watchdog to its end."""
    watched(stage)
    with stage.serve(rules=expecting(stage)):
        until(lambda: stage.pagerduty.events, 45)
        [opened] = [event.body for event in stage.pagerduty.events]
        assert opened["event_action"] == "trigger"
        assert "alerting is down on prod-eu" in opened["payload"]["summary"]
        assert opened["payload"]["severity"] == "critical"
        assert "expected 200 to 299" in opened["payload"]["custom_details"]["03 Likely cause"]
        assert stage.post(example("watchdog")).status == 202
        until(lambda: len(stage.pagerduty.events) > 1, 30)
        last = stage.pagerduty.events[1].body
        assert (last["event_action"], last["dedup_key"]) == ("resolve", opened["dedup_key"])


def test_the_switch_outside_is_fed_only_while_people_could_be_paged(stage: Stage) -> None:
    """A service that is well pings at once; one whose Watchdog is missing does not, and says so where it can."""
    with Switch() as switch:
        urls = {"heartbeat_url": f"{switch.url}/s3cret/up", "heartbeat_fail_url": f"{switch.url}/s3cret/fail"}
        with stage.serve(**urls) as program:
            until(lambda: switch.heard)
            assert set(switch.heard) == {"/s3cret/up"}
            assert "s3cret" not in program.log.read_text()
        before = len(switch.heard)
        stage.database.unlink()
        with stage.serve(rules=expecting(stage), **urls) as program:
            until(lambda: len(switch.heard) > before)
            assert set(switch.heard[before:]) == {"/s3cret/fail"}
            assert "no Watchdog from prod-eu" in program.log.read_text()
            assert "s3cret" not in program.log.read_text()
