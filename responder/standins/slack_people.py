"""People in Slack's stand-in: they press buttons, submit dialogs, type commands and read what only they see.

What they do reaches the app over Socket Mode if it is connected, as signed HTTP requests otherwise.
"""

import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from responder.outgoing import UnreachableError
from responder.standins import loopback
from responder.standins.server import Reply, as_json
from responder.standins.slack_payloads import ANN, TEAM, signed
from responder.standins.slack_socket import ANSWER_SECONDS, Answer, SocketMode

#: Posts to one response_url, and the seconds for which it takes them.
MOST_ANSWERS, ANSWERS_SECONDS = 5, 1800.0
#: Seconds for which a trigger opens a dialog, once.
TRIGGER_SECONDS = 3.0
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(slots=True)
class _Link:
    """A response_url: when it was made, and how often it was used."""

    made: float
    used: int = 0


class People:
    """Presses, dialogs and commands. ``request_url`` is the base of the app's request URLs.

    With ``socket_mode`` cleared they are used although the app is connected.

    ``answers`` are the messages posted to response URLs: ephemeral ones are seen by the person alone. ``views`` are the
    dialogs that were opened, by id. ``now`` is the monotonic clock.
    """

    def __init__(self, base: Callable[[], str], sockets: SocketMode) -> None:
        self.request_url = ""
        self.socket_mode = True
        self.signing_secret = secrets.token_hex(16)
        self.answers: list[Mapping[str, Any]] = []
        self.views: dict[str, Mapping[str, Any]] = {}
        self.now: Callable[[], float] = time.monotonic
        self._base = base
        self._sockets = sockets
        self._lock = threading.Lock()
        self._links: dict[str, _Link] = {}
        self._triggers: dict[str, float] = {}
        self._presses = 0

    def press(
        self, button: Mapping[str, Any], *, channel: str = "C00000001", ts: str = "", user: Mapping[str, str] = ANN
    ) -> Answer:
        """Press a button: an element of a message's ``actions`` block."""
        with self._lock:
            self._presses += 1
            moment = f"{1_772_246_460 + self._presses}.{self._presses:06}"
        return self.deliver(
            {
                "type": "block_actions",
                "user": dict(user),
                "team": TEAM | {"id": user["team_id"]},
                "api_app_id": "A0RESP",
                "channel": {"id": channel},
                "container": {"type": "message", "message_ts": ts, "channel_id": channel},
                "trigger_id": self.trigger(),
                "response_url": self.response_url(),
                "actions": [dict(button) | {"block_id": "b", "action_ts": moment}],
            }
        )

    def submit(self, view: str, values: Mapping[str, Any], *, user: Mapping[str, str] = ANN) -> Answer:
        """Submit an open dialog. ``values`` are its inputs by block id: an element's state by its action id."""
        with self._lock:
            shown = self.views[view]
        given = dict(shown) | {"id": view, "state": {"values": values}}
        team = TEAM | {"id": user["team_id"]}
        return self.deliver({"type": "view_submission", "user": dict(user), "team": team, "view": given})

    def command(self, text: str = "", *, user: Mapping[str, str] = ANN) -> Answer:
        """Type ``/responder`` and a text."""
        fields = {
            "command": "/responder",
            "text": text,
            "user_id": user["id"],
            "user_name": user["username"],
            "team_id": user["team_id"],
            "trigger_id": self.trigger(),
            "response_url": self.response_url(),
        }
        if (answer := self._envelope("slash_commands", fields)) is not None:
            return answer
        return self._request("/slack/commands", urlencode(fields).encode())

    def deliver(self, payload: Mapping[str, Any]) -> Answer:
        """Send an interaction, and wait for the answer as long as Slack does. Its trigger opens a dialog from now."""
        if trigger := payload.get("trigger_id"):
            with self._lock:
                self._triggers[str(trigger)] = self.now()
        if (answer := self._envelope("interactive", payload)) is not None:
            return answer
        return self._request("/slack/interactions", urlencode({"payload": json.dumps(payload)}).encode())

    def trigger(self) -> str:
        """Return the id of a new trigger."""
        with self._lock:
            name = f"133.{len(self._triggers)}.{secrets.token_hex(8)}"
            self._triggers[name] = self.now()
        return name

    def response_url(self) -> str:
        """Return a new address that takes answers to one interaction."""
        name = secrets.token_hex(12)
        with self._lock:
            self._links[name] = _Link(self.now())
        return f"{self._base()}/actions/T0BUTTER/{name}"

    def answered(self, name: str, body: Mapping[str, Any]) -> Reply:
        """Return the response to a post to a response_url."""
        with self._lock:
            link = self._links.get(name)
            if link is None:
                return as_json(404, {"ok": False, "error": "invalid_url"})
            if self.now() - link.made > ANSWERS_SECONDS:
                return as_json(404, {"ok": False, "error": "expired_url"})
            if link.used >= MOST_ANSWERS:
                return as_json(404, {"ok": False, "error": "used_url"})
            link.used += 1
            self.answers.append(body)
        return as_json(200, {"ok": True})

    def open(self, trigger: str, view: Mapping[str, Any]) -> dict[str, Any]:
        """Return the result of views.open."""
        with self._lock:
            made = self._triggers.get(trigger)
            if made is None:
                return {"error": "invalid_trigger_id"}
            if made < 0:
                return {"error": "exchanged_trigger_id"}
            if self.now() - made > TRIGGER_SECONDS:
                return {"error": "expired_trigger_id"}
            self._triggers[trigger] = -1.0
        return {"view": {"id": self.show(view)}}

    def show(self, view: Mapping[str, Any]) -> str:
        """Show a dialog that the app put in the place of another; return its id."""
        with self._lock:
            name = f"V{len(self.views) + 1:08}"
            self.views[name] = view
        return name

    def _envelope(self, kind: str, payload: Mapping[str, Any]) -> Answer | None:
        return self._sockets.send(kind, payload, answered=True) if self.socket_mode else None

    def _request(self, path: str, body: bytes) -> Answer:
        """Send a signed request."""
        headers = signed(body, self.signing_secret, datetime.now(UTC)) | _FORM
        started = time.monotonic()
        try:
            response = loopback.post(f"{self.request_url}{path}", body, headers, ANSWER_SECONDS)
        except UnreachableError:
            return Answer(False, time.monotonic() - started)
        body_given = json.loads(response.body) if response.status == 200 and response.body else None
        return Answer(response.status == 200, time.monotonic() - started, body_given)
