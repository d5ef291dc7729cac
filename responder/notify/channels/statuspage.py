"""Atlassian Statuspage: an incident that customers read, opened, updated and resolved.

Make an API key of a user with the role *Incident Manager* and put it into `RESPONDER_STATUSPAGE_API_KEY`; the id of the
page is in the address of its settings and goes into `RESPONDER_STATUSPAGE_PAGE`. In a rule file:

    channels:
      public: {kind: statuspage, page: kctbh9vrtdwd, api_key: {secret: statuspage-key}}
    severities:
      P1: {status_pages: [public]}
    services:
      nexus: {components: {public: 8kbf7d35c070}}

A person confirms each publication, by the button under the page in Slack or with `responder incidents publish`; rules
with `status_page: {automatic: true}` need no confirmation. The page shows only what rule files and people wrote: the
impact, or the templates `public-start`, `public-update` and `public-resolution`, or the words of the person. Updates
are published by people only; the resolution follows that of the incident.

Statuspage accepts one request a second for each key, and does not recognise one that is sent twice. After an attempt
whose result is not known, the page is read before it is sent again: a new incident has the id of its message in
`metadata`, which customers do not see. This channel never pages.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from responder.model.check import Result, bad, ok
from responder.model.message import ClaimedMessage, Request, Response
from responder.model.outcome import Continue, Delivered, Outcome, TryLater
from responder.model.report import MessageKind, PublicText
from responder.model.secret import Secret
from responder.model.setting import Setting, secret
from responder.notify.contract import Channel, RateLimit, SendRequest, ShownMessage, Use
from responder.notify.render.response import ascii_only, decoded, encoded, error_text, outcome_of, text_of, within

# https://developer.statuspage.io: one request a second for each key, measured over 60 seconds; 420 or 429 beyond.
RATE_LIMIT = RateLimit(interval=1.0, burst=1, reserve=0)
#: Status of the vendor for too many requests, beside 429.
ENHANCE_YOUR_CALM = 420
#: Bytes of a title and of a text.
TITLE_LIMIT, TEXT_LIMIT = 255, 25_000
#: Status of a component by the severity in the words of PagerDuty, and the impact of the incident.
COMPONENT_STATES = {"critical": "major_outage", "error": "partial_outage"}
IMPACTS = {"critical": "critical", "error": "major"}
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_OPEN, _UPDATE, _RESOLVE = "open", "update", "resolve"
#: The newest incidents of a page that are searched for one whose answer was lost.
LISTED = 50
#: Result of a look-up after which the request is sent again.
_ABSENT = "it is not on the page: it is sent"
NO_TEXT = PublicText("Service disruption", "Under investigation.")


def _id_problem(text: str) -> str:
    return "" if _ID.fullmatch(text) or not text else f"is '{text}': an id has letters, digits, - and _ only"


@dataclass(frozen=True, slots=True)
class Statuspage(Channel):
    """Publishes on ``page``; ``base_url`` is that of the API."""

    key: Secret
    page: str
    base_url: str = "https://api.statuspage.io"
    name: str = field(default="statuspage", kw_only=True)
    settings: ClassVar[tuple[Setting, ...]] = (
        secret("statuspage_api_key", "API key of a user with the role Incident Manager"),
        Setting("statuspage_page", "id of the page", check=_id_problem),
        Setting("statuspage_url", "base URL of Statuspage's API", default="https://api.statuspage.io"),
    )
    destination: ClassVar[str] = "statuspage_page"
    title: ClassVar[str] = "Statuspage"
    account: ClassVar[tuple[str, ...]] = ("base_url", "key")
    use: ClassVar[Use] = Use.STATUS_PAGE
    rate_limit: ClassVar[RateLimit] = RATE_LIMIT
    steps: ClassVar[Mapping[MessageKind, tuple[str, ...]]] = {
        **dict.fromkeys(MessageKind, ()),
        MessageKind.START: (_OPEN,),
        MessageKind.AGAIN: (_UPDATE,),
        MessageKind.NOTE: (_UPDATE,),
        MessageKind.RESOLUTION: (_RESOLVE,),
    }

    @classmethod
    def from_settings(cls, given: Mapping[str, Any]) -> Self | None:
        """Return the channel of the page."""
        key, page = given["statuspage_api_key"], given["statuspage_page"]
        return cls(key, page, given["statuspage_url"]) if key.reveal() and page else None

    def check(self, send: SendRequest) -> Iterator[Result]:
        """Check that the key may read the page."""
        response = send(Request(f"{self._root}", b"", self._headers, "GET"))
        if response.status != 200:
            said = text_of(decoded(response).get("error")) or f"HTTP {response.status}"
            yield bad(self.name, f"refuses the key or the page: {said}", "see RESPONDER_STATUSPAGE_API_KEY")
            return
        yield ok(self.name, f"page {text_of(decoded(response).get('name')) or self.page} can be read")

    def shown(self, request: Request) -> ShownMessage:
        """Return what customers read."""
        sent = json.loads(request.body)["incident"]
        rows = ((sent["status"], sent["body"]),)
        return ShownMessage(where=f"page {self.page}", title=sent.get("name", ""), rows=rows)

    def dry_run(self, sent: Sequence[Request]) -> tuple[str, bytes]:
        """Return the status, and the request."""
        return f"{json.loads(sent[0].body)['incident']['status']}, {len(sent[0].body):,} bytes", sent[0].body

    def render(self, message: ClaimedMessage) -> Request:
        """Return the request that opens the incident, that changes it, or that looks for the attempt before."""
        known = _known(message)
        url = f"{self._root}/incidents{f'/{known}' if known else ''}"
        if _is_check(message):
            return Request(url if known else f"{url}?limit={LISTED}", b"", self._headers, "GET")
        return Request(url, encoded({"incident": _incident(message)}), self._headers, "PATCH" if known else "POST")

    def read(self, message: ClaimedMessage, response: Response) -> Outcome:
        """Return the outcome: an accepted incident has an id."""
        answer = decoded(response)
        said = text_of(answer.get("error")) or text_of(answer.get("message"))
        if response.status == ENHANCE_YOUR_CALM:
            return TryLater(error_text("HTTP 420", said, (self.key,)), limited=True)
        outcome = outcome_of(message, response, said, (self.key,))
        if not isinstance(outcome, Delivered):
            return outcome
        if _is_check(message):
            return _found(message, response)
        number = text_of(answer.get("id"))
        return Delivered({"id": number}) if _ID.fullmatch(number) else TryLater("HTTP 2xx without an incident's id")

    @property
    def _root(self) -> str:
        return f"{self.base_url.rstrip('/')}/v1/pages/{self.page}"

    @property
    def _headers(self) -> Mapping[str, str]:
        return {"Authorization": f"OAuth {self.key.reveal()}", "Content-Type": "application/json"}


def _known(message: ClaimedMessage) -> str:
    """Return the page's id of the incident, empty if it is not known; an id of an answer is no path."""
    known = message.previous.get("id", "")
    return known if _ID.fullmatch(known) else ""


def _is_check(message: ClaimedMessage) -> bool:
    """Return True if an attempt before may have arrived: its result was lost, or it failed."""
    return message.before not in {"", _ABSENT}


def _found(message: ClaimedMessage, response: Response) -> Outcome:
    """Return what a look-up says about the attempt before.

    A text that responder wrote has changed since, with its durations: the status shows that it arrived.
    """
    sent, listed = _incident(message), _listed(response)
    if listed is None:
        return TryLater(f"HTTP {response.status} without the incidents of the page")
    for each in listed:
        if not _known(message):
            arrived = each.get("metadata") == sent["metadata"]
        else:
            updates = each.get("incident_updates")
            shown = [update for update in updates if isinstance(update, dict)] if isinstance(updates, list) else []
            newest = max(shown, key=lambda update: text_of(update.get("created_at")), default={})
            posted = message.report.kind is not MessageKind.NOTE or text_of(newest.get("body")).strip() == sent["body"]
            arrived = newest.get("status") == sent["status"] and posted
        number = text_of(each.get("id"))
        if arrived and _ID.fullmatch(number):
            return Delivered({"id": number})
    return Continue(_ABSENT)


def _listed(response: Response) -> list[Mapping[str, Any]] | None:
    """Return the incidents of a response, the one or a list; None if it is neither."""
    try:
        answer = json.loads(response.body)
    except (ValueError, RecursionError):
        return None
    listed = answer if isinstance(answer, list) else [answer]
    return listed if all(isinstance(each, dict) for each in listed) else None


def _incident(message: ClaimedMessage) -> dict[str, Any]:
    """Return the incident; the minimal form has neither components nor characters outside ASCII."""
    report, opens = message.report, not _known(message)
    public = report.public or NO_TEXT
    title, text = within(public.title, TITLE_LIMIT), within(public.text, TEXT_LIMIT)
    status = report.status.value.lower()
    # Values of the top level have to be objects (https://developer.statuspage.io/#operation/postPagesPageIdIncidents).
    own = {"metadata": {"responder": {"incident": report.incident, "message": str(message.id)}}} if opens else {}
    if message.minimal:
        return {"name": ascii_only(title), "status": status, "body": ascii_only(text), **own}
    over = report.kind is MessageKind.RESOLUTION
    state = "operational" if over else COMPONENT_STATES.get(report.pagerduty_severity, "degraded_performance")
    parts: dict[str, Any] = {"name": title, **own} if opens else {}
    parts |= {"status": status, "body": text, "deliver_notifications": True}
    if not over:
        parts["impact_override"] = IMPACTS.get(report.pagerduty_severity, "minor")
    if public.components:
        parts |= {"component_ids": list(public.components), "components": dict.fromkeys(public.components, state)}
    return parts
