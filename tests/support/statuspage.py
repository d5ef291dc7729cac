"""Atlassian Statuspage: its words, its limit of requests, its answers, and the incidents that customers read."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from responder.model.message import Response
from responder.standins.server import Call, Reply, StandIn, as_json

# https://developer.statuspage.io/#tag/incidents
STATUSES = ("investigating", "identified", "monitoring", "resolved")
COMPONENT_STATES = ("operational", "degraded_performance", "partial_outage", "major_outage", "under_maintenance")
IMPACTS = ("none", "maintenance", "minor", "major", "critical")
_KNOWN = {"name", "status", "body", "impact_override", "component_ids", "components", "deliver_notifications"}
_KNOWN |= {"metadata"}
_PATH = re.compile(r"/v1/pages/([a-z0-9]+)/incidents(?:/([a-z0-9]+)|\?limit=([0-9]+))?")
ACCEPTED = Response(201, b'{"id":"p31zjtct2jer","status":"investigating"}')
#: Requests of one key in 60 seconds; the vendor answers 420 or 429 beyond.
PER_MINUTE = 60


def refusal(method: str, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
    """Status and reason of a refused request, 0 if the vendor takes it."""
    given = {name.lower(): value for name, value in headers.items()}
    if not given.get("authorization", "").startswith("OAuth "):
        return 401, "Could not authenticate"
    found = _PATH.fullmatch(path)
    if found is not None and method == "GET":
        return 0, ""
    if found is None or found[3] or method != ("PATCH" if found[2] else "POST"):
        return 404, "Not found"
    sent = json.loads(body).get("incident", {})
    wrong = [f"{name} is not a field" for name in set(sent) - _KNOWN]
    wrong += (
        [] if all(isinstance(each, dict) for each in sent.get("metadata", {}).values()) else ["Metadata is invalid"]
    )
    wrong += [] if found[2] or sent.get("name") else ["Name can't be blank"]
    wrong += [] if sent.get("status") in STATUSES else ["Status is invalid"]
    wrong += [] if sent.get("impact_override", "none") in IMPACTS else ["Impact override is invalid"]
    wrong += [f"{each} is no state" for each in sent.get("components", {}).values() if each not in COMPONENT_STATES]
    wrong += [] if len(sent.get("body", "")) <= 25_000 and len(sent.get("name", "")) <= 255 else ["is too long"]
    return (422, "; ".join(wrong)) if wrong else (0, "")


@dataclass
class PublicIncident:
    """An incident as customers read it: its name, its updates with their status, and its components."""

    name: str
    updates: list[tuple[str, str]] = field(default_factory=list)
    components: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)


class StatuspageStandIn(StandIn):
    """Keeps the incidents by id. ``key`` is the only one that is accepted."""

    def __init__(self, key: str, *, per_minute: int = PER_MINUTE) -> None:
        super().__init__()
        self.incidents: dict[str, PublicIncident] = {}
        self._key = key
        self._per_minute = per_minute
        self._seen: list[float] = []

    def answer(self, call: Call) -> Reply:
        """201 or 200 with the incident, 420 over the limit, and the vendor's refusals."""
        headers = {name.lower(): value for name, value in call.headers.items()}
        if headers.get("authorization") != f"OAuth {self._key}":
            return as_json(401, {"error": "Could not authenticate"})
        with self.lock:
            now = time.monotonic()
            self._seen = [each for each in self._seen if each > now - 60] + [now]
            if len(self._seen) > self._per_minute:
                return as_json(420, {"error": "Enhance your calm"})
            status, why = refusal(call.method, call.path, call.body, call.headers)
            if status:
                return as_json(status, {"error": why})
            return self._taken(call)

    def _taken(self, call: Call) -> Reply:
        found = _PATH.fullmatch(call.path)
        assert found is not None
        if call.method == "GET":
            return self._read(found)
        sent: dict[str, Any] = json.loads(call.body)["incident"]
        number = found[2] or f"p31zjtct{len(self.incidents):04}"
        if found[2] and number not in self.incidents:
            return as_json(404, {"error": "Not found"})
        incident = self.incidents.setdefault(number, PublicIncident(sent.get("name", "")))
        incident.updates.append((sent["status"], sent["body"]))
        incident.metadata |= sent.get("metadata", {})
        incident.components |= sent.get("components", {})
        return as_json(200 if found[2] else 201, {"id": number, "status": sent["status"]})

    def _read(self, found: re.Match[str]) -> Reply:
        """One incident, or the newest ones first."""
        if found[2]:
            known = self.incidents.get(found[2])
            return as_json(200, _shown(found[2], known)) if known else as_json(404, {"error": "Not found"})
        newest = list(reversed(self.incidents.items()))[: int(found[3] or 100)]
        return as_json(200, [_shown(number, each) for number, each in newest])


def _shown(number: str, incident: PublicIncident) -> dict[str, Any]:
    """An incident as the API shows it: the newest update first."""
    updates = [
        {"status": status, "body": body, "created_at": f"2026-02-28T02:{place:02}:00.000Z"}
        for place, (status, body) in enumerate(incident.updates)
    ]
    newest = list(reversed(updates))
    return {"id": number, "name": incident.name, "incident_updates": newest, "metadata": incident.metadata}
