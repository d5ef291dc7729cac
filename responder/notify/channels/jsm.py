"""Jira Service Management alerts, and Opsgenie, its predecessor: an alert that pages on-call, its notes and its close.

1. In Jira Service Management open *Operations*, choose the team, then *Integrations* and *Add integration*; choose
   *API*. (Opsgenie: *Teams*, the team, *Integrations*.)
2. Name it, allow *Create and update access*, save it and turn it on.
3. Copy the API key of the integration into `RESPONDER_JSM_API_KEY`. A key of *API key management*, or the token of an
   Atlassian account, cannot create alerts.
4. For Opsgenie set `RESPONDER_JSM_URL` to `https://api.opsgenie.com`, in the EU to `https://api.eu.opsgenie.com`.

`responder doctor --send` opens and closes a test alert. In a rule file:

    channels:
      payments-jsm: {kind: jsm, api_key: {secret: payments-jsm}}

The dedup key is the alert's alias, so that one incident is one alert. Severities named P1 to P5 are its priority;
others follow `pagerduty`: critical is P1, error P2, warning P3, info P5. Updates and late findings are notes. The
vendor acknowledges a request before it processes it; the logs of the integration show whether that succeeded.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self
from urllib.parse import quote

from responder.model.check import Result, bad, ok
from responder.model.message import ClaimedMessage, Request, Response
from responder.model.outcome import Delivered, Outcome, Refused, TryLater
from responder.model.report import MessageKind, Report
from responder.model.secret import Secret
from responder.model.setting import Setting, rate, secret
from responder.model.text import cut, sanitize_line
from responder.notify.contract import Channel, RateLimit, SendRequest, ShownMessage, per_minute
from responder.notify.render.plain_text import further_lines, minimal, page_lines
from responder.notify.render.response import ascii_only, decoded, encoded, error_text, first_lines, outcome_of, text_of
from responder.notify.report.links import safe_url

# Characters. https://docs.opsgenie.com/docs/alerts-and-alert-fields and https://docs.opsgenie.com/docs/alert-api
MESSAGE_LIMIT, ALIAS_LIMIT, DESCRIPTION_LIMIT = 130, 512, 15_000
ENTITY_LIMIT, SOURCE_LIMIT, NOTE_LIMIT = 512, 100, 25_000
MOST_TAGS, TAG_LIMIT = 20, 50
#: Characters of all keys and values of ``details`` together.
DETAILS_LIMIT = 8_000
#: Characters of one line, and of an address.
LINE_LIMIT, ADDRESS_LIMIT = 1_000, 1_000
#: Links of a message.
MOST_LINKS = 6

BURST = 10
RATE_LIMIT = per_minute(60, BURST)
#: Seconds until a request is retried if it is not known whether the vendor accepted it.
UNKNOWN_SECONDS = 60.0

_PRIORITIES = frozenset({"P1", "P2", "P3", "P4", "P5"})
_PRIORITY_OF = {"critical": "P1", "error": "P2", "warning": "P3", "info": "P5"}
_CREATE, _NOTE, _CLOSE, _ACKNOWLEDGE = "create", "note", "close", "acknowledge"
#: Kinds of messages that say what a person did, and nothing else.
_OF_PEOPLE = frozenset({MessageKind.ACKNOWLEDGED, MessageKind.NOTE})


@dataclass(frozen=True, slots=True)
class Jsm(Channel):
    """Sends to ``<base_url>/v2/alerts`` with the key of an API integration."""

    api_key: Secret
    base_url: str = "https://api.atlassian.com/jsm/ops/integration"
    rate_limit: RateLimit = RATE_LIMIT
    name: str = field(default="jsm", kw_only=True)
    settings: ClassVar[tuple[Setting, ...]] = (
        secret("jsm_api_key", "key of an API integration of Jira Service Management or Opsgenie", calls_oncall=True),
        Setting(
            "jsm_url",
            "base of /v2/alerts; https://api.opsgenie.com or https://api.eu.opsgenie.com for Opsgenie",
            default="https://api.atlassian.com/jsm/ops/integration",
        ),
        rate("jsm_requests_per_minute", 60, "one integration"),
    )
    destination: ClassVar[str] = "jsm_api_key"
    alertmanager_receiver: ClassVar[str] = "opsgenie_configs"
    title: ClassVar[str] = "Jira Service Management"
    account: ClassVar[tuple[str, ...]] = ("base_url", "api_key")
    pages: ClassVar[bool] = True
    fallback_order: ClassVar[int] = 25
    steps: ClassVar[Mapping[MessageKind, tuple[str, ...]]] = {
        **dict.fromkeys(MessageKind, ()),
        MessageKind.START: (_CREATE,),
        MessageKind.AGAIN: (_CREATE,),
        MessageKind.UPDATE: (_NOTE,),
        MessageKind.LATE: (_NOTE,),
        MessageKind.FALLBACK: (_CREATE,),
        MessageKind.RESOLUTION: (_CLOSE,),
        MessageKind.ACKNOWLEDGED: (_ACKNOWLEDGE,),
        MessageKind.NOTE: (_NOTE,),
    }

    @classmethod
    def from_settings(cls, given: Mapping[str, Any]) -> Self | None:
        """Return the channel of the integration."""
        key = given["jsm_api_key"]
        limit = per_minute(given["jsm_requests_per_minute"], BURST)
        return cls(key, given["jsm_url"].rstrip("/"), limit) if key.reveal() else None

    @property
    def clock_url(self) -> str:
        """The vendor's address, whose Date header ``doctor`` compares the clock with."""
        return self.base_url

    def check(self, send: SendRequest) -> Iterator[Result]:
        """Check that the vendor answers; only an alert can prove the key."""
        response = send(Request(self.base_url, b"", method="GET"))
        if response.status >= 500:
            yield bad(self.name, f"answers HTTP {response.status}", "see status.atlassian.com")
        else:
            yield ok(self.name, "answers; --send proves the key")

    def dry_run(self, sent: Sequence[Request]) -> tuple[str, bytes]:
        """Return how near the alert is to the vendor's limits, and the alert."""
        body = sent[0].body
        alert = json.loads(body)
        message, description = len(alert.get("message", "")), len(alert.get("description", alert.get("note", "")))
        return f"message {message} of {MESSAGE_LIMIT} characters, text {description:,} of {DESCRIPTION_LIMIT:,}", body

    def shown(self, request: Request) -> ShownMessage:
        """Return the alert, or the note that is added to it or closes it."""
        alert = json.loads(request.body)
        text = alert.get("description", alert.get("note", ""))
        pairs = (line.partition(": ") for line in text.split("\n"))
        where = (
            f"alert, priority {alert['priority']}"
            if "priority" in alert
            else "note"
            if "/notes" in request.url
            else "closes the alert"
        )
        return ShownMessage(
            where=where,
            title=alert.get("message", ""),
            rows=tuple((name, rest) if rest else ("", name) for name, _colon, rest in pairs),
        )

    def render(self, message: ClaimedMessage) -> Request:
        """Return the request that creates or closes the alert, or adds a note to it."""
        report, alias = message.report, message.report.dedup_key[:ALIAS_LIMIT]
        about = f"{self.base_url}/v2/alerts"
        if message.step == _CREATE:
            body = _minimal(report, alias) if message.minimal else _alert(report, alias)
        else:
            verb = "notes" if message.step == _NOTE else message.step
            about = f"{about}/{quote(alias, safe='')}/{verb}?identifierType=alias"
            note = sanitize_line(report.update, LINE_LIMIT) if report.kind in _OF_PEOPLE else _note(message)
            body = {"source": "responder", "note": note}
        headers = {"Content-Type": "application/json", "Authorization": f"GenieKey {self.api_key.reveal()}"}
        return Request(url=about, body=encoded(body), headers=headers)

    def read(self, message: ClaimedMessage, response: Response) -> Outcome:
        """Return the outcome: accepted is a 2xx whose body has a ``requestId``, which the vendor sends with 202.

        Any other 2xx may or may not have been taken, so it is sent again once a minute; the alias merges it. A 4xx is
        refused where the vendor says so in its own JSON; one of a proxy may pass, as 408, 425, 429 and 5xx may.
        """
        answer = decoded(response)
        said = ": ".join(filter(None, (text_of(answer.get("message")), text_of(answer.get("errors")))))
        outcome = outcome_of(message, response, said, (self.api_key,))
        own = bool(text_of(answer.get("requestId")))
        if isinstance(outcome, Delivered):
            if own:
                return Delivered({"dedup_key": message.report.dedup_key})
            what = f"HTTP {response.status} without the vendor's requestId"
            return TryLater(error_text(what, said, (self.api_key,)), UNKNOWN_SECONDS)
        if isinstance(outcome, Refused) and not own:
            return TryLater(f"{outcome.reason} (not the vendor's own response: check the proxies in between)")
        return outcome


def _alert(report: Report, alias: str) -> dict[str, Any]:
    """Return the alert: the page as text, the labels that fit as details."""
    tags = (report.severity, report.environment, report.alertname)
    details: dict[str, str] = {}
    room = DETAILS_LIMIT
    for name, value in (("incident", report.incident), *report.labels.items()):
        key, text = sanitize_line(name, 200), sanitize_line(value, 500)
        room -= len(key) + len(text)
        if room < 0:
            break
        details[key] = text
    fields = {
        "message": _headline(report),
        "alias": alias,
        "description": first_lines(_lines(report), DESCRIPTION_LIMIT - 40, "Cut:"),
        "priority": _priority(report),
        "entity": sanitize_line(report.service, ENTITY_LIMIT),
        "source": "responder",
        "tags": [sanitize_line(tag, TAG_LIMIT) for tag in dict.fromkeys(tags) if tag][:MOST_TAGS],
        "details": details,
    }
    return {name: value for name, value in fields.items() if value}


def _minimal(report: Report, alias: str) -> dict[str, Any]:
    text = "\n".join(minimal(report, LINE_LIMIT))
    return {
        "message": ascii_only(_headline(report))[:MESSAGE_LIMIT],
        "alias": alias,
        "description": text,
        "priority": _priority(report),
    }


def _note(message: ClaimedMessage) -> str:
    """Return the text of a note."""
    report = message.report
    if message.minimal:
        return "\n".join(minimal(report, LINE_LIMIT))
    return first_lines(_lines(report), NOTE_LIMIT - 40, "Cut:")


def _lines(report: Report) -> list[str]:
    def lines(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
        return (f"{name}: {sanitize_line(text, LINE_LIMIT)}" for name, text in rows)

    return [*lines(page_lines(report)), *_links(report), *lines(further_lines(report))]


def _headline(report: Report) -> str:
    return cut(sanitize_line(report.title, 2 * MESSAGE_LIMIT), MESSAGE_LIMIT) or f"[{report.severity}] alert"


def _links(report: Report) -> Iterator[str]:
    for each in report.all_links[:MOST_LINKS]:
        if (url := safe_url(each.href)) and len(url) <= ADDRESS_LIMIT:
            yield f"{sanitize_line(each.text, 100)}: {url}"


def _priority(report: Report) -> str:
    own = report.severity.upper()
    return own if own in _PRIORITIES else _PRIORITY_OF.get(report.pagerduty_severity, "P3")
