"""What each channel needs for its contract: built with a secret, and its answer for accepted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from responder.model.message import Response
from responder.model.secret import Secret
from responder.notify.channels.log import Log
from responder.notify.channels.pagerduty import PagerDuty
from responder.notify.channels.slack import Slack
from responder.notify.channels.slack_webhook import SlackWebhook
from responder.notify.contract import Channel

KEY = "0123456789abcdef0123456789abcdef"
TOKEN = "xoxb-111111111111-example-token"
HOOK = "https://hooks.slack.example.com/services/T000/B000/exampleexample"


@dataclass(frozen=True)
class Case:
    """One channel under contract; ``secret`` is empty where it has none."""

    make: Callable[[], Channel]
    secret: str
    accepted: Response


CASES: dict[str, Case] = {
    "pagerduty": Case(
        lambda: PagerDuty(Secret(KEY), "https://events.example.com", "https://responder.example.com"),
        KEY,
        Response(202, b'{"status":"success","message":"Event processed","dedup_key":"k"}'),
    ),
    "slack": Case(
        lambda: Slack(Secret(TOKEN), "#incidents", "https://slack.example.com/api"),
        TOKEN,
        Response(200, b'{"ok":true,"channel":"C1","ts":"1772246460.000100"}'),
    ),
    "slack_webhook": Case(lambda: SlackWebhook(Secret(HOOK)), HOOK, Response(200, b"ok")),
    "log": Case(Log, "", Response(200, b"ok")),
}
