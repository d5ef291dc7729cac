"""Slack by incoming webhook: a message of its own for each change; a webhook can neither edit nor reply.

Put the address of the webhook into `RESPONDER_SLACK_WEBHOOK_URL`. It is used if there is no bot token, for rules that
name `slack`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from responder.model.check import Result, ok
from responder.model.message import ClaimedMessage, Request, Response
from responder.model.outcome import Delivered, Outcome, TryLater
from responder.model.report import MessageKind
from responder.model.secret import Secret
from responder.model.setting import Setting, secret
from responder.notify.contract import Channel, RateLimit, SendRequest, ShownMessage, call_host, per_minute
from responder.notify.render.response import decoded, encoded, outcome_of
from responder.notify.render.slack_messages import (
    BURST,
    ONCALL_GROUP,
    RATE_LIMIT,
    dry_run,
    fallback_page,
    minimal_text,
    parent,
    shown,
)


@dataclass(frozen=True, slots=True)
class SlackWebhook(Channel):
    """Posts to ``url``, which is itself the secret. ``group`` is the user group that an alarm mentions."""

    url: Secret
    rate_limit: RateLimit = RATE_LIMIT
    group: str = ""
    name: str = field(default="slack_webhook", kw_only=True)
    settings: ClassVar[tuple[Setting, ...]] = (
        secret("slack_webhook_url", "Slack incoming webhook, used without a bot token"),
    )
    destination: ClassVar[str] = "slack_webhook_url"
    title: ClassVar[str] = "Slack's webhook"
    account: ClassVar[tuple[str, ...]] = ("url",)
    fallback_order: ClassVar[int] = 40
    stands_in_for: ClassVar[str] = "slack"

    @classmethod
    def from_settings(cls, given: Mapping[str, Any]) -> Self | None:
        """Return the channel of the webhook where no bot is configured."""
        url, rate_limit = given["slack_webhook_url"], per_minute(given["slack_messages_per_minute"], BURST)
        if given["slack_bot_token"].reveal() or not url.reveal():
            return None
        return cls(url, rate_limit, given["slack_oncall_group"])

    @classmethod
    def from_rule_files(cls, name: str, own: Mapping[str, Any], given: Mapping[str, Any]) -> Self | None:
        """Return the channel of a webhook of its own, beside a bot."""
        return super(SlackWebhook, cls).from_rule_files(name, own, {**given, "slack_bot_token": Secret("")})

    @classmethod
    def keys(cls) -> Mapping[str, Setting]:
        """Return the webhook's keys, and the user group of all Slack channels."""
        return {**super(SlackWebhook, cls).keys(), "oncall_group": ONCALL_GROUP}

    def check(self, send: SendRequest) -> Iterator[Result]:
        """Check that the host of the webhook answers."""
        call_host(send, self.url)
        yield ok(self.name, "the incoming webhook's host answers; --send proves the address")
        if self.group:
            yield ok(self.name, f"group {self.group} is well formed; not checked: a webhook cannot look it up")

    def dry_run(self, sent: Sequence[Request]) -> tuple[str, bytes]:
        """Return how near the message is to Slack's limits, and the message."""
        return dry_run(sent)

    def shown(self, request: Request) -> ShownMessage:
        """Return the message."""
        return shown(request, "the channel of the webhook")

    @property
    def reaches_on_call(self) -> bool:
        """True if there is a group to mention."""
        return bool(self.group)

    def render(self, claimed: ClaimedMessage) -> Request:
        """Return a message with blocks; text alone in the minimal form."""
        report = claimed.report
        if claimed.minimal:
            body: dict[str, Any] = {"text": minimal_text(report, self.group)}
        else:
            message = fallback_page(report, self.group) if report.kind is MessageKind.FALLBACK else parent(report)
            body = {"text": message.text, "blocks": message.blocks}
        headers = {"Content-Type": "application/json; charset=utf-8"}
        return Request(url=self.url.reveal(), body=encoded(body | {"unfurl_links": False}), headers=headers)

    def read(self, claimed: ClaimedMessage, response: Response) -> Outcome:
        """Return the outcome: accepted is 200 with ``ok``, or with JSON whose ``ok`` or ``success`` is true.

        Errors come as a bare word with a 4xx (invalid_payload, channel_not_found, ...), which makes the reason.
        """
        outcome = outcome_of(claimed, response, response.body[:200].decode("utf-8", "replace"), (self.url,))
        if not isinstance(outcome, Delivered) or response.body.strip() == b"ok":
            return outcome
        answer = decoded(response)
        if answer.get("ok") is True or answer.get("success") is True:
            return outcome
        return TryLater("HTTP 200 without Slack's own response")
