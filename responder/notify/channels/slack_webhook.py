"""Slack by incoming webhook: a message of its own for each moment; a webhook can neither edit nor thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from responder.model.message import Letter, Request, Response
from responder.model.outcome import Delivered, Outcome, TryLater
from responder.model.report import Moment
from responder.model.secret import Secret
from responder.notify.contract import Channel
from responder.notify.rate_limit import Pace
from responder.notify.render.response import decoded, encoded, judged
from responder.notify.render.slack_messages import PACE, alarm, parent, plain

_STEPS = ("post",)


@dataclass(frozen=True, slots=True)
class SlackWebhook(Channel):
    """Posts to ``url``, which is itself the secret. ``group`` is the user group that an alarm mentions."""

    url: Secret
    pace: Pace = PACE
    group: str = ""
    name: str = field(default="slack_webhook", kw_only=True)
    title: ClassVar[str] = "Slack's webhook"
    fallback_order: ClassVar[int] = 40
    stands_in_for: ClassVar[str] = "slack"
    steps: ClassVar[Mapping[Moment, tuple[str, ...]]] = dict.fromkeys(Moment, _STEPS)

    @property
    def wakes(self) -> bool:
        """True if there is a group to mention: a message among others calls nobody."""
        return bool(self.group)

    def render(self, letter: Letter) -> Request:
        """One message with blocks; text alone in the minimal form."""
        report = letter.report
        if letter.plain:
            body: dict[str, Any] = {"text": plain(report, self.group)}
        else:
            message = alarm(report, self.group) if report.moment is Moment.FALLBACK else parent(report)
            body = {"text": message.text, "blocks": message.blocks}
        headers = {"Content-Type": "application/json; charset=utf-8"}
        return Request(url=self.url.reveal(), body=encoded(body | {"unfurl_links": False}), headers=headers)

    def read(self, letter: Letter, response: Response) -> Outcome:
        """Accepted is 200 with ``ok``, or a JSON object whose ``ok`` or ``success`` is true, as lookalikes say it.

        Errors come as a bare word with a 4xx (invalid_payload, channel_not_found, ...), which makes the reason.
        """
        outcome = judged(letter, response, response.body[:200].decode("utf-8", "replace"), (self.url,))
        if not isinstance(outcome, Delivered) or response.body.strip() == b"ok":
            return outcome
        answer = decoded(response)
        if answer.get("ok") is True or answer.get("success") is True:
            return outcome
        return TryLater("HTTP 200 without the answer Slack gives")
