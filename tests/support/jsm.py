"""Alerts of Jira Service Management and Opsgenie: what the vendor refuses, and its answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from responder.model.message import Response
from responder.standins.server import Call, Reply, StandIn, as_json

#: Characters of each field (https://docs.opsgenie.com/docs/alert-api).
LIMITS = {"message": 130, "alias": 512, "description": 15_000, "entity": 512, "source": 100, "note": 25_000}
FIELDS = {
    "alerts": {"message", "alias", "description", "priority", "entity", "source", "tags", "details"},
    "notes": {"note", "source", "user"},
    "close": {"note", "source", "user"},
    "acknowledge": {"note", "source", "user"},
}
ACCEPTED = Response(202, b'{"result":"Request will be processed","took":0.1,"requestId":"43a29c5c"}')
UNPROCESSABLE = Response(422, b'{"message":"Request body is not processable.","took":0.0,"requestId":"43a29c5c"}')


def refusal(url: str, body: bytes, headers: Mapping[str, str]) -> str:
    """Reason why the vendor refuses a request, empty if it takes it."""
    parts = urlsplit(url)
    *_, last = parts.path.split("/")
    if last not in FIELDS or (last != "alerts" and parts.query != "identifierType=alias"):
        return "no such path"
    given = {name.lower(): value for name, value in headers.items()}
    if not given.get("authorization", "").startswith("GenieKey "):
        return "could not authenticate"
    sent: dict[str, Any] = json.loads(body)
    wrong = [f"unknown field {name}" for name in set(sent) - FIELDS[last]]
    wrong += [f"{name} is too long" for name, most in LIMITS.items() if len(sent.get(name, "")) > most]
    if last == "alerts":
        wrong += _wrong_alert(sent)
    return "; ".join(wrong)


def _wrong_alert(sent: dict[str, Any]) -> list[str]:
    wrong = [] if sent.get("message", "").strip() else ["message is missing"]
    if sent.get("priority", "P3") not in {"P1", "P2", "P3", "P4", "P5"}:
        wrong.append("the priority is none of P1 to P5")
    tags, details = sent.get("tags", []), sent.get("details", {})
    if len(tags) > 20 or any(len(tag) > 50 for tag in tags):
        wrong.append("too many tags, or one is too long")
    if not all(isinstance(value, str) for value in details.values()):
        wrong.append("details are not texts")
    if sum(len(name) + len(value) for name, value in details.items()) > 8_000:
        wrong.append("details are too long")
    return wrong


class JsmStandIn(StandIn):
    """Keeps the open alerts by alias, and the notes and priorities that they got."""

    def __init__(self) -> None:
        super().__init__()
        self.open: dict[str, dict[str, Any]] = {}
        self.closed: list[str] = []
        self.acknowledged: list[str] = []

    def answer(self, call: Call) -> Reply:
        """202 for a good request, 422 with the reason for a bad one."""
        if call.method != "POST":
            return as_json(404, {"message": "no such path"})
        if why := refusal(f"http://x{call.path}", call.body, call.headers):
            return as_json(422, {"message": why, "took": 0.0, "requestId": "r"})
        sent, path = json.loads(call.body), urlsplit(call.path).path.split("/")
        with self.lock:
            if path[-1] == "alerts":
                self.open.setdefault(sent["alias"], {**sent, "notes": []})
            elif path[-1] == "close":
                self.closed.append(unquote(path[-2]))
                self.open.pop(unquote(path[-2]), None)
            elif path[-1] == "acknowledge":
                self.acknowledged.append(unquote(path[-2]))
            elif unquote(path[-2]) in self.open:
                self.open[unquote(path[-2])]["notes"].append(sent["note"])
        return as_json(202, {"result": "Request will be processed", "took": 0.1, "requestId": "r"})
