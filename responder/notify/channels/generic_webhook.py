"""A webhook of any other system: signed JSON with a published schema, one request for each change of an incident.

1. Make a key for the signatures, for example with `echo "whsec_$(openssl rand -base64 32)"`, and put it into
   `RESPONDER_GENERIC_WEBHOOK_SIGNING_SECRET` and into the receiver.
2. Put the address of the receiver into `RESPONDER_GENERIC_WEBHOOK_URL`. It is treated as a secret, since many addresses
   contain one.
3. `responder doctor --send` sends the start and the resolution of a test incident.

In a rule file:

    channels:
      payments-hook: {kind: generic_webhook, url: {secret: hook-url}, signing_secret: {secret: hook-key}}

Requests follow [Standard Webhooks](https://www.standardwebhooks.com), for which there are libraries in many languages.
The header `webhook-id` is the same for each retry of one message: use it as the idempotency key. `webhook-timestamp` is
the time in epoch seconds: refuse what is more than five minutes old. `webhook-signature` is `v1,` and the Base64 of the
HMAC-SHA256 of `ID.TIMESTAMP.BODY`; a key with `whsec_` is Base64, any other key is used as it is.

The body follows `responder/notify/channels/generic_webhook.schema.json` in the package. `version` is 1; further fields
may be added, so ignore unknown ones. `event` is one of `start`, `again`, `update`, `late`, `resolution`, `fallback`,
`unclosed`, `opinion`, `acknowledged`, `note`, `postmortem` and `reminder`. Any 2xx is an acceptance; any other
response is handled as on every channel. This channel never pages.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Self

from responder.model.check import Result, bad, ok
from responder.model.finding import Finding, Verdict, worst_first
from responder.model.message import ClaimedMessage, Request, Response
from responder.model.outcome import Outcome
from responder.model.report import Report
from responder.model.secret import Secret
from responder.model.setting import Setting, rate, secret
from responder.model.text import clean
from responder.notify.contract import Channel, RateLimit, SendRequest, call_host, per_minute
from responder.notify.render.plain_text import minimal
from responder.notify.render.response import ascii_only, encoded, outcome_of, within
from responder.notify.render.standard_webhook import key_problem, signed_headers
from responder.notify.report.links import safe_url

#: Version of the body. A field that is removed or changes its meaning makes a new one.
VERSION = 1
#: Bytes of a body: less than receivers commonly accept (Standard Webhooks recommends 20 KB).
BODY_LIMIT = 20_000
#: Bytes of a text, and of the detail of a finding.
TEXT_LIMIT, DETAIL_LIMIT = 1_000, 2_000
MOST_FINDINGS, MOST_LABELS = 40, 60
BURST = 10
RATE_LIMIT = per_minute(60, BURST)

# What is left out if the body is too long, least important first.
_SHED = ("labels", "detail", "findings", "links", "conclusion")


@dataclass(frozen=True, slots=True)
class GenericWebhook(Channel):
    """Posts to ``url``; ``key`` signs each request."""

    url: Secret
    key: Secret
    rate_limit: RateLimit = RATE_LIMIT
    name: str = field(default="generic_webhook", kw_only=True)
    settings: ClassVar[tuple[Setting, ...]] = (
        secret("generic_webhook_url", "address that gets each change of an incident as signed JSON"),
        secret(
            "generic_webhook_signing_secret",
            "key of the signatures, at least 16 bytes: text, or whsec_ with Base64",
            check=key_problem,
        ),
        rate("generic_webhook_messages_per_minute", 60, "one address"),
    )
    destination: ClassVar[str] = "generic_webhook_url"
    title: ClassVar[str] = "the webhook"
    account: ClassVar[tuple[str, ...]] = ("url",)
    fallback_order: ClassVar[int] = 58

    @classmethod
    def from_settings(cls, given: Mapping[str, Any]) -> Self | None:
        """Return the channel of the address."""
        url, key = given["generic_webhook_url"], given["generic_webhook_signing_secret"]
        limit = per_minute(given["generic_webhook_messages_per_minute"], BURST)
        return cls(url, key, limit) if url.reveal() and key.reveal() else None

    @classmethod
    def problems(cls, given: Mapping[str, Any]) -> Iterator[str]:
        """Yield that the address has no key."""
        if given["generic_webhook_url"].reveal() and not given["generic_webhook_signing_secret"].reveal():
            yield "RESPONDER_GENERIC_WEBHOOK_URL needs RESPONDER_GENERIC_WEBHOOK_SIGNING_SECRET"

    def check(self, send: SendRequest) -> Iterator[Result]:
        """Check that the host answers; any request to the address itself might be taken for a message."""
        if problem := key_problem(self.key.reveal()):
            yield bad(self.name, f"the signing secret {problem}", "see RESPONDER_GENERIC_WEBHOOK_SIGNING_SECRET")
        call_host(send, self.url)
        yield ok(self.name, "the host of the webhook answers; --send proves the address and the key")

    def dry_run(self, sent: Sequence[Request]) -> tuple[str, bytes]:
        """Return how near the body is to its limit, and the body."""
        return f"{len(sent[0].body):,} of {BODY_LIMIT:,} bytes", sent[0].body

    def render(self, message: ClaimedMessage) -> Request:
        """Return the signed request. Text of alerts is only a value of JSON."""
        report = message.report
        number = f"msg_{report.dedup_key[:16]}_{message.id}"
        sent_at = int(report.written_at.timestamp())
        body = encoded(_minimal(report, number)) if message.minimal else _fitted(report, number)
        return Request(url=self.url.reveal(), body=body, headers=signed_headers(self.key, number, sent_at, body))

    def read(self, message: ClaimedMessage, response: Response) -> Outcome:
        """Return the outcome: any 2xx is an acceptance; the beginning of any other body is the reason."""
        return outcome_of(message, response, response.body[:200].decode("utf-8", "replace"), (self.url, self.key))


def _head(report: Report, number: str) -> dict[str, Any]:
    return {
        "version": VERSION,
        "id": number,
        "event": report.kind.value,
        "incident": report.incident,
        "dedup_key": report.dedup_key,
        "sent_at": _time(report.written_at),
        "started_at": _time(report.started_at),
        "ended_at": _time(report.ended_at),
        "firing": report.firing,
        "resolved": report.resolved,
        "pages": report.pages,
    }


def _minimal(report: Report, number: str) -> dict[str, Any]:
    """Return the required fields, in ASCII."""
    head, *lines = minimal(report, TEXT_LIMIT)
    return {
        **_head(report, number),
        "severity": ascii_only(_text(report.severity)),
        "status": report.status.value,
        "title": head,
        "summary": "; ".join(lines),
    }


def _fitted(report: Report, number: str) -> bytes:
    """Return the body, without the least important parts where it is too long; ``cut`` names them."""
    for shed in range(len(_SHED) + 1):
        body = encoded(_body(report, number, _SHED[:shed]))
        if len(body) <= BODY_LIMIT:
            return body
    return encoded(_minimal(report, number))


def _body(report: Report, number: str, cut: Sequence[str]) -> dict[str, Any]:
    texts = {
        "severity": report.severity,
        "severity_reason": report.severity_reason,
        "status": report.status.value,
        "title": report.title,
        "summary": report.what,
        "impact": report.impact,
        "update": report.update,
        "fallback_reason": report.fallback_reason,
        "first_step": report.first_step,
        "note": report.note,
        "service": report.service,
        "namespace": report.namespace,
        "environment": report.environment,
        "alertname": report.alertname,
        "owner": report.owner,
        "rule": report.rule,
        "related": report.related,
        "history": report.history,
        "resolution": report.resolution,
    }
    found = report.conclusion
    concluded = {
        "code": found.code,
        "likely": found.likely,
        "chain": found.chain,
        "evidence": found.evidence,
        "changed": found.changed,
        "context": found.seen,
        "ruled_out": found.ruled_out,
        "unknown": found.unknown,
    }
    links = [
        {"text": _text(each.text), "url": url}
        for each in report.all_links
        if (url := safe_url(each.href)) and len(url) <= TEXT_LIMIT
    ]
    parts: dict[str, Any] = {
        "conclusion": {name: _text(text) for name, text in concluded.items() if text},
        "links": links,
        "findings": [
            _finding(each, detail="detail" not in cut) for each in worst_first(report.findings)[:MOST_FINDINGS]
        ],
        "labels": {_text(name): _text(value) for name, value in list(report.labels.items())[:MOST_LABELS]},
        "cut": list(cut),
    }
    texts = {name: _text(text) for name, text in texts.items() if text}
    return _head(report, number) | texts | {name: part for name, part in parts.items() if part and name not in cut}


def _finding(finding: Finding, *, detail: bool) -> dict[str, Any]:
    verdict = "critical" if finding.verdict is Verdict.BAD else finding.verdict.value
    result = "warning" if finding.warning else verdict if finding.judged else "info"
    found = {"probe": _text(finding.probe), "result": result, "headline": _text(finding.headline)}
    return found | (
        {"detail": within(clean(finding.detail[:DETAIL_LIMIT]), DETAIL_LIMIT)} if detail and finding.detail else {}
    )


def _text(text: str) -> str:
    return within(clean(text[: 2 * TEXT_LIMIT]), TEXT_LIMIT)


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
