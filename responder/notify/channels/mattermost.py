"""Mattermost by an incoming webhook: a message of its own for each change; a webhook can neither edit nor reply.

1. In Mattermost open the product menu, *Integrations*, *Incoming Webhooks*, *Add Incoming Webhook*. If the menu has no
   *Integrations*, a system administrator enables them in *System Console*, *Integrations*, *Integration Management*.
2. Choose a title and the channel, select *Lock to this channel*, and save.
3. Copy the address (`https://HOST/hooks/...`) into `RESPONDER_MATTERMOST_WEBHOOK_URL`, or into the file that
   `RESPONDER_MATTERMOST_WEBHOOK_URL_FILE` names. The address is a secret.

`responder doctor --send` posts a test message. In a rule file:

    channels:
      payments-mattermost: {kind: mattermost, webhook_url: {secret: payments-mattermost}}

Messages mention no user, so this channel never pages.
"""

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from responder.model.check import Result, ok
from responder.model.message import ClaimedMessage, Request, Response
from responder.model.outcome import Delivered, Outcome, TryLater
from responder.model.report import Report
from responder.model.rule import Link
from responder.model.secret import Secret
from responder.model.setting import Setting, rate, secret
from responder.model.text import one_line
from responder.notify.contract import Channel, RateLimit, SendRequest, ShownMessage, call_host, per_minute
from responder.notify.render.plain_text import further_lines, minimal, page_lines, title
from responder.notify.render.response import decoded, encoded, first_lines, outcome_of, text_of, within
from responder.notify.report.links import safe_url

#: Characters of a post. Longer posts of a webhook become several.
#: https://docs.mattermost.com/product-overview/faq-community.html and mattermost/server/public/model/post.go
POST_LIMIT = 16_383
#: Characters of one line, and of an address.
LINE_LIMIT, ADDRESS_LIMIT = 1_000, 1_000
#: Links of a message.
MOST_LINKS = 6
#: Mattermost's own limit is 10 requests a second for each client (RateLimitSettings.PerSec); a channel stays readable.
BURST = 5
RATE_LIMIT = per_minute(60, BURST)

# What Markdown, and Slack's markup, which webhooks of Mattermost translate, would read as more than text.
_MARKUP = re.compile(r"([\\`*_\[\]#~])")
_ESCAPED = re.compile(r"\\([\\`*_\[\]#~])")
_LINK = re.compile(r"(?<!\\)\[((?:[^\]\\]|\\.)*)\]\((https?://[^)]*)\)")
_NAMED = re.compile(r"(?:\*\*([^*]+):\*\* ?)?(.*)")


@dataclass(frozen=True, slots=True)
class Mattermost(Channel):
    """Posts to ``url``, which is itself the secret."""

    url: Secret
    rate_limit: RateLimit = RATE_LIMIT
    name: str = field(default="mattermost", kw_only=True)
    settings: ClassVar[tuple[Setting, ...]] = (
        secret("mattermost_webhook_url", "Mattermost incoming webhook"),
        rate("mattermost_messages_per_minute", 60, "one Mattermost webhook"),
    )
    destination: ClassVar[str] = "mattermost_webhook_url"
    alertmanager_receiver: ClassVar[str] = "mattermost_configs"
    title: ClassVar[str] = "Mattermost"
    account: ClassVar[tuple[str, ...]] = ("url",)
    fallback_order: ClassVar[int] = 55

    @classmethod
    def from_settings(cls, given: Mapping[str, Any]) -> Self | None:
        """Return the channel of the webhook."""
        url = given["mattermost_webhook_url"]
        return cls(url, per_minute(given["mattermost_messages_per_minute"], BURST)) if url.reveal() else None

    def check(self, send: SendRequest) -> Iterator[Result]:
        """Check that the server answers; any request to the address itself would post."""
        call_host(send, self.url, "/api/v4/system/ping")
        yield ok(self.name, "the server of the webhook answers; --send proves the address")

    def dry_run(self, sent: Sequence[Request]) -> tuple[str, bytes]:
        """Return how near the post is to the limit, and the post."""
        return f"{len(sent[0].body):,} bytes, at most {POST_LIMIT:,} characters", sent[0].body

    def shown(self, request: Request) -> ShownMessage:
        """Return the post without its Markdown."""
        heading, *lines = json.loads(request.body)["text"].split("\n")
        links = [Link(_plain(text), url) for line in lines for text, url in _LINK.findall(line)]
        rows = [_NAMED.match(_LINK.sub(r"\1", line)) for line in lines]
        return ShownMessage(
            where="post",
            title=_plain(heading.removeprefix("#### ")),
            rows=tuple((row[1] or "", _plain(row[2])) for row in rows if row),
            links=tuple(links),
        )

    def render(self, message: ClaimedMessage) -> Request:
        """Return one post: as many lines as fit, the most important first."""
        report = message.report
        if message.minimal:
            lines = "\n".join(minimal(report, LINE_LIMIT)).replace("`", "'")
            text = f"```\n{lines}\n```"
        else:
            page, more = _lines(page_lines(report)), _lines(further_lines(report))
            rows = [f"#### {_escaped(title(report))}", *page, *_links(report), *more]
            text = first_lines(rows, POST_LIMIT - 60, "**Cut:**")
        return Request(
            url=self.url.reveal(), body=encoded({"text": text}), headers={"Content-Type": "application/json"}
        )

    def read(self, message: ClaimedMessage, response: Response) -> Outcome:
        """Return the outcome: accepted is 200 with ``ok``; an error has its message in a JSON object."""
        answer = decoded(response)
        outcome = outcome_of(message, response, text_of(answer.get("message")), (self.url,))
        if isinstance(outcome, Delivered) and response.body.strip() != b"ok":
            return TryLater(f"HTTP {response.status} without Mattermost's own response")
        return outcome


def _lines(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, text in rows:
        yield f"**{name}:** {_escaped(text)}"


def _links(report: Report) -> Iterator[str]:
    found = [(each.text, safe_url(each.href)) for each in report.all_links]
    shown = [f"[{_escaped(text)}]({_address(url)})" for text, url in found if url and len(url) <= ADDRESS_LIMIT]
    if shown:
        yield " · ".join(shown[:MOST_LINKS])


def _plain(text: str) -> str:
    """Return what a reader sees of an escaped text."""
    return html.unescape(_ESCAPED.sub(r"\1", text).replace("\u200b", ""))


def _address(url: str) -> str:
    return url.replace("(", "%28").replace(")", "%29")


def _escaped(text: str) -> str:
    """Return text on one line that neither formats, mentions nor links, in Markdown or in Slack's markup.

    A zero-width space after ``@`` ends a mention; escaped brackets and entities make no link.
    """
    line = within(one_line(text[: 2 * LINE_LIMIT]), LINE_LIMIT)
    line = _MARKUP.sub(r"\\\1", line.replace("&", "&amp;").replace("<", "&lt;"))
    return line.replace("@", "@\u200b")
