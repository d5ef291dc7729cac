"""A person publishes an incident on the status page while `serve` runs; the page follows it to the end."""

from __future__ import annotations

import shutil

import pytest

from responder.converse.slack.payloads import Button
from responder.standins import butterfly
from responder.standins.stage import Stage
from tests.contracts.channel_cases import PAGE_KEY
from tests.real.conftest import ROOT, example, until
from tests.real.test_conversation import act, buttons
from tests.real.test_operator import type_in
from tests.support import slack_payloads
from tests.support.statuspage import StatuspageStandIn

pytestmark = pytest.mark.real

PUBLISH = "Publish to status page"


def test_opened_by_a_button_updated_by_a_command_and_resolved_with_the_incident(stage: Stage) -> None:
    """Nothing is public before the dialog is submitted; then one incident with the person's words, and its resolve."""
    folder = stage.folder / "rules"
    shutil.copytree(ROOT / "rules", folder)
    severities, services = folder / "01-severities.yaml", folder / "02-services.yaml"
    severities.write_text(severities.read_text().replace("  P1:\n", "  P1:\n    status_pages: [statuspage]\n", 1))
    text = services.read_text()
    assert "  plato:\n" in text
    services.write_text(text.replace("  plato:\n", "  plato:\n    components: {statuspage: 8kbf7d35c070}\n", 1))
    stage.butterfly.set("plato", butterfly.down())
    with StatuspageStandIn(PAGE_KEY) as vendor:
        page = {"statuspage_api_key": PAGE_KEY, "statuspage_page": "kctbh9vrtdwd", "statuspage_url": vendor.url}
        with stage.serve(rules=str(folder), slack_signing_secret="slack-signs", **page):
            assert stage.post(example("service-down")).status == 202
            until(lambda: stage.slack.messages and PUBLISH in buttons(stage.slack.messages[0]), 30)
            number = buttons(stage.slack.messages[0])[PUBLISH]
            assert act(stage, slack_payloads.pressed(Button.PUBLISH, number)) == 200
            [dialog] = stage.slack.views
            assert not vendor.incidents
            words = {"text": {"type": "plain_text_input", "value": "Logins fail for some users."}}
            submitted = slack_payloads.submitted(dialog["callback_id"], dialog["private_metadata"], words)
            assert act(stage, submitted) == 200
            assert act(stage, submitted) == 200
            until(lambda: vendor.incidents, 10)
            more = ("incidents", "publish", number, "--yes", "--as", "Bob", "--text", "A fix is under way.")
            done = type_in(stage, *more)
            assert done.returncode == 0, done.stderr
            type_in(stage, "incidents", "resolve", number, "--as", "Bob")
            until(lambda: [each for each in vendor.incidents.values() if each.updates[-1][0] == "resolved"], 15)
    [incident] = vendor.incidents.values()
    assert [text for _status, text in incident.updates[:2]] == ["Logins fail for some users.", "A fix is under way."]
    assert incident.components == {"8kbf7d35c070": "operational"}
    assert incident.name == "plato: service disruption"
