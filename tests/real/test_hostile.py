"""Label values cannot mention users, or reach files, the network or a query."""

from __future__ import annotations

import json
from typing import Any

import pytest

from responder.standins.stage import Stage
from tests.real.conftest import example, until

pytestmark = pytest.mark.real

MARKUP = ("<!channel>", "<!here>", "<@U", "<https://evil", "<script>")
STEERING = ("\x1b", "\u202e", "\u2066", "\u200b")


def strings(value: Any) -> list[str]:
    """Every text in a message."""
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in (key, *strings(item))]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


def hrefs(event: dict[str, Any]) -> list[str]:
    """The addresses of all links."""
    return [link["href"] for link in event.get("links", [])]


@pytest.mark.parametrize("name", ["hostile-labels", "hostile-text", "secrets-in-annotations"])
def test_hostile_values_end_inert(stage: Stage, name: str) -> None:
    """No mention, no foreign link, no injected query, no foreign address, no secret: in every sink and every probe."""
    stage.prometheus.set("up", 1.0)
    with stage.serve() as program:
        assert stage.post(example(name)).status == 202
        until(lambda: len(stage.slack.messages) >= 2)
        log = program.log.read_text()
    sent = [call.body.decode() for call in (*stage.slack.calls, *stage.pagerduty.calls)]
    for body in sent:
        message = json.loads(body)
        for text in strings(message):
            assert not [active for active in STEERING if active in text], text
            assert "hunter2" not in text
            if "routing_key" not in message:  # PagerDuty shows text as text: what is markup in Slack is none there
                assert not [active for active in MARKUP if active in text], text
        assert all(href.startswith(("http://", "https://")) for href in hrefs(message))
        assert not [href for href in hrefs(message) if "evil" in href.split("/")[2]]
    assert "\x1b" not in log
    asked = [f"{call.path} {call.headers.get('host', '')}" for call in stage.butterfly.calls]
    assert not [each for each in asked if "169.254" in each or ".." in each or "evil" in each]
    assert not [query for query in stage.prometheus.queries if '"} or vector(1)' in query.replace('\\"', "?")]


def test_a_bad_neighbour_cannot_fill_the_disk_with_refusals(stage: Stage) -> None:
    """Payloads without a valid token are not stored, however many arrive."""
    with stage.serve(role="web", webhook_token="another"):
        answers = [stage.post(b"x" * 100_000).status for _ in range(20)]
    assert set(answers) == {401}
    assert stage.database.stat().st_size < 500_000
