"""What each channel needs for its contract: built with a secret, and its answer for accepted."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from responder.model.message import Letter, Response
from responder.model.report import Report
from responder.model.secret import Secret
from responder.notify.channels.log import Log
from responder.notify.channels.pagerduty import PagerDuty, PagerDutyFallback
from responder.notify.channels.slack import Slack
from responder.notify.channels.slack_webhook import SlackWebhook
from responder.notify.channels.smtp import Smtp
from responder.notify.contract import Channel
from tests.support.builders import a_letter

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
    "pagerduty_fallback": Case(
        lambda: PagerDutyFallback(Secret(KEY), "https://events.eu.example.com", "https://responder.example.com"),
        KEY,
        Response(202, b'{"status":"success","message":"Event processed","dedup_key":"k"}'),
    ),
    "slack": Case(
        lambda: Slack(Secret(TOKEN), "#incidents", "https://slack.example.com/api"),
        TOKEN,
        Response(200, b'{"ok":true,"channel":"C1","ts":"1772246460.000100"}'),
    ),
    "slack_webhook": Case(lambda: SlackWebhook(Secret(HOOK)), HOOK, Response(200, b"ok")),
    "smtp": Case(
        lambda: Smtp("responder@example.com", ("oncall@example.com", "lead@example.com")),
        "",
        Response(200, b"accepted"),
    ),
    "log": Case(Log, "", Response(200, b"ok")),
}


def letters(channel: Channel, report: Report, **changes: Any) -> list[Letter]:
    """A letter for each step that any moment takes on the channel, with and without a first message, plain and full."""
    previous: list[dict[str, str]] = [{}, {"channel": "C1", "ts": "1.2"}]
    return [
        a_letter(
            replace(report, moment=moment), channel=channel.name, step=step, plain=plain, previous=known, **changes
        )
        for moment, steps in channel.steps.items()
        for step, plain, known in itertools.product(steps, (False, True), previous)
    ]
