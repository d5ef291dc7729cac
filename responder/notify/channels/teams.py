"""Microsoft Teams by a Workflows webhook: an Adaptive Card of its own for each message.

To get the address: in Teams, open the menu of the channel and choose *Workflows*, then the template *Send webhook
alerts to a channel* (earlier *Post to a channel when a webhook request is received*). Choose the team and the channel,
and copy the address that is shown last into `RESPONDER_TEAMS_WEBHOOK_URL`, or into the file that
`RESPONDER_TEAMS_WEBHOOK_URL_FILE` names. The address is a secret. A workflow belongs to the person who made it: add a
co-owner, or it ends with that account. It posts to private channels only on behalf of a user. `responder doctor --send`
posts a test card.

Rules name the channel `teams`. A workflow can neither edit a card nor reply to one, so each change is a card of its
own. A card cannot mention users, so this channel never pages. The vendor acknowledges a request before it posts the
card; the run history of the workflow shows whether the post succeeded.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from responder.model.check import Result, ok
from responder.model.message import ClaimedMessage, Request, Response
from responder.model.outcome import Outcome
from responder.model.report import MessageKind, Report
from responder.model.rule import Link
from responder.model.secret import Secret
from responder.model.setting import Setting, rate, secret
from responder.model.text import one_line
from responder.notify.contract import Channel, RateLimit, SendRequest, ShownMessage, call_host, per_minute
from responder.notify.render.plain_text import minimal
from responder.notify.render.response import decoded, encoded, outcome_of, text_of, within
from responder.notify.report.links import safe_url
from responder.notify.report.sections import findings, headline, metadata, page

#: Bytes of a request. Teams takes about 28 KB in UTF-16, which are 14 KB of ASCII
#: (https://learn.microsoft.com/en-us/microsoftteams/limits-specifications-teams).
CARD_LIMIT = 14_000
#: Bytes of one line of text.
LINE_LIMIT = 1_000
#: Teams shows six actions of a card.
MOST_ACTIONS = 6
#: Bytes of the text on a button, and of an address.
BUTTON_LIMIT, ADDRESS_LIMIT = 60, 1_000
#: Teams takes four requests a second from one address; a channel stays readable at one.
BURST = 4
RATE_LIMIT = per_minute(60, BURST)
#: Findings that are listed, the worst first.
MOST_FINDINGS = 40

_COLOURS = {MessageKind.RESOLUTION: "Good", MessageKind.UPDATE: "Accent", MessageKind.LATE: "Accent"}

Element = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Teams(Channel):
    """Posts to ``url``, which is itself the secret."""

    url: Secret
    rate_limit: RateLimit = RATE_LIMIT
    name: str = field(default="teams", kw_only=True)
    settings: ClassVar[tuple[Setting, ...]] = (
        secret("teams_webhook_url", "Microsoft Teams Workflows webhook that posts to a channel"),
        rate("teams_messages_per_minute", 60, "one Teams webhook"),
    )
    destination: ClassVar[str] = "teams_webhook_url"
    alertmanager_receiver: ClassVar[str] = "msteamsv2_configs"
    title: ClassVar[str] = "Microsoft Teams"
    account: ClassVar[tuple[str, ...]] = ("url",)
    fallback_order: ClassVar[int] = 50

    @classmethod
    def from_settings(cls, given: Mapping[str, Any]) -> Self | None:
        """Return the channel of the webhook."""
        url = given["teams_webhook_url"]
        return cls(url, per_minute(given["teams_messages_per_minute"], BURST)) if url.reveal() else None

    def check(self, send: SendRequest) -> Iterator[Result]:
        """Check that the host of the webhook answers; any request to the address itself would start the workflow."""
        call_host(send, self.url)
        yield ok(self.name, "the host of the webhook answers; --send proves the address")

    def dry_run(self, sent: Sequence[Request]) -> tuple[str, bytes]:
        """Return how near the card is to the limit, and the card."""
        return f"{len(sent[0].body):,} of {CARD_LIMIT:,} bytes", sent[0].body

    def shown(self, request: Request) -> ShownMessage:
        """Return the texts of the card and its buttons."""
        card = json.loads(request.body)["attachments"][0]["content"]
        (title,), *texts = ([run["text"] for run in each["inlines"]] for each in card["body"])
        links = tuple(Link(each["title"], each["url"]) for each in card.get("actions", ()))
        rows = [(text[0].removesuffix(": ") if text[1:] else "", text[-1]) for text in texts]
        buttons = " · ".join(each.text for each in links)
        return ShownMessage(where="card", title=title, rows=(*rows, ("Buttons", buttons)), links=links)

    def render(self, message: ClaimedMessage) -> Request:
        """Return one card: as many of its lines as fit, the most important first."""
        if message.minimal:
            body = _request([_line("", text) for text in minimal(message.report, LINE_LIMIT)], [])
        else:
            body = _fitted([_headline(message.report), *_lines(message.report)], _actions(message.report))
        return Request(url=self.url.reveal(), body=body, headers={"Content-Type": "application/json"})

    def read(self, message: ClaimedMessage, response: Response) -> Outcome:
        """Return the meaning of a response: 202 is accepted; an error has its message in the body."""
        error = decoded(response).get("error")
        said = text_of(error.get("message")) if isinstance(error, dict) else ""
        return outcome_of(message, response, said, (self.url,))


def _request(lines: list[Element], actions: list[Element]) -> bytes:
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": lines,
    } | ({"actions": actions} if actions else {})
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return encoded({"type": "message", "attachments": [attachment]})


def _fitted(lines: list[Element], actions: list[Element]) -> bytes:
    body = _request(lines, actions)
    kept = list(lines)
    while len(body) > CARD_LIMIT and len(kept) > 1:
        kept.pop()
        body = _request([*kept, _line("Cut", f"{len(lines) - len(kept)} more lines left out")], actions)
    return body


def _line(name: str, text: str, **style: object) -> Element:
    """Return a paragraph. Text runs have no Markdown, so that foreign text can neither format nor link."""
    bold: list[Element] = [{"type": "TextRun", "text": f"{name}: ", "weight": "Bolder"}] if name else []
    return {"type": "RichTextBlock", "inlines": [*bold, {"type": "TextRun", "text": _line_of(text), **style}]}


def _line_of(text: str) -> str:
    """Return the text on one line; two braces would begin a date function such as {{DATE(...)}}."""
    return within(one_line(text[: 2 * LINE_LIMIT]), LINE_LIMIT).replace("{{", "{ {").replace("{{", "{ {")


def _headline(report: Report) -> Element:
    colour = _COLOURS.get(report.kind, "Attention")
    return _line("", headline(report), size="Large", weight="Bolder", color=colour)


def _lines(report: Report) -> Iterator[Element]:
    for section in page(report):
        if not section.empty:
            yield _line(section.name, section.linked)
    for section in metadata(report):
        if not section.empty:
            yield _line(section.name, section.text, isSubtle=True)
    every = findings(report)
    for word, finding in every[:MOST_FINDINGS]:
        yield _line(word.capitalize(), finding.headline)
    if (left := len(every) - MOST_FINDINGS) > 0:
        yield _line("Cut", f"{left} more findings left out")
    if report.labels:
        labels = ", ".join(f"{name}={value}" for name, value in list(report.labels.items())[:50])
        yield _line("Labels", labels, fontType="Monospace")


def _actions(report: Report) -> list[Element]:
    links = [(one_line(each.text[: 4 * BUTTON_LIMIT]), safe_url(each.href)) for each in report.all_links]
    return [
        {"type": "Action.OpenUrl", "title": within(text, BUTTON_LIMIT) or "Link", "url": url}
        for text, url in links
        if url and len(url) <= ADDRESS_LIMIT
    ][:MOST_ACTIONS]
