"""A status page of any other system: signed JSON for each change that customers read.

Put the address of the receiver into `RESPONDER_STATUS_WEBHOOK_URL` and a key for the signatures into
`RESPONDER_STATUS_WEBHOOK_SIGNING_SECRET`. In a rule file:

    channels:
      public: {kind: status_webhook, url: {secret: status-url}, signing_secret: {secret: status-key}}

Severities, services and people publish on it as on `statuspage`. Requests are signed as those of `generic_webhook`.

The body has `version` (1), `id` (also in the header `webhook-id`, the same for each retry), `event` (`open`, `update`
or `resolve`), `incident`, `state` (`investigating`, `identified`, `monitoring` or `resolved`), `title`, `text`,
`components` (each with `id` and `state`: `operational`, `degraded`, `partial` or `major`), `started_at`, `ended_at` and
`sent_at`. A receiver that keeps its page in git writes a file named by `incident`. Any 2xx is an acceptance. This
channel never pages.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from responder.model.check import Result, bad, ok
from responder.model.message import ClaimedMessage, Request, Response
from responder.model.outcome import Outcome
from responder.model.report import MessageKind, PublicText
from responder.model.secret import Secret
from responder.model.setting import Setting, secret
from responder.notify.contract import Channel, RateLimit, SendRequest, ShownMessage, Use, call_host, per_minute
from responder.notify.render.response import ascii_only, encoded, outcome_of, within
from responder.notify.render.standard_webhook import key_problem, signed_headers

#: Version of the body. A field that is removed or changes its meaning makes a new one.
VERSION = 1
#: Bytes of a title and of a text.
TITLE_LIMIT, TEXT_LIMIT = 255, 10_000
RATE_LIMIT = per_minute(60, 10)
#: State of a component by the severity in the words of PagerDuty.
COMPONENT_STATES = {"critical": "major", "error": "partial"}
_OPEN, _UPDATE, _RESOLVE = "open", "update", "resolve"


@dataclass(frozen=True, slots=True)
class StatusWebhook(Channel):
    """Posts to ``url``; ``key`` signs each request."""

    url: Secret
    key: Secret
    name: str = field(default="status_webhook", kw_only=True)
    settings: ClassVar[tuple[Setting, ...]] = (
        secret("status_webhook_url", "address that gets what a status page shows, as signed JSON"),
        secret(
            "status_webhook_signing_secret",
            "key of the signatures, at least 16 bytes: text, or whsec_ with Base64",
            check=key_problem,
        ),
    )
    destination: ClassVar[str] = "status_webhook_url"
    title: ClassVar[str] = "the status page"
    account: ClassVar[tuple[str, ...]] = ("url",)
    use: ClassVar[Use] = Use.STATUS_PAGE
    rate_limit: ClassVar[RateLimit] = RATE_LIMIT
    steps: ClassVar[Mapping[MessageKind, tuple[str, ...]]] = {
        **dict.fromkeys(MessageKind, ()),
        MessageKind.START: (_OPEN,),
        MessageKind.AGAIN: (_OPEN,),
        MessageKind.NOTE: (_UPDATE,),
        MessageKind.RESOLUTION: (_RESOLVE,),
    }

    @classmethod
    def from_settings(cls, given: Mapping[str, Any]) -> Self | None:
        """Return the channel of the address."""
        url, key = given["status_webhook_url"], given["status_webhook_signing_secret"]
        return cls(url, key) if url.reveal() and key.reveal() else None

    @classmethod
    def problems(cls, given: Mapping[str, Any]) -> Iterator[str]:
        """Yield that the address has no key."""
        if given["status_webhook_url"].reveal() and not given["status_webhook_signing_secret"].reveal():
            yield "RESPONDER_STATUS_WEBHOOK_URL needs RESPONDER_STATUS_WEBHOOK_SIGNING_SECRET"

    def check(self, send: SendRequest) -> Iterator[Result]:
        """Check that the host answers; any request to the address itself might be published."""
        if problem := key_problem(self.key.reveal()):
            yield bad(self.name, f"the signing secret {problem}", "see RESPONDER_STATUS_WEBHOOK_SIGNING_SECRET")
        call_host(send, self.url)
        yield ok(self.name, "the host of the status page answers")

    def shown(self, request: Request) -> ShownMessage:
        """Return what customers read."""
        sent = json.loads(request.body)
        return ShownMessage(where="status page", title=sent["title"], rows=((sent["state"], sent["text"]),))

    def dry_run(self, sent: Sequence[Request]) -> tuple[str, bytes]:
        """Return the event, and the body."""
        return f"{json.loads(sent[0].body)['event']}, {len(sent[0].body):,} bytes", sent[0].body

    def render(self, message: ClaimedMessage) -> Request:
        """Return the signed request; the minimal form has neither components nor characters outside ASCII."""
        report = message.report
        public = report.public or PublicText("Service disruption", "Under investigation.")
        over = report.kind is MessageKind.RESOLUTION
        state = "operational" if over else COMPONENT_STATES.get(report.pagerduty_severity, "degraded")
        title, text = within(public.title, TITLE_LIMIT), within(public.text, TEXT_LIMIT)
        number = f"status_{report.dedup_key[:16]}_{message.id}"
        body = encoded(
            {
                "version": VERSION,
                "id": number,
                "event": message.step,
                "incident": report.incident,
                "state": report.status.value.lower(),
                "title": ascii_only(title) if message.minimal else title,
                "text": ascii_only(text) if message.minimal else text,
                "components": [] if message.minimal else [{"id": each, "state": state} for each in public.components],
                "started_at": report.started_at.isoformat(),
                "ended_at": report.ended_at.isoformat() if report.ended_at else None,
                "sent_at": report.written_at.isoformat(),
            }
        )
        headers = signed_headers(self.key, number, int(report.written_at.timestamp()), body)
        return Request(url=self.url.reveal(), body=body, headers=headers)

    def read(self, message: ClaimedMessage, response: Response) -> Outcome:
        """Return the outcome: any 2xx is an acceptance; the beginning of any other body is the reason."""
        return outcome_of(message, response, response.body[:200].decode("utf-8", "replace"), (self.url, self.key))
