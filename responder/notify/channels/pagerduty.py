"""PagerDuty, Events API v2: an alert that wakes people, and its resolution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from responder.model.message import Letter, Request, Response
from responder.model.outcome import Delivered, Outcome
from responder.model.report import Moment, Report
from responder.model.secret import Secret
from responder.model.text import one_line
from responder.notify.contract import Channel, Use
from responder.notify.rate_limit import Pace, per_minute
from responder.notify.render.pagerduty_details import SHED, details
from responder.notify.render.response import ascii_only, decoded, encoded, judged, text_of, within
from responder.notify.report import safe_url

# https://developer.pagerduty.com/docs/events-api-v2/trigger-events/ and .../send-alert-event/
EVENT_LIMIT = 512_000  # bytes of the whole event
SUMMARY_LIMIT = 1024  # characters
DEDUP_LIMIT = 255  # characters
SEVERITIES = frozenset({"critical", "error", "warning", "info"})
# Not documented for these fields; short enough for every view that shows them.
FIELD_LIMIT = 255
LINK_TEXT_LIMIT = 100
MOST_LINKS = 6

BURST = 20
# https://developer.pagerduty.com/docs/events-api-v2/overview/: some 120 events a minute and integration key.
PACE = per_minute(120, BURST)

_RESOLVE = "resolve"


@dataclass(frozen=True, slots=True)
class PagerDuty(Channel):
    """Sends to ``<base_url>/v2/enqueue``; ``client_url`` is where people read responder itself."""

    routing_key: Secret
    base_url: str = "https://events.pagerduty.com"
    client_url: str = ""
    pace: Pace = PACE
    name: str = field(default="pagerduty", kw_only=True)
    title: ClassVar[str] = "PagerDuty"
    pages: ClassVar[bool] = True
    fallback_order: ClassVar[int] = 10
    steps: ClassVar[Mapping[Moment, tuple[str, ...]]] = {
        Moment.START: ("trigger",),
        Moment.AGAIN: ("trigger",),
        Moment.UPDATE: ("trigger",),
        Moment.LATE: ("trigger",),
        Moment.FALLBACK: ("trigger",),
        Moment.RESOLUTION: (_RESOLVE,),
        Moment.UNCLOSED: (),
    }

    def render(self, letter: Letter) -> Request:
        """One event: a resolve with only what it needs, or a trigger that fits the vendor's limits."""
        report = letter.report
        if letter.step == _RESOLVE:
            body = encoded(self._event(report, _RESOLVE))
        elif letter.plain:
            body = encoded(self._plain(report))
        else:
            body = self._fitted(report)
        url = f"{self.base_url.rstrip('/')}/v2/enqueue"
        return Request(url=url, body=body, headers={"Content-Type": "application/json"})

    def read(self, letter: Letter, response: Response) -> Outcome:
        """202 is accepted; a 4xx is refused with PagerDuty's message; 408, 425, 429 and 5xx may yet succeed."""
        answer = decoded(response)
        said = ": ".join(filter(None, (text_of(answer.get("message")), text_of(answer.get("errors")))))
        outcome = judged(letter, response, said, (self.routing_key,))
        return Delivered({"dedup_key": letter.report.dedup_key}) if isinstance(outcome, Delivered) else outcome

    def _event(self, report: Report, action: str) -> dict[str, Any]:
        return {
            "routing_key": self.routing_key.reveal(),
            "event_action": action,
            "dedup_key": report.dedup_key[:DEDUP_LIMIT],
        }

    def _fitted(self, report: Report) -> bytes:
        for shed in range(len(SHED) + 1):
            body = encoded(self._trigger(report, shed))
            if len(body) <= EVENT_LIMIT:
                return body
        return encoded(self._plain(report))

    def _trigger(self, report: Report, shed: int) -> dict[str, Any]:
        payload = {
            "summary": _summary(report),
            "source": _line("/".join(filter(None, (report.namespace, report.service)))) or "responder",
            "severity": _severity(report),
            "timestamp": report.started_at.isoformat(),
            "component": _line(report.service),
            "group": _line(report.namespace),
            "class": _line(report.rule),
            "custom_details": details(report, shed),
        }
        event = self._event(report, "trigger") | {
            "client": "responder",
            "payload": {key: value for key, value in payload.items() if value},
            "links": _links(report),
        }
        return event | ({"client_url": client} if (client := safe_url.safe(self.client_url)) else {})

    def _plain(self, report: Report) -> dict[str, Any]:
        """The least that still pages: no text outside ASCII, no details, no links but the runbook's."""
        payload = {
            "summary": ascii_only(_summary(report))[:SUMMARY_LIMIT],
            "source": ascii_only(_line(report.service)) or "responder",
            "severity": _severity(report),
        }
        return (
            self._event(report, "trigger")
            | {"payload": payload}
            | ({"links": link} if (link := _runbook(report)) else {})
        )


@dataclass(frozen=True, slots=True)
class PagerDutyFallback(PagerDuty):
    """A second key or region of PagerDuty, for pages that the first does not take."""

    name: str = field(default="pagerduty_fallback", kw_only=True)
    title: ClassVar[str] = "PagerDuty's second key"
    fallback_order: ClassVar[int] = 20
    use: ClassVar[Use] = Use.FALLBACK


def _summary(report: Report) -> str:
    """PagerDuty refuses an empty summary as well as one over 1,024 characters."""
    return one_line(report.title[: 2 * SUMMARY_LIMIT]).strip()[:SUMMARY_LIMIT] or f"[{report.severity}] alert"


def _severity(report: Report) -> str:
    return report.pagerduty_severity if report.pagerduty_severity in SEVERITIES else "error"


def _line(text: str) -> str:
    return within(one_line(text[: 4 * FIELD_LIMIT]), FIELD_LIMIT)


def _runbook(report: Report) -> list[dict[str, str]]:
    url = safe_url.safe(report.runbook.href) if report.runbook else ""
    return [{"href": url, "text": "Runbook"}] if url else []


def _links(report: Report) -> list[dict[str, str]]:
    every = (*([report.runbook] if report.runbook else []), *report.links)
    links = [{"href": safe_url.safe(each.href), "text": within(one_line(each.text), LINK_TEXT_LIMIT)} for each in every]
    return [link for link in links if link["href"]][:MOST_LINKS]
