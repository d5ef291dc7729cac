"""Nobody responds while `serve` runs: one reminder, which an acknowledgement would have ended."""

from __future__ import annotations

import shutil

import pytest

from responder.standins import butterfly
from responder.standins.stage import Stage
from tests.real.conftest import ROOT, example, until
from tests.real.test_sigkill import rows

pytestmark = pytest.mark.real


def test_a_missed_response_is_reminded_of_once_also_after_a_restart(stage: Stage) -> None:
    """A P1 without acknowledgement becomes late while responder is down: two workers remind of it once, in Slack."""
    folder = stage.folder / "rules"
    shutil.copytree(ROOT / "rules", folder)
    severities = folder / "01-severities.yaml"
    text = severities.read_text().replace("respond_within: 15m", "respond_within: 1s\n    reminders: {paged: true}", 1)
    stage.butterfly.set("plato", butterfly.down())
    with stage.serve():
        assert stage.post(example("service-down")).status == 202
        until(lambda: stage.pagerduty.open() and stage.slack.messages, 30)
        assert not rows(stage.database, "SELECT id FROM messages WHERE kind = 'reminder'")
    severities.write_text(text)
    with stage.serve(rules=str(folder), workers="2"):
        until(lambda: rows(stage.database, "SELECT id FROM messages WHERE kind = 'reminder' AND state = 'sent'"), 30)
        until(lambda: [line for each in stage.slack.messages for line in each.lines if "Not acknowledged" in line], 10)
        assert rows(stage.database, "SELECT count(*) FROM messages WHERE kind = 'reminder'") == [(1,)]
    assert len(stage.pagerduty.open()) == 1
