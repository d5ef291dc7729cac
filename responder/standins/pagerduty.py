"""PagerDuty on loopback: Events API v2, which refuses what the real one refuses."""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from responder.standins.server import Call, OnEvent, Reply, StandIn, as_json

EVENT_LIMIT = 512_000
ACTIONS = ("trigger", "acknowledge", "resolve")
SEVERITIES = ("critical", "error", "warning", "info")


@dataclass(frozen=True, slots=True)
class PagerEvent:
    """An event that was accepted; ``arrived`` is on the monotonic clock."""

    action: str
    dedup_key: str
    body: Mapping[str, Any]
    arrived: float

    @property
    def summary(self) -> str:
        """The trigger's summary, empty for the others."""
        return str(self.body.get("payload", {}).get("summary", ""))


@dataclass(slots=True)
class PagerIncident:
    """An incident: opened by a trigger, and every later event of its key until it is resolved."""

    dedup_key: str
    log: list[PagerEvent] = field(default_factory=list)
    state: str = "triggered"
    number: int = 1
    notes: list[dict[str, str]] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The first trigger's summary: a later one does not change it."""
        return self.log[0].summary

    @property
    def id(self) -> str:
        """PagerDuty's own id."""
        return f"PGR{self.number:04}"


class PagerDutyStandIn(StandIn):
    """``events`` are those accepted, ``incidents`` what became of them, both in order of arrival."""

    def __init__(self, *, on_event: OnEvent | None = None) -> None:
        super().__init__(on_event=on_event)
        self.events: list[PagerEvent] = []
        self.incidents: list[PagerIncident] = []
        self._numbers = itertools.count(1)

    def open(self, dedup_key: str | None = None) -> list[PagerIncident]:
        """The incidents that are not resolved, of one dedup key or all."""
        with self.lock:
            return [
                each
                for each in self.incidents
                if each.state != "resolved" and (dedup_key is None or each.dedup_key == dedup_key)
            ]

    def answer(self, call: Call) -> Reply:
        """202 for a good event, 400 with the reasons for a bad one, 404 elsewhere."""
        if call.method != "POST" or call.path != "/v2/enqueue":
            return as_json(404, {"status": "not found", "message": "no such path", "errors": []})
        event, errors = read_event(call.body)
        if errors:
            return as_json(400, {"status": "invalid event", "message": "Event object is invalid", "errors": errors})
        accepted = PagerEvent(event["event_action"], event.get("dedup_key") or uuid4().hex, event, call.arrived)
        with self.lock:
            self.events.append(accepted)
            changed = self._apply(accepted)
        if changed is not None:
            self.changed(changed, accepted.action)
        self.emit(f"pagerduty.{accepted.action}", accepted)
        return as_json(202, {"status": "success", "message": "Event processed", "dedup_key": accepted.dedup_key})

    def changed(self, incident: PagerIncident, action: str) -> None:
        """Do what follows the change of an incident by an event: here nothing."""

    def _apply(self, event: PagerEvent) -> PagerIncident | None:
        """Return the incident whose state an event changed, None for none."""
        incident = next(iter(self.open(event.dedup_key)), None)
        if incident is None:
            if event.action != "trigger":
                return None  # the real one drops an acknowledge or resolve of an unknown key without a word
            self.incidents.append(PagerIncident(event.dedup_key, [event], number=next(self._numbers)))
            return self.incidents[-1]
        incident.log.append(event)
        before = incident.state
        if event.action != "trigger":
            incident.state = {"acknowledge": "acknowledged", "resolve": "resolved"}[event.action]
        return incident if incident.state != before else None


def read_event(body: bytes) -> tuple[dict[str, Any], list[str]]:
    """The event in a request's body, and what PagerDuty would refuse it for."""
    if len(body) > EVENT_LIMIT:
        return {}, [f"event is larger than {EVENT_LIMIT} bytes"]
    try:
        event = json.loads(body)
    except ValueError:
        return {}, ["JSON is invalid"]
    if not isinstance(event, dict):
        return {}, ["JSON is not an object"]
    return event, [*_envelope(event), *(_payload(event) if event.get("event_action") == "trigger" else ())]


def _envelope(event: dict[str, Any]) -> list[str]:
    errors = []
    if not _text(event.get("routing_key")):
        errors.append("'routing_key' is missing or blank")
    if event.get("event_action") not in ACTIONS:
        errors.append("'event_action' is not one of trigger, acknowledge, resolve")
    key = event.get("dedup_key", "")
    if event.get("event_action") != "trigger" and not _text(key):
        errors.append("'dedup_key' is missing or blank")
    if not isinstance(key, str) or len(key) > 255:
        errors.append("'dedup_key' is too long (maximum is 255 characters)")
    links = event.get("links", [])
    if not isinstance(links, list) or not all(isinstance(each, dict) and _web(each.get("href")) for each in links):
        errors.append("'links' must be objects with an 'href'")
    return errors


def _payload(event: dict[str, Any]) -> list[str]:
    payload = event.get("payload")
    if not isinstance(payload, dict):
        return ["'payload' is missing or blank"]
    errors = [
        f"'payload.{name}' is missing or blank" for name in ("summary", "source", "severity") if not payload.get(name)
    ]
    if len(str(payload.get("summary", ""))) > 1024:
        errors.append("'summary' is too long (maximum is 1024 characters)")
    if payload.get("severity") not in SEVERITIES:
        errors.append(
            "'payload.severity' is invalid (must be one of the following: 'critical', 'warning', 'error' or 'info')"
        )
    if not isinstance(payload.get("custom_details", {}), dict):
        errors.append("'payload.custom_details' is not an object")
    return errors


def _web(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://"))


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
