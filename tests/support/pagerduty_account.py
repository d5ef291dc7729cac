"""PagerDuty's stand-in with what people and responder do beside events: REST API, webhooks, actions of people.

https://developer.pagerduty.com/api-reference: ``Authorization: Token token=...``, ``From`` for writes, and 429 with
``ratelimit-*`` headers above the limit of a key.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

from responder.standins.pagerduty import PagerDutyStandIn, PagerIncident
from responder.standins.server import Call, OnEvent, Reply, as_json
from tests.support.pagerduty_subscriptions import WebhookSender

#: Most elements of one page of a list.
PAGE = 100


class PagerDutyAccount(PagerDutyStandIn):
    """``rest`` answers the REST API, ``webhooks`` sends to the subscriptions."""

    def __init__(self, *, on_event: OnEvent | None = None) -> None:
        super().__init__(on_event=on_event)
        self.webhooks = WebhookSender()
        self.rest = RestApi(lambda: self.incidents, self.webhooks)

    def stop(self) -> None:
        """Stop listening and sending."""
        self.webhooks.close()
        super().stop()

    def act(self, incident: PagerIncident, what: str, person: str = "Ann Onymous", **data: Any) -> Mapping[str, Any]:
        """Let a person act on an incident in PagerDuty, and send the webhook: ``acknowledged``, ``annotated``, ...

        Returns the event, which may be sent again.
        """
        with self.lock:
            states = {"acknowledged": "acknowledged", "unacknowledged": "triggered", "resolved": "resolved"}
            incident.state = states.get(what, incident.state)
        about = {
            "id": incident.id,
            "type": "incident_reference",
            "summary": incident.title,
            "html_url": url_of(incident),
        }
        shown = {"id": "PNOTE", "type": "incident_note", "incident": about} if what == "annotated" else None
        return self._send(incident, what, _person(person), shown or as_incident(incident), data)

    def answer(self, call: Call) -> Reply:
        """Answer the REST API as well."""
        if call.path.partition("?")[0].split("/")[1] not in {"incidents", "webhook_subscriptions"}:
            return super().answer(call)
        with self.lock:
            return self.rest.answer(call)

    def changed(self, incident: PagerIncident, action: str) -> None:
        """Send the webhook."""
        integration = {"id": "PINTEGR", "type": "inbound_integration_reference", "summary": "responder"}
        what = {"trigger": "triggered", "acknowledge": "acknowledged", "resolve": "resolved"}[action]
        self._send(incident, what, integration, as_incident(incident), {})

    def _send(
        self,
        incident: PagerIncident,
        what: str,
        agent: Mapping[str, Any],
        shown: Mapping[str, Any],
        data: Mapping[str, Any],
    ) -> Mapping[str, Any]:
        event = {
            "id": f"01{uuid4().hex[:24].upper()}",
            "event_type": f"incident.{what}",
            "resource_type": "incident",
            "occurred_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "agent": agent,
            "client": None,
            "data": {**shown, **data},
        }
        self.webhooks.send(incident.id, event)
        return event


class RestApi:
    """Answers requests. With a ``token`` given, any other is refused; ``limit`` is the number of requests a minute.

    ``lag`` is how long a new incident is not listed yet, in seconds: events are processed asynchronously.
    """

    def __init__(self, incidents: Callable[[], Sequence[PagerIncident]], webhooks: WebhookSender) -> None:
        self.token = ""
        self.limit = 960
        self.lag = 0.0
        self._incidents = incidents
        self._webhooks = webhooks
        self._window: list[float] = []

    def answer(self, call: Call) -> Reply:
        """Return the answer with the headers of the rate limit."""
        now = time.monotonic()
        self._window = [at for at in self._window if now - at < 60.0] + [now]
        left = self.limit - len(self._window)
        reset = str(max(1, round(60.0 - (now - self._window[0]))))
        headers = {
            "ratelimit-limit": str(self.limit),
            "ratelimit-remaining": str(max(0, left)),
            "ratelimit-reset": reset,
        }
        reply = error(429, 2020, "Rate Limit Exceeded") if left < 0 else self._answer(call)
        return Reply(reply.status, reply.body, {**reply.headers, **headers})

    def _answer(self, call: Call) -> Reply:
        given = call.headers.get("authorization", "")
        if not given.startswith("Token token=") or (self.token and given != f"Token token={self.token}"):
            return error(401, 2006, "Unauthorized")
        parts = urlsplit(call.path)
        names = [unquote(each) for each in parts.path.strip("/").split("/")]
        if call.method != "GET" and names[0] == "incidents" and "@" not in call.headers.get("from", ""):
            return error(400, 2010, "Requester User Not Found")
        match call.method, names:
            case "GET", ["incidents"]:
                return self._listed(parse_qs(parts.query))
            case "PUT", ["incidents"]:
                return self._changed(_body(call).get("incidents", []))
            case _, ["incidents", number, *rest]:
                found = next((each for each in self._incidents() if each.id == number), None)
                return self._of(call, found, rest) if found else error(404, 2100, "Not Found")
            case "GET", ["webhook_subscriptions"]:
                return as_json(200, {"webhook_subscriptions": [_shown(each) for each in self._webhooks.subscriptions]})
            case "POST", ["webhook_subscriptions", number, ("ping" | "enable") as what]:
                return self._subscription(number, what)
        return error(404, 2100, "Not Found")

    def _listed(self, asked: Mapping[str, list[str]]) -> Reply:
        """List incidents. Without an ``incident_key`` that has a value, those of the whole account."""
        key, statuses = asked.get("incident_key", [""])[0], asked.get("statuses[]", [])
        first, most = int(asked.get("offset", ["0"])[0]), min(PAGE, int(asked.get("limit", ["25"])[0]))
        found = [each for each in self._incidents() if _age(each) >= self.lag and (not key or each.dedup_key == key)]
        found = [each for each in found if not statuses or each.state in statuses]
        if asked.get("sort_by", [""])[0] == "created_at:desc":
            found.reverse()
        listed = [as_incident(each) for each in found[first : first + most]]
        return as_json(200, {"incidents": listed, "limit": most, "offset": first, "more": len(found) > first + most})

    def _changed(self, wanted: Sequence[Mapping[str, Any]]) -> Reply:
        """Change the state of several incidents."""
        known = {each.id: each for each in self._incidents()}
        changed = []
        for each in wanted:
            incident = known.get(str(each.get("id")))
            if incident is None or each.get("status") not in {"acknowledged", "resolved"}:
                return error(400, 2001, "Invalid Input Provided")
            incident.state = str(each["status"])
            changed.append(as_incident(incident))
        return as_json(200, {"incidents": changed})

    def _of(self, call: Call, incident: PagerIncident, rest: list[str]) -> Reply:
        match call.method, rest:
            case "GET", []:
                return as_json(200, {"incident": as_incident(incident)})
            case "GET", ["alerts"]:
                return as_json(200, {"alerts": [as_alert(incident)], "more": False})
            case "GET", ["notes"]:
                return as_json(200, {"notes": incident.notes})
            case "POST", ["notes"]:
                note = _body(call).get("note", {})
                text = note.get("content") if isinstance(note, dict) else None
                if not isinstance(text, str) or not text.strip():
                    return error(400, 2001, "Invalid Input Provided")
                incident.notes.append({"id": f"PNOTE{len(incident.notes) + 1}", "content": text})
                return as_json(201, {"note": incident.notes[-1]})
        return error(404, 2100, "Not Found")

    def _subscription(self, number: str, what: str) -> Reply:
        found = next((each for each in self._webhooks.subscriptions if each.id == number), None)
        if found is None:
            return error(404, 2100, "Not Found")
        if what == "ping":
            self._webhooks.ping(found)
            return Reply(202)
        self._webhooks.enable(found)
        return as_json(200, {"webhook_subscription": _shown(found)})


def error(status: int, code: int, message: str) -> Reply:
    """Return an error as PagerDuty words it."""
    return as_json(status, {"error": {"message": message, "code": code, "errors": []}})


def _shown(subscription: Any) -> dict[str, Any]:
    return {
        "id": subscription.id,
        "type": "webhook_subscription",
        "active": subscription.active,
        "delivery_method": {
            "type": "http_delivery_method",
            "url": subscription.url,
            "temporarily_disabled": not subscription.active,
        },
        "events": ["incident.acknowledged", "incident.unacknowledged", "incident.resolved", "incident.annotated"],
        "filter": {"type": "account_reference"},
    }


def _body(call: Call) -> dict[str, Any]:
    try:
        body = json.loads(call.body)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def url_of(incident: PagerIncident) -> str:
    """Return its address for people."""
    return f"https://butterfly.pagerduty.com/incidents/{incident.id}"


def _age(incident: PagerIncident) -> float:
    """Return the seconds since it was opened."""
    return time.monotonic() - incident.log[0].arrived


def as_incident(incident: PagerIncident) -> dict[str, Any]:
    """Return it as the REST API and webhooks show it: made by events, it has no incident_key."""
    return {
        "id": incident.id,
        "type": "incident",
        "incident_number": incident.number,
        "number": incident.number,
        "title": incident.title,
        "status": incident.state,
        "incident_key": None,
        "html_url": url_of(incident),
        "assignees": [_person("Ann Onymous")],
        "priority": None,
        "resolve_reason": None,
    }


def as_alert(incident: PagerIncident) -> dict[str, Any]:
    """Return its alert as the REST API shows it."""
    first = incident.log[0].body
    details = {"client": first.get("client"), "client_url": first.get("client_url"), "dedup_key": incident.dedup_key}
    return {
        "id": f"PAL{incident.number:04}",
        "type": "alert",
        "status": "resolved" if incident.state == "resolved" else "triggered",
        "alert_key": incident.dedup_key,
        "summary": incident.title,
        "body": {"type": "alert_body", "cef_details": details},
    }


def _person(name: str) -> dict[str, str]:
    number = f"P{name.replace(' ', '').upper()[:12]}"
    return {"id": number, "type": "user_reference", "summary": name, "html_url": f"https://x.pagerduty.com/{number}"}
