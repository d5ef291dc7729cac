"""PagerDuty (Events API v2): an alert that pages on-call, and its resolve.

Create a service with the integration *Events API V2* and put its integration key into
`RESPONDER_PAGERDUTY_ROUTING_KEY`. `pagerduty_fallback` is a second key, or the same key in another region, for pages
that the first does not take.

For acknowledgements, notes and resolves in PagerDuty to reach the other channels, add a *Generic Webhook (V3)*
of the service with the URL `https://HOST/pagerduty/webhooks`, and put the secret that PagerDuty shows into
`RESPONDER_PAGERDUTY_WEBHOOK_SECRET`. A read-only REST API key in `RESPONDER_PAGERDUTY_API_TOKEN` finds PagerDuty's
incident, which messages then link, and where PagerDuty groups alerts the incidents that it stands for. With a key that
may write and the e-mail address of a PagerDuty user in `RESPONDER_PAGERDUTY_API_FROM`, actions of people elsewhere and
late findings are added to it as notes.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from responder.model.check import Result, bad, ok, skipped, warn
from responder.model.message import ClaimedMessage, Request, Response
from responder.model.outcome import Delivered, Outcome, Refused, TryLater
from responder.model.report import MessageKind, Report
from responder.model.rule import Link
from responder.model.secret import Secret
from responder.model.setting import Setting, one_of, rate, secret
from responder.model.text import cut
from responder.notify.contract import Channel, RateLimit, SendRequest, ShownMessage, Use, per_minute
from responder.notify.render import pagerduty_event
from responder.notify.render.pagerduty_event import SUMMARY_LIMIT
from responder.notify.render.response import ascii_only, decoded, encoded, error_text, outcome_of, text_of
from responder.notify.report.links import safe_url

# https://developer.pagerduty.com/docs/events-api-v2/trigger-events/ and .../send-alert-event/
EVENT_LIMIT = 512_000  # bytes of the whole event
DEDUP_LIMIT = 255  # characters

BURST = 20
# https://developer.pagerduty.com/docs/events-api-v2/overview/: some 120 events a minute and integration key.
RATE_LIMIT = per_minute(120, BURST)

#: The URL of each service region. https://support.pagerduty.com/main/docs/service-regions
REGIONS = {"us": "https://events.pagerduty.com", "eu": "https://events.eu.pagerduty.com"}

#: Seconds until an event is retried if it is not known whether PagerDuty accepted it.
UNKNOWN_SECONDS = 60.0

_RESOLVE, _ACKNOWLEDGE = "resolve", "acknowledge"
_KEY = re.compile(r"[0-9a-zA-Z]{32}")


@dataclass(frozen=True, slots=True)
class PagerDuty(Channel):
    """Sends to ``<base_url>/v2/enqueue``; ``client_url`` is the public URL of responder.

    ``console_url`` is that of its console, which has a page for each incident; it takes precedence.
    """

    routing_key: Secret
    base_url: str = "https://events.pagerduty.com"
    client_url: str = ""
    rate_limit: RateLimit = RATE_LIMIT
    name: str = field(default="pagerduty", kw_only=True)
    console_url: str = field(default="", kw_only=True)
    settings: ClassVar[tuple[Setting, ...]] = (
        secret("pagerduty_routing_key", "integration key of a PagerDuty Events API v2 service"),
        Setting("pagerduty_url", "base of /v2/enqueue", default="https://events.pagerduty.com"),
        rate("pagerduty_events_per_minute", 120, "one PagerDuty key"),
        secret(
            "pagerduty_webhook_secret",
            "secret of the webhook subscription, so that acknowledgements reach responder; several, by spaces",
        ),
        secret(
            "pagerduty_api_token",
            "REST API token: finds the incidents of PagerDuty, to link them and where PagerDuty groups alerts",
        ),
        Setting(
            "pagerduty_api_from",
            "e-mail address of the PagerDuty user who writes notes; with it the token must be able to write",
        ),
        Setting(
            "pagerduty_api_url",
            "base of /incidents; https://api.eu.pagerduty.com in the EU",
            default="https://api.pagerduty.com",
        ),
    )
    destination: ClassVar[str] = "pagerduty_routing_key"
    alertmanager_receiver: ClassVar[str] = "pagerduty_configs"
    file_settings: ClassVar[tuple[Setting, ...]] = (
        Setting("pagerduty_region", "us or eu, instead of the url", default="us", check=one_of(*REGIONS)),
    )
    title: ClassVar[str] = "PagerDuty"
    account: ClassVar[tuple[str, ...]] = ("base_url", "routing_key")
    pages: ClassVar[bool] = True
    fallback_order: ClassVar[int] = 10
    steps: ClassVar[Mapping[MessageKind, tuple[str, ...]]] = {
        **dict.fromkeys(MessageKind, ()),
        MessageKind.START: ("trigger",),
        MessageKind.AGAIN: ("trigger",),
        MessageKind.UPDATE: ("trigger",),
        MessageKind.LATE: ("trigger",),
        MessageKind.FALLBACK: ("trigger",),
        MessageKind.RESOLUTION: (_RESOLVE,),
        MessageKind.ACKNOWLEDGED: (_ACKNOWLEDGE,),
    }

    @classmethod
    def from_settings(cls, given: Mapping[str, Any]) -> Self | None:
        """Return the channel of the first key."""
        key = given["pagerduty_routing_key"]
        own = given["public_url"], _rate_limit(given)
        return cls(key, given["pagerduty_url"], *own, console_url=given["console_url"]) if key.reveal() else None

    @classmethod
    def from_rule_files(cls, name: str, own: Mapping[str, Any], given: Mapping[str, Any]) -> Self | None:
        """Return the channel of a key of its own, in its own region."""
        region = own.get("pagerduty_region")
        there = {"pagerduty_url": REGIONS[region]} if region else {}
        return super(PagerDuty, cls).from_rule_files(name, {**there, **own}, given)

    @property
    def clock_url(self) -> str:
        """PagerDuty's address, whose Date header ``doctor`` compares the clock with."""
        return self.base_url

    @classmethod
    def unconfigured(cls, name: str) -> Result:
        """Return that on-call is not paged."""
        return bad(name, "no PagerDuty routing key: nobody will be paged", "set RESPONDER_PAGERDUTY_ROUTING_KEY")

    def check(self, send: SendRequest) -> Iterator[Result]:
        """Check that PagerDuty answers and that the key looks like one; only an event can prove it."""
        key = self.routing_key.reveal()
        if not _KEY.fullmatch(key):
            text = f"the key has {len(key)} characters, expected 32 letters and digits"
            yield warn(self.name, text, "copy the integration key of an Events API v2 service")
        response = send(Request(self.base_url, b"", method="GET"))
        if response.status >= 500:
            yield bad(self.name, f"answers HTTP {response.status}", "see status.pagerduty.com")
        elif _KEY.fullmatch(key):
            yield ok(self.name, "answers; --send proves the key")

    def dry_run(self, sent: Sequence[Request]) -> tuple[str, bytes]:
        """Return the action and how near the event is to PagerDuty's limits, and the event."""
        body = sent[0].body
        event = json.loads(body)
        summary = len(event.get("payload", {}).get("summary", ""))
        limits = f"{len(body):,} of {EVENT_LIMIT:,} bytes, summary {summary} of {SUMMARY_LIMIT:,} characters"
        return f"{event['event_action']}: {limits}", body

    def shown(self, request: Request) -> ShownMessage:
        """Return the page of the incident: title, details without the numbers that sort them, links."""
        event = json.loads(request.body)
        payload = event.get("payload")
        if payload is None:
            return ShownMessage(where="resolves the alert")
        links = tuple(Link(each["text"], each["href"]) for each in event.get("links", ()))
        details = payload.get("custom_details", {}).items()
        rows = [(key.partition(" ")[2].capitalize(), text) for key, text in details]
        return ShownMessage(
            where=f"alert, severity {payload['severity']}, source {payload['source']}",
            title=payload["summary"],
            rows=(*rows, ("Links", " · ".join(each.text for each in links))),
            links=links,
        )

    def render(self, message: ClaimedMessage) -> Request:
        """Return the event: a minimal resolve, or a trigger within the vendor's limits."""
        report = message.report
        if message.step in {_RESOLVE, _ACKNOWLEDGE}:
            body = encoded(self._event(report, message.step))
        elif message.minimal:
            body = encoded(self._plain(report))
        else:
            body = self._fitted(report)
        url = f"{self.base_url.rstrip('/')}/v2/enqueue"
        return Request(url=url, body=body, headers={"Content-Type": "application/json"})

    def read(self, message: ClaimedMessage, response: Response) -> Outcome:
        """Return the outcome: accepted is a 2xx whose body says ``status: success``, which PagerDuty sends with 202.

        Any other 2xx may or may not have been taken, so it is sent again once a minute; the dedup key merges it. A 4xx
        is refused where PagerDuty says so in its own JSON; one of a proxy may pass, as 408, 425, 429 and 5xx may.
        """
        answer = decoded(response)
        said = ": ".join(filter(None, (text_of(answer.get("message")), text_of(answer.get("errors")))))
        outcome = outcome_of(message, response, said, (self.routing_key,))
        if isinstance(outcome, Delivered):
            if answer.get("status") == "success":
                return Delivered({"dedup_key": message.report.dedup_key})
            what = f"HTTP {response.status} without PagerDuty's status: success"
            return TryLater(
                error_text(what, said or text_of(answer.get("status")), (self.routing_key,)), UNKNOWN_SECONDS
            )
        if isinstance(outcome, Refused) and not isinstance(answer.get("status"), str):
            return TryLater(f"{outcome.reason} (not PagerDuty's own response: check the proxies in between)")
        return outcome

    def _event(self, report: Report, action: str) -> dict[str, Any]:
        return {
            "routing_key": self.routing_key.reveal(),
            "event_action": action,
            "dedup_key": report.dedup_key[:DEDUP_LIMIT],
        }

    def _fitted(self, report: Report) -> bytes:
        for shed in range(len(pagerduty_event.SHED) + 1):
            body = encoded(self._trigger(report, shed))
            if len(body) <= EVENT_LIMIT:
                return body
        return encoded(self._plain(report))

    def _trigger(self, report: Report, shed: int) -> dict[str, Any]:
        payload = {
            "summary": pagerduty_event.summary(report),
            "source": pagerduty_event.line("/".join(filter(None, (report.namespace, report.service)))) or "responder",
            "severity": pagerduty_event.severity(report),
            "timestamp": report.started_at.isoformat(),
            "component": pagerduty_event.line(report.service),
            "group": pagerduty_event.line(report.namespace),
            "class": pagerduty_event.line(report.rule),
            "custom_details": pagerduty_event.details(report, shed),
        }
        event = self._event(report, "trigger") | {
            "client": "responder",
            "payload": {key: value for key, value in payload.items() if value},
            "links": pagerduty_event.links(report),
        }
        return event | ({"client_url": client} if (client := self._client_url(report)) else {})

    def _client_url(self, report: Report) -> str:
        """The page of the incident; the address of responder without a console, and of the digest of a flood."""
        known = self.console_url and report.incident.startswith("INC-")
        page = f"{self.console_url.rstrip('/')}/incidents/{report.incident}" if known else ""
        return safe_url(page) or safe_url(self.client_url)

    def _plain(self, report: Report) -> dict[str, Any]:
        """Return the minimal trigger: ASCII only, no details, no links but the runbook's."""
        payload = {
            "summary": cut(ascii_only(pagerduty_event.summary(report)), SUMMARY_LIMIT),
            "source": ascii_only(pagerduty_event.line(report.service)) or "responder",
            "severity": pagerduty_event.severity(report),
        }
        return (
            self._event(report, "trigger")
            | {"payload": payload}
            | ({"links": link} if (link := pagerduty_event.runbook(report)) else {})
        )


@dataclass(frozen=True, slots=True)
class PagerDutyFallback(PagerDuty):
    """A second key or region of PagerDuty, for pages that the first does not take."""

    name: str = field(default="pagerduty_fallback", kw_only=True)
    title: ClassVar[str] = "PagerDuty's second key"
    fallback_order: ClassVar[int] = 20
    use: ClassVar[Use] = Use.FALLBACK
    destination: ClassVar[str] = ""
    file_settings: ClassVar[tuple[Setting, ...]] = ()
    settings: ClassVar[tuple[Setting, ...]] = (
        secret(
            "pagerduty_fallback_routing_key",
            "second integration key, used while the first does not accept pages",
            calls_oncall=True,
        ),
        Setting("pagerduty_fallback_url", "base of /v2/enqueue for the second key, another region for example"),
    )

    @classmethod
    def from_settings(cls, given: Mapping[str, Any]) -> Self | None:
        """Return the channel of the second key, or of the first key in another region."""
        first, second = given["pagerduty_routing_key"], given["pagerduty_fallback_routing_key"]
        url = given["pagerduty_fallback_url"]
        if not (second.reveal() or url):
            return None
        key = second if second.reveal() else first
        own = given["public_url"], _rate_limit(given)
        return cls(key, url or given["pagerduty_url"], *own, console_url=given["console_url"])

    @classmethod
    def problems(cls, given: Mapping[str, Any]) -> Iterator[str]:
        """Yield what keeps the fallback from being one."""
        first, second = given["pagerduty_routing_key"].reveal(), given["pagerduty_fallback_routing_key"].reveal()
        url = given["pagerduty_fallback_url"]
        if (second or url) and not first:
            yield "RESPONDER_PAGERDUTY_ROUTING_KEY is not set: a fallback needs a first key"
        if second == first and first and url in {"", given["pagerduty_url"]}:
            yield (
                "RESPONDER_PAGERDUTY_FALLBACK_ROUTING_KEY is the first key: write another key, or another region's URL"
            )

    @classmethod
    def unconfigured(cls, name: str) -> Result:
        """Return that there is no fallback at PagerDuty."""
        return skipped(name, "PagerDuty has no second key or region")


def _rate_limit(given: Mapping[str, Any]) -> RateLimit:
    return per_minute(given["pagerduty_events_per_minute"], BURST)
