"""Notes on the incidents of PagerDuty (REST API): actions of people elsewhere, and late findings.

It accompanies the channels of PagerDuty, as a queue of its own, so that no page waits for it. One message takes several
requests: the look-up of PagerDuty's incident where it is not known yet, and the note. PagerDuty does not recognise a
note that is sent twice: after an attempt whose result is not known, the notes are read before it is sent again.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self
from urllib.parse import quote, urlencode

from responder.model.finding import Verdict, worst_first
from responder.model.message import ClaimedMessage, Request, Response
from responder.model.outcome import Continue, Delivered, Outcome, Refused, TryLater
from responder.model.report import MessageKind, Report
from responder.model.secret import Secret
from responder.model.text import cut, one_line
from responder.notify.contract import Channel, RateLimit, Use, per_minute
from responder.notify.render.response import ascii_only, decoded, encoded, outcome_of, text_of
from responder.notify.report.links import safe_url

# https://developer.pagerduty.com/docs/rest-api-rate-limits: 960 requests a minute and key. Look-ups use some of them.
RATE = per_minute(900, 60)
#: Characters of a note.
NOTE_LIMIT = 2000
#: Beginning of a note of responder, by which a webhook and a second attempt recognise it.
OWN_NOTE = re.compile(r"responder INC-[0-9A-Z]{1,20}/[0-9]{1,20}: ")
#: Seconds until the look-up is repeated: PagerDuty processes events asynchronously.
LOOKUP_RESTS = (8.0, 50.0)
#: Seconds between an attempt and the check of it.
CHECK_SECONDS = 1.0
#: Bad findings in a note.
MOST_FINDINGS = 10
#: Conditions of a list of open incidents.
OPEN = (("statuses[]", "triggered"), ("statuses[]", "acknowledged"))
#: Results after which the note is sent.
_FOUND, _ABSENT = "PagerDuty's incident was found", "the note is not there: it is sent"
_NOTE = "note"


@dataclass(frozen=True, slots=True)
class PagerDutyNotes(Channel):
    """Writes notes as the PagerDuty user with the e-mail address ``author``; ``base_url`` is the base of /incidents."""

    token: Secret
    author: str
    base_url: str = "https://api.pagerduty.com"
    rate_limit: RateLimit = RATE
    name: str = field(default="pagerduty_notes", kw_only=True)
    title: ClassVar[str] = "PagerDuty's notes"
    account: ClassVar[tuple[str, ...]] = ("base_url", "token")
    use: ClassVar[Use] = Use.COMPANION
    accompanies: ClassVar[frozenset[str]] = frozenset(("pagerduty", "pagerduty_fallback"))
    steps: ClassVar[Mapping[MessageKind, tuple[str, ...]]] = dict.fromkeys(MessageKind, ()) | {
        MessageKind.LATE: (_NOTE,),
        MessageKind.NOTE: (_NOTE,),
    }

    @classmethod
    def from_settings(cls, given: Mapping[str, Any]) -> Self | None:
        """Return the channel of a token that may write, None without an author."""
        token, author = given["pagerduty_api_token"], given["pagerduty_api_from"]
        return cls(token, author, given["pagerduty_api_url"]) if token.reveal() and author else None

    def render(self, message: ClaimedMessage) -> Request:
        """Return the look-up of the incident, the note, or the check of the attempt before. Raises ValueError."""
        headers = self._headers()
        if not message.vendor_incident:
            return Request(open_incidents_url(self.base_url, message.report.dedup_key), b"", headers, "GET")
        url = f"{self.base_url.rstrip('/')}/incidents/{quote(message.vendor_incident, safe='')}/notes"
        if _is_check(message):
            return Request(url, b"", headers, "GET")
        return Request(url, encoded({"note": {"content": content(message)}}), headers)

    def read(self, message: ClaimedMessage, response: Response) -> Outcome:
        """Return the outcome: a note counts as added only if PagerDuty's answer contains it."""
        answer = decoded(response)
        error = answer.get("error")
        said = text_of(error.get("message")) if isinstance(error, dict) else ""
        outcome = outcome_of(message, response, said, (self.token,))
        if isinstance(outcome, TryLater):
            return _paused(outcome, response)
        if isinstance(outcome, Refused):
            return outcome
        if not message.vendor_incident:
            return _found(message, answer)
        if _is_check(message):
            notes = answer.get("notes")
            if not isinstance(notes, list):
                return TryLater(f"HTTP {response.status} without PagerDuty's notes")
            there = [each for each in notes if isinstance(each, dict) and _is_ours(message, each)]
            return Delivered() if there else Continue(_ABSENT)
        note = answer.get("note")
        if isinstance(note, dict) and text_of(note.get("id")):
            return Delivered()
        return TryLater(f"HTTP {response.status} without PagerDuty's note", CHECK_SECONDS)

    def _headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Token token={self.token.reveal()}",
            "Accept": "application/vnd.pagerduty+json;version=2",
            "Content-Type": "application/json",
            "From": self.author,
        }


def open_incidents_url(base_url: str, dedup_key: str) -> str:
    """Return the URL that lists the open incidents with a dedup key. Raises ValueError without one.

    An empty ``incident_key`` would list the open incidents of the whole account.
    """
    if not dedup_key:
        raise ValueError("an incident without a dedup key cannot be looked up")
    asked = urlencode((("incident_key", dedup_key), *OPEN, ("sort_by", "created_at:desc"), ("limit", "1")))
    return f"{base_url.rstrip('/')}/incidents?{asked}"


def content(message: ClaimedMessage) -> str:
    """Return the text of a note. It begins with its own mark; PagerDuty shows it as plain text."""
    text = _late(message.report) if message.report.kind is MessageKind.LATE else message.report.update
    if message.minimal:
        text = ascii_only(one_line(text))[: NOTE_LIMIT // 4]
    return f"{_mark(message)}{cut(text, NOTE_LIMIT)}"


def _late(report: Report) -> str:
    bad = [each.headline for each in worst_first(report.findings) if each.verdict is Verdict.BAD]
    rows = (
        report.update,
        f"Likely cause: {report.conclusion.likely}" if report.conclusion.likely else "",
        *(f"- {text}" for text in bad[:MOST_FINDINGS]),
    )
    return "\n".join(one_line(row) for row in rows if row)


def _mark(message: ClaimedMessage) -> str:
    return f"responder {message.report.incident}/{message.id}: "


def _is_check(message: ClaimedMessage) -> bool:
    """Return True if an attempt before may have arrived: its result was lost, or it failed."""
    return message.before not in {"", _FOUND, _ABSENT}


def _is_ours(message: ClaimedMessage, note: Mapping[str, Any]) -> bool:
    return text_of(note.get("content")).startswith(_mark(message))


def _found(message: ClaimedMessage, answer: Mapping[str, Any]) -> Outcome:
    """Return what a look-up found: an event is processed asynchronously, so that the incident may appear later."""
    listed = answer.get("incidents")
    if not isinstance(listed, list):
        return TryLater("the answer does not list incidents: check RESPONDER_PAGERDUTY_API_URL")
    for each in listed:
        if isinstance(each, dict) and (number := text_of(each.get("id"))):
            url = safe_url(text_of(each.get("html_url")))
            return Continue(_FOUND, {"vendor_incident": number, "vendor_url": url})
    if message.attempt > len(LOOKUP_RESTS) or message.minimal:
        return Refused("PagerDuty has no open incident with this key, so there is nothing to add the note to")
    return Continue("PagerDuty does not list the incident yet", after=LOOKUP_RESTS[message.attempt - 1])


def _paused(outcome: TryLater, response: Response) -> TryLater:
    """Return the outcome with PagerDuty's own pause: its 429 has no Retry-After but ``ratelimit-reset``."""
    if outcome.retry_after is not None or not outcome.limited:
        return outcome
    headers = {name.lower(): value for name, value in response.headers.items()}
    reset = headers.get("ratelimit-reset", "").strip()
    return TryLater(outcome.reason, float(reset[:4]) if reset.isascii() and reset.isdigit() else None, limited=True)
